"""Idle-time compression: long stretches without any event are passed in a fixed time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

DEFAULT_LIMIT_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class IdleMap:
    """Stretches (start, end) of the run that play in `limit_ns` each; they do not overlap and are in order. Empty: none."""

    stretches: tuple[tuple[int, int], ...] = ()
    limit_ns: int = DEFAULT_LIMIT_NS

    def advance(self, position_ns: int, elapsed_ns: int) -> int:
        """Where playback stands `elapsed_ns` after it stood at `position_ns`."""
        place = bisect_right(self.stretches, position_ns, key=lambda s: s[1])
        for start, end in self.stretches[place:]:
            if position_ns < start:
                if elapsed_ns <= start - position_ns:
                    return position_ns + elapsed_ns
                elapsed_ns -= start - position_ns
                position_ns = start
            factor = (end - start) / self.limit_ns
            left_ns = int((end - position_ns) / factor)
            if elapsed_ns < left_ns:
                return position_ns + int(elapsed_ns * factor)
            elapsed_ns -= left_ns
            position_ns = end
        return position_ns + elapsed_ns


def find_idle(instants_ns: Iterable[int], *, limit_ns: int = DEFAULT_LIMIT_NS) -> IdleMap:
    """The stretches longer than `limit_ns` between instants at which something happened, given in any order."""
    # Of instants that share a period of that length only the first and the last matter, so that millions take little memory.
    period_ns = max(limit_ns, 1)
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for instant in instants_ns:
        period = instant // period_ns
        if period not in first:
            first[period] = last[period] = instant
        elif instant > last[period]:
            last[period] = instant
        elif instant < first[period]:
            first[period] = instant
    periods = sorted(first)
    gaps = ((last[one], first[other]) for one, other in pairwise(periods))
    return IdleMap(tuple(gap for gap in gaps if gap[1] - gap[0] > limit_ns), limit_ns)
