"""One clock a run: a wall instant and the monotonic clock from there, so that a stepped wall clock changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from cabtrace.model.run import Clock


@dataclass(frozen=True, slots=True)
class RunClock:
    """Unix nanoseconds that never go backwards."""

    wall_ns: int
    monotonic_anchor_ns: int
    monotonic_ns: Callable[[], int] = time.monotonic_ns

    @classmethod
    def start(cls) -> RunClock:
        """Anchored now."""
        return cls(time.time_ns(), time.monotonic_ns())

    def now_ns(self) -> int:
        """Unix nanoseconds by this clock."""
        return self.wall_ns + (self.monotonic_ns() - self.monotonic_anchor_ns)

    def from_monotonic_ns(self, monotonic_ns: int) -> int:
        """A reading of the monotonic clock as Unix nanoseconds of this clock."""
        return self.wall_ns + (monotonic_ns - self.monotonic_anchor_ns)

    def to_model(self) -> Clock:
        """As run.json keeps it."""
        return Clock(wall_ns=self.wall_ns, monotonic_ns=self.monotonic_anchor_ns)


def iso_utc(time_ns: int) -> str:
    """RFC 3339 with microseconds, UTC, as the seed page prints it; clamped to the years that a calendar has."""
    seconds, rest_ns = divmod(min(max(time_ns, 0), 253_402_300_799_000_000_000), 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest_ns // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
