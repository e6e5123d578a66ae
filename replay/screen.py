"""The terminal at any instant: keyframes of the engine's state, and output fed again from the nearest one."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from cabtrace.protocols import Run, ScreenEngine
from cabtrace.store.cast import CastEvent
from replay.keyframes import Keyframe, Keyframes
from replay.sampling import Sampler
from replay.shown import ShownText

KEYFRAME_BYTES = 256 * 1024
_EVENT_BYTES = 128  # reading an event takes as long as feeding so much
_NEAR_BYTES = 2 * 1024 * 1024  # of the file: what is fed while a key waits
EngineFactory = Callable[[int, int], ScreenEngine]


class TapeSource(Protocol):
    """A recording: when its events were, and the events on demand. `generation` changes when it became another one."""

    generation: int

    def __len__(self) -> int: ...

    @property
    def times_ns(self) -> Sequence[int]:
        """When each event was, since second 0 of the recording; never decreasing."""

    def between(self, start: int, stop: int) -> Iterator[CastEvent]:
        """Events from number `start` to before `stop`. Raises OSError."""

    def bytes_between(self, start: int, stop: int) -> int:
        """About how much lies between two of them."""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a terminal showed. `events` counts the events behind it, so equal counts mean equal screens."""

    columns: int
    rows: int
    lines: Sequence[tuple[Run, ...]]
    cursor: tuple[int, int] | None
    events: int


class TerminalTape:
    """A recording that can be looked at anywhere, in either direction. Offsets are nanoseconds from the start of the run.

    `at` and `after` are for one thread, `index` and the rest for any: they use an engine each.
    """

    def __init__(
        self,
        source: TapeSource,
        make_engine: EngineFactory,
        *,
        start_ns: int = 0,
        columns: int = 80,
        rows: int = 24,
        keyframe_bytes: int = KEYFRAME_BYTES,
    ) -> None:
        """`start_ns`: offset of the recording's second 0. Engines are made when they are first needed."""
        self.start_ns = start_ns
        self.source = source
        self._make_engine = make_engine
        self._size = columns, rows
        self._keyframe_bytes = keyframe_bytes
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._generation = self.source.generation
        self.keyframes = Keyframes()
        self.shown = ShownText()
        self.covered = 0
        self._viewer: _Player | None = None
        self._indexer: _Player | None = None
        self._sampler = Sampler(self.shown)

    def __len__(self) -> int:
        return len(self.source)

    @property
    def bad_events(self) -> int:
        """Events that could not be played, of those that led to the last screen."""
        return self._viewer.bad_events if self._viewer else 0

    def events_before(self, offset_ns: int) -> int:
        """How many events had happened by that instant, itself included."""
        return bisect_right(self.source.times_ns, offset_ns - self.start_ns)

    def at(self, offset_ns: int) -> Screen:
        """The screen at an instant, the same whichever way the playhead came."""
        return self.after(self.events_before(offset_ns))

    def after(self, events: int) -> Screen:
        """The screen after so many events."""
        self._notice_replacement()
        player = self._viewer
        if player is None:
            player = self._viewer = self._player()
        target = min(max(events, 0), len(self.source))
        keyframe = self.keyframes.before(target)
        if player.fed > target or keyframe.events > player.fed:
            player.restore(keyframe)
        player.feed(target)
        engine = player.engine
        return Screen(engine.columns, engine.rows, engine.screen(), engine.cursor(), target)

    def is_near(self, offset_ns: int) -> bool:
        """Whether the screen of that instant takes no longer than a key may take."""
        target = self.events_before(offset_ns)
        return self.source.bytes_between(self.keyframes.before(target).events, target) <= _NEAR_BYTES

    @property
    def full(self) -> bool:
        """Whether the screen showed more than is kept for `find`."""
        return self.shown.full

    def find(self, query: str) -> Iterator[tuple[int, str, re.Match[str]]]:
        """Where words were on the screen, as far as `index` has come: an instant at which they are, the text, where in that."""
        start_ns = self.start_ns
        return ((start_ns + time_ns, text, match) for time_ns, text, match in self.shown.find(query))

    @property
    def share(self) -> float:
        """How much of the recording has keyframes, 0 to 1."""
        return min(self.covered / max(len(self.source), 1), 1.0)

    def index(self, budget_events: int = 20_000) -> bool:
        """Lays keyframes and notes what was shown, some events at a time; True once all of the recording is done."""
        with self._lock:
            self._notice_replacement()
            total = len(self.source)
            target = min(self.covered + budget_events, total)
            if self.covered < target:
                player = self._indexer
                if player is None:
                    player = self._indexer = self._player()
                    player.restore(self.keyframes.before(self.covered))
                    player.feed(self.covered)
                self._cover(player, target)
            if self.covered == total and self._indexer is not None:
                self._sampler.finish(self._indexer.engine)
            return self.covered == total

    def adopt(self, keyframes: Keyframes, shown: ShownText, covered: int) -> None:
        """Takes what an earlier reading of the same recording found."""
        with self._lock:
            self.keyframes, self.shown, self.covered = keyframes, shown, covered
            self._sampler = Sampler(shown)

    def _cover(self, player: _Player, target: int) -> None:
        sampler, times, since = self._sampler, self.source.times_ns, player.since_keyframe
        before_ns = times[player.fed - 1] if player.fed else -1
        for event in player.events(target):
            number = player.fed - 1  # of this event
            data = event.data.encode("utf-8", "replace") if event.code == "o" else None
            if times[number] > before_ns:
                if sampler.is_due(times[number] - before_ns, data, player.engine):
                    player.flush()
                    sampler.sample(player.engine)
                before_ns = times[number]
            player.take(event.code, event.data, data)
            if data is not None:
                sampler.take(before_ns, data)
            since += _EVENT_BYTES + len(data or b"")
            if since >= self._keyframe_bytes:
                player.flush()
                since = 0
                self.keyframes.lay(player.fed, player.engine.snapshot())
            self.covered = player.fed
        player.flush()
        player.since_keyframe = since
        self.covered = target  # also where the file has become shorter

    def _notice_replacement(self) -> None:
        if self._generation != self.source.generation:
            self._begin()

    def _player(self) -> _Player:
        return _Player(self.source, self._make_engine(*self._size), self._size)


class _Player:
    """An engine that has been fed so many events of a recording."""

    def __init__(self, source: TapeSource, engine: ScreenEngine, size: tuple[int, int]) -> None:
        self._source, self._size = source, size
        self.engine = engine
        self.fed = 0
        self.since_keyframe = 0
        self.bad_events = 0
        self._batch: list[bytes] = []

    def restore(self, keyframe: Keyframe) -> None:
        self._batch.clear()
        self.engine.restore(keyframe.unpack())
        if not keyframe.events:
            self.engine.resize(*self._size)
        self.fed, self.since_keyframe = keyframe.events, 0

    def feed(self, target: int) -> None:
        for event in self.events(target):
            self.take(event.code, event.data, event.data.encode("utf-8", "replace") if event.code == "o" else None)
        self.flush()
        self.fed = max(self.fed, target)

    def events(self, target: int) -> Iterator[CastEvent]:
        """Those up to `target`, counted as they come; none of a file that has become unreadable."""
        try:
            for event in self._source.between(self.fed, target):
                self.fed += 1
                yield event
        except OSError:
            self.bad_events += 1

    def take(self, code: str, text: str, data: bytes | None) -> None:
        if data is not None:
            self._batch.append(data)
        elif code == "r":
            self.flush()
            columns, _, rows = text.partition("x")
            if columns.isascii() and rows.isascii() and columns.isdigit() and rows.isdigit() and len(text) < 20:
                self.engine.resize(int(columns), int(rows))
            else:
                self.bad_events += 1

    def flush(self) -> None:
        if self._batch:
            self.engine.feed(b"".join(self._batch))
            self._batch.clear()
