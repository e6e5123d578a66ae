"""The terminal at any instant: keyframes of the engine's state, and output fed again from the nearest one."""

from __future__ import annotations

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cabtrace.protocols import Run, ScreenEngine
from cabtrace.store.cast import CastEvent

KEYFRAME_BYTES = 256 * 1024
EngineFactory = Callable[[int, int], ScreenEngine]


@dataclass(frozen=True, slots=True)
class Screen:
    """What a terminal showed. `events` counts the events behind it, so equal counts mean equal screens."""

    columns: int
    rows: int
    lines: Sequence[tuple[Run, ...]]
    cursor: tuple[int, int] | None
    events: int


@dataclass(frozen=True, slots=True)
class _Keyframe:
    events: int  # events before it
    state: bytes  # compressed


class TerminalTape:
    """A recording that can be looked at anywhere, in either direction. Offsets are nanoseconds from the start of the run."""

    def __init__(
        self,
        events: Sequence[CastEvent],
        make_engine: EngineFactory,
        *,
        start_ns: int = 0,
        columns: int = 80,
        rows: int = 24,
        keyframe_bytes: int = KEYFRAME_BYTES,
    ) -> None:
        """`start_ns`: offset of the recording's second 0. The engine is made when it is first needed."""
        self._make_engine = make_engine
        self._size = columns, rows
        self._start_ns = start_ns
        self._keyframe_bytes = keyframe_bytes
        self._events: list[CastEvent] = []
        self._offsets = array("q")
        self._engine: ScreenEngine | None = None
        self._fed = 0
        self._since_keyframe = 0
        self._keyframes: list[_Keyframe] = []
        self.bad_events = 0
        self.extend(events)

    def extend(self, events: Sequence[CastEvent]) -> None:
        """Takes in events that a live recorder appended; their times never decrease."""
        self._events.extend(events)
        self._offsets.extend(self._start_ns + round(e.time_s * 1e9) for e in events)

    def __len__(self) -> int:
        return len(self._events)

    @property
    def offsets_ns(self) -> Sequence[int]:
        """When each event was."""
        return self._offsets

    def events_before(self, offset_ns: int) -> int:
        """How many events had happened by that instant, itself included."""
        return bisect_right(self._offsets, offset_ns)

    def at(self, offset_ns: int) -> Screen:
        """The screen at an instant, the same whichever way the playhead came."""
        return self.after(self.events_before(offset_ns))

    def after(self, events: int) -> Screen:
        """The screen after so many events."""
        target = min(max(events, 0), len(self._events))
        engine = self._rewind(target)
        self._feed(engine, target)
        return Screen(engine.columns, engine.rows, engine.screen(), engine.cursor(), target)

    def index(self, budget_events: int = 20_000) -> bool:
        """Lays keyframes ahead of playback, some events at a time; True once all of the recording has them."""
        covered = self._keyframes[-1].events if self._keyframes else 0
        target = min(max(covered, self._fed) + budget_events, len(self._events))
        self._feed(self._rewind(target), target)
        return target == len(self._events)

    def _rewind(self, target: int) -> ScreenEngine:
        engine = self._engine
        if engine is None:
            engine = self._engine = self._make_engine(*self._size)
            self._keyframes.append(_Keyframe(0, zlib.compress(engine.snapshot(), 1)))
        place = bisect_right(self._keyframes, target, key=lambda k: k.events) - 1
        keyframe = self._keyframes[place]
        if self._fed > target or keyframe.events > self._fed:
            engine.restore(zlib.decompress(keyframe.state))
            if not keyframe.events:
                engine.resize(*self._size)
            self._fed, self._since_keyframe = keyframe.events, 0
        return engine

    def _feed(self, engine: ScreenEngine, target: int) -> None:
        batch: list[bytes] = []

        def flush() -> None:
            if batch:
                engine.feed(b"".join(batch))
                batch.clear()

        for event in self._events[self._fed : target]:
            if event.code == "o":
                data = event.data.encode("utf-8", "replace")
                batch.append(data)
                self._since_keyframe += len(data)
            elif event.code == "r":
                flush()
                self._resize(engine, event.data)
            self._fed += 1
            if self._since_keyframe >= self._keyframe_bytes:
                flush()
                self._lay_keyframe(engine)
        flush()

    def _lay_keyframe(self, engine: ScreenEngine) -> None:
        self._since_keyframe = 0
        if self._keyframes[-1].events < self._fed and (state := engine.snapshot()):
            self._keyframes.append(_Keyframe(self._fed, zlib.compress(state, 1)))

    def _resize(self, engine: ScreenEngine, data: str) -> None:
        columns, _, rows = data.partition("x")
        if columns.isascii() and rows.isascii() and columns.isdigit() and rows.isdigit() and len(data) < 20:
            engine.resize(int(columns), int(rows))
        else:
            self.bad_events += 1
