"""A run as the replay holds it: one immutable picture of what is known now, and the bulky parts on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cabtrace.errors import CabtraceError
from cabtrace.model.log import LogRecord
from cabtrace.model.model_call import ModelCall
from cabtrace.model.run import RunHeader
from cabtrace.store import layout
from cabtrace.store.calls import CallBodies, CallBody
from cabtrace.store.reader import RunView
from replay.call_list import CallList
from replay.loading import Progress, SpanLoader, terminal_start_ns
from replay.timeline import Timeline

if TYPE_CHECKING:
    from cabtrace.store.line_filter import LineFilter
    from replay.screen import TerminalTape

_BODIES_KEPT = 64
_REST_FROM = 2_000  # rows
_REST = 4  # times as long as it took to put the rows of a growing run in order
_QUIET_REST = 50  # likewise, where only time has passed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known of a run at one moment of recording. `warnings` are sentences as recorded, hence hostile.

    `heard_ns`: when a live run last told anything (Unix); its timeline goes on until now.
    """

    header: RunHeader
    timeline: Timeline
    calls: CallList
    warnings: tuple[str, ...]
    live: bool
    aborted: bool
    heard_ns: int | None = None

    def call_offset_ns(self, call: ModelCall) -> int:
        """Start of a call on the timeline's axis."""
        return min(max(call.started_ns - self.timeline.start_ns, 0), self.timeline.duration_ns)

    def call_at(self, offset_ns: int) -> int | None:
        """Index of the call in flight at an instant, else of the last before it; None before the first."""
        return self.calls.at(self.timeline.start_ns + offset_ns)


class ReplayRun:
    """Owns the one reader of a run; safe to use from the loading thread and the screen."""

    def __init__(self, path: Path, *, progress: Progress = lambda share: None, wall_ns: Callable[[], int] = time.time_ns) -> None:
        """Opens a run. `progress` gets the share that is read, and ends it by what it raises. `wall_ns`: Unix time.

        Raises:
            NotARunError: It is none.
            SchemaTooNewError: A later cabtrace wrote it.
            OSError: A file of it cannot be read.
        """
        self.path = path
        self._lock = threading.Lock()
        self._view = RunView(path)
        self._bodies: dict[str, CallBody] = {}
        self._tape: tuple[TerminalTape, str] | None = None
        self._spans = SpanLoader(path)
        self._stale = False
        self._wall_ns = wall_ns
        self._rest_until_s = self._quiet_until_s = 0.0
        self.snapshot = self._picture(progress)

    def refresh(self) -> bool:
        """Takes in what a live recorder appended, and the time that passed; True when `snapshot` is a new one.

        A run that vanished stays as it was.
        """
        with self._lock:
            try:
                changed = self._view.refresh(spans=False)
                changed |= self._spans.refresh(live=self._view.live)
            except (CabtraceError, OSError):
                return False
            self._stale |= changed or self.snapshot.live != self._view.live
            # A large run grows for long: its rows are put in order again as often as that leaves most of the time to others.
            rest_until_s = self._rest_until_s if self._stale else self._quiet_until_s
            if not (self._stale or self._view.live) or (self._view.live and time.monotonic() < rest_until_s):
                return False
            self._bodies.clear()
            self.snapshot = self._picture()
            if self._tape is not None:
                self._tape[0].start_ns = self._terminal_start_ns()
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

    def calls_with(self, words: LineFilter, stop: Callable[[], bool]) -> set[str] | None:
        """The ids of calls in whose messages the words may stand; None where all must be looked at."""
        return CallBodies(self.path / layout.CALLS).ids_with(words, stop)  # its own reader: this takes long, and others wait

    def tape(self) -> tuple[TerminalTape, str]:
        """The terminal's recording, the same one each time, which grows with the run; a sentence where it has no real engine.

        `TerminalTape.index` has to go through it, unless an earlier one was kept. Takes a moment the first time.
        """
        from replay.tapes import make_tape

        with self._lock:
            if self._tape is None:
                self._tape = make_tape(self.path, self._view.terminal_log(), self._terminal_start_ns())
            return self._tape

    def keep_tape(self) -> bool:
        """Puts what is known of a long recording into the run's index; not while it is being recorded."""
        from replay.tapes import keep_tape

        tape = self._tape
        return tape is not None and not self._view.live and keep_tape(self.path, self._view.terminal_log(), tape[0])

    def keep_recording(self) -> bool:
        """Puts the times of a long recording's output into the run's index; not while it is being recorded."""
        from cabtrace.store.cast_index import save_columns

        return not self._view.live and save_columns(self._view.terminal_log())

    def output_instants_ns(self, gap_ns: int) -> Iterator[int]:
        """Some instants of terminal output, on the timeline's axis and in order; every one around a gap longer than that."""
        with self._lock:
            log, start_ns = self._view.terminal_log(), self._terminal_start_ns()
        return (start_ns + time_ns for time_ns in log.landmarks_ns(gap_ns))

    def _terminal_start_ns(self) -> int:
        """The recording's second 0 on the timeline's axis."""
        timeline = self.snapshot.timeline
        return terminal_start_ns(timeline.summary, self._view.header.clock.wall_ns) - timeline.start_ns

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

    def _picture(self, progress: Progress = lambda share: None) -> Snapshot:
        view, began_s = self._view, time.monotonic()
        live, terminal = view.live, view.terminal_log()
        timeline = self._spans.load(
            live=live,
            wall_ns=view.header.clock.wall_ns,
            terminal_ns=int(terminal.last_time_s * 1e9) if len(terminal) else None,
            now_ns=self._wall_ns(),
            progress=progress,
        )
        self._stale = False
        ended_s = time.monotonic()
        self._quiet_until_s = ended_s + _QUIET_REST * (ended_s - began_s)
        if len(timeline) > _REST_FROM:
            self._rest_until_s = ended_s + _REST * (ended_s - began_s)
        return Snapshot(
            header=view.header,
            timeline=timeline,
            calls=CallList(timeline),
            warnings=(*view.warnings(), *timeline.summary.reading, *timeline.warnings),
            live=live,
            aborted=view.aborted,
            heard_ns=self._spans.heard_ns if live else None,
        )
