"""A run as the replay holds it: one immutable picture of what is known now, and the bulky parts on demand."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabtrace.errors import CabtraceError
from cabtrace.model.log import LogRecord
from cabtrace.model.model_call import ModelCall
from cabtrace.model.run import RunHeader
from cabtrace.store.calls import CallBody
from cabtrace.store.cast import CastEvent
from cabtrace.store.reader import RunView
from replay.timeline import Timeline

_BODIES_KEPT = 64


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a run at one moment of recording. `warnings` are sentences as recorded, hence hostile."""

    header: RunHeader
    timeline: Timeline
    calls: Sequence[ModelCall]
    warnings: tuple[str, ...]
    live: bool
    aborted: bool

    def call_offset_ns(self, call: ModelCall) -> int:
        """Start of a call on the timeline's axis."""
        return min(max(call.started_ns - self.timeline.start_ns, 0), self.timeline.duration_ns)

    def call_at(self, offset_ns: int) -> int | None:
        """Index of the call in flight at an instant, else of the last before it; None before the first."""
        at_ns = self.timeline.start_ns + offset_ns
        started = [i for i, call in enumerate(self.calls) if call.started_ns <= at_ns]
        flying = [i for i in started if (end := self.calls[i].ended_ns) is None or end > at_ns]
        return flying[-1] if flying else started[-1] if started else None


class ReplayRun:
    """Owns the one reader of a run; safe to use from the loading thread and the screen."""

    def __init__(self, path: Path) -> None:
        """Opens a run. Raises NotARunError or SchemaTooNewError."""
        self.path = path
        self._lock = threading.Lock()
        self._view = RunView(path)
        self._bodies: dict[str, CallBody] = {}
        self.snapshot = self._picture()

    def refresh(self) -> bool:
        """Takes in what a live recorder appended; True when `snapshot` is a new one. A run that vanished stays as it was."""
        with self._lock:
            try:
                changed = self._view.refresh()
            except (CabtraceError, OSError):
                return False
            if not changed and self.snapshot.live == self._view.live:
                return False
            self._bodies.clear()
            self.snapshot = self._picture()
            return True

    def call_body(self, call_id: str) -> CallBody:
        """Bodies of a call; the last few are kept."""
        with self._lock:
            body = self._bodies.get(call_id)
            if body is None:
                body = self._view.call_body(call_id)
                while len(self._bodies) >= _BODIES_KEPT:
                    self._bodies.pop(next(iter(self._bodies)))
                self._bodies[call_id] = body
            return body

    def terminal(self) -> tuple[Sequence[CastEvent], int, int, int]:
        """Events, columns, rows, and the offset of the recording's second 0 on the timeline's axis (ns)."""
        with self._lock:
            header = self._view.terminal_header()
            offset_ns = self._view.terminal_start_ns() - self.snapshot.timeline.start_ns
            columns, rows = (header.columns, header.rows) if header else (80, 24)
            return self._view.terminal_events(), columns, rows, offset_ns

    def logs(self) -> Sequence[LogRecord]:
        """Log records that the agent emitted, by time."""
        with self._lock:
            return tuple(self._view.logs())

    def terminal_text(self, max_chars: int = 4096) -> str:
        """The end of the terminal's output as plain text."""
        with self._lock:
            return self._view.terminal_text(max_chars)

    def patch(self) -> str:
        """The workspace's change as a patch; "" when there is none."""
        with self._lock:
            return self._view.patch()

    def changes(self) -> Mapping[str, Any]:
        """What changed on disk; {} when it is unknown."""
        with self._lock:
            return self._view.changes()

    def verification(self) -> Mapping[str, Any]:
        """What the tests said; {} when they were not run."""
        with self._lock:
            return self._view.verification()

    def _picture(self) -> Snapshot:
        view = self._view
        timeline = Timeline(view.spans(), since_ns=_since(view), until_ns=view.end_ns)
        return Snapshot(
            header=view.header,
            timeline=timeline,
            calls=tuple(view.calls()),
            warnings=(*view.warnings(), *timeline.warnings),
            live=view.live,
            aborted=view.aborted,
        )


def _since(view: RunView) -> int | None:
    """The clock's anchor, unless it is no believable time."""
    anchor = view.header.clock.wall_ns
    return anchor if anchor > 0 else None
