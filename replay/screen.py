"""The terminal at any instant: keyframes of the engine's state, and output fed again from the nearest one."""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cabtrace.protocols import Run, ScreenEngine
from cabtrace.store.cast import CastEvent
from replay import display
from replay.engine_answers import EngineEndedError
from replay.engine_player import Player
from replay.engine_trouble import MOST_LEFT_OUT, Trouble
from replay.keyframes import Keyframes
from replay.sampling import Sampler
from replay.shown import ShownText

KEYFRAME_BYTES = 256 * 1024
_EVENT_BYTES = 128  # reading an event takes as long as feeding so much
_NEAR_BYTES = 2 * 1024 * 1024  # of the file: what is fed while a key waits
_START_PATIENCE_S = 0.05
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
    """What a terminal showed. `events` counts the events behind it, so equal counts mean equal screens.

    `note` says in words what is not as it was; "" where nothing is.
    """

    columns: int
    rows: int
    lines: Sequence[tuple[Run, ...]]
    cursor: tuple[int, int] | None
    events: int
    note: str = ""


class UnknownScreenError(Exception):
    """What the terminal showed there cannot be said; the message is a sentence for the user."""


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
        engine: ScreenEngine | None = None,
        made_by: str = "",
    ) -> None:
        """`start_ns`: offset of the recording's second 0. Engines are made when they are first needed.

        `engine` is for `at`, made already. `made_by`: which engine its states are of; "" where they are not worth keeping.
        """
        self.start_ns = start_ns
        self.source = source
        self.made_by = made_by
        self._make_engine = make_engine
        self._size = columns, rows
        self._keyframe_bytes = keyframe_bytes
        self._lock = threading.Lock()
        self._viewer: Player | None = None
        self._indexer: Player | None = None
        self._begin()
        if engine is not None:
            self._viewer = Player(source, engine, self._size, self.trouble)

    def _begin(self) -> None:
        self._generation = self.source.generation
        self.keyframes = Keyframes()
        self.shown = ShownText()
        self.trouble = Trouble()
        self.covered = 0
        self._viewer = self._indexer = None
        self._sampler = Sampler(self.shown)
        self._grows = False

    def __len__(self) -> int:
        return len(self.source)

    @property
    def bad_events(self) -> int:
        """Events that could not be played, of those that led to the last screen."""
        return self._viewer.bad_events if self._viewer else 0

    def events_before(self, offset_ns: int) -> int:
        """How many events had happened by that instant, itself included."""
        return bisect_right(self.source.times_ns, offset_ns - self.start_ns)

    def at(self, offset_ns: int, patience_s: float | None = None) -> Screen:
        """The screen at an instant, the same whichever way the playhead came. Raises as `after`."""
        return self.after(self.events_before(offset_ns), patience_s)

    def after(self, events: int, patience_s: float | None = None) -> Screen:
        """The screen after so many events.

        Raises:
            UnknownScreenError: The engine does not survive what was written until then.
            EngineBusyError: It takes longer than `patience_s`. It goes on meanwhile; asking again goes on waiting.
        """
        self._notice_replacement()
        target = min(max(events, 0), len(self.source))
        reason = ""
        for _ in range(2 * MOST_LEFT_OUT):
            if lost := self.trouble.lost(target):
                raise UnknownScreenError(lost)
            try:
                player = self._viewer
                if player is None:
                    player = self._viewer = self._player()
                    if patience_s is not None:  # it takes a while to start
                        patience_s = min(patience_s, _START_PATIENCE_S)
                player.be_patient(patience_s)
                player.settle()
                if gone := player.gone:
                    self._viewer = None
                    self.trouble.idle(gone)
                    reason = gone
                    continue
                return self._look(player, target)
            except EngineEndedError as error:
                self._viewer, reason = None, error.reason
                if player is not None:
                    self._blame(player, error)
        raise UnknownScreenError(f"The terminal engine ended ({reason}) each time: the screen here is not known.")

    def _look(self, player: Player, target: int) -> Screen:
        keyframe = self.keyframes.before(target)
        if player.fed > target or keyframe.events > player.fed:
            player.restore(keyframe)
            if self.trouble.suspects:
                player.confirm()
        player.feed(target)
        engine = player.engine
        lines, cursor = engine.screen(), engine.cursor()
        player.answered()
        return Screen(engine.columns, engine.rows, lines, cursor, target, self._note(target))

    def _note(self, events: int) -> str:
        place = self.trouble.last_left_out(events) if self.trouble.left_out else None
        if place is None:
            return ""
        at = display.clock(max(self.source.times_ns[place - 1] + self.start_ns, 0)) if place <= len(self.source) else "its end"
        return f"the terminal engine ended ({self.trouble.left_out[place]}) on what was written at {at}: shown without it"

    def _blame(self, player: Player, error: EngineEndedError) -> None:
        """Remembers what an engine did not survive."""
        if error.wanted:
            return
        if player.fed > player.since:
            self.trouble.ended(player.survived, player.fed, error.reason)
        elif player.since:
            self.keyframes.drop(player.since)
            self.trouble.ended(0, 0, error.reason)
        else:
            self.trouble.did_not_start(error.reason)

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
        """Lays keyframes and notes what was shown, some events at a time; True once there is no more to do."""
        with self._lock:
            self._notice_replacement()
            total = len(self.source)
            if self.trouble.known is not None:
                total = max(min(total, self.trouble.known), 0)
            target = min(self.covered + budget_events, total)
            player = self._indexer
            if player is not None and (gone := player.gone):
                self.covered = min(self.covered, player.survived)
                self._sampler.forget()
                player = self._indexer = None
                self.trouble.idle(gone)
            least = self.covered if player is None else 0  # so far it was gone through by another one
            try:
                if self.covered < target:
                    if player is None:
                        player = self._indexer = self._player()
                        player.restore(self.keyframes.before(self.covered))
                        player.feed(self.covered)
                        player.confirm()
                    self._cover(player, target)
                if self.covered >= total and player is not None:
                    self._sampler.finish(player)
                    self._rest()
            except EngineEndedError as error:
                self._indexer = None
                if player is not None:
                    self._blame(player, error)
                    self.covered = max(min(self.covered, player.survived), least)
                self._sampler.forget()
                return error.wanted
            return self.covered >= total

    def close(self) -> None:
        """Ends what runs for this tape, from any thread; asking it again starts it again."""
        viewer, indexer = self._viewer, self._indexer
        for player in (viewer, indexer):
            if player is not None:
                player.close()

    def _rest(self) -> None:
        """The first time all of it is covered, its engine is no longer needed; a recording that grows has use for one."""
        if not self._grows and self._indexer is not None:
            self._indexer.close()
            self._indexer = None
        self._grows = True

    def adopt(self, keyframes: Keyframes, shown: ShownText, covered: int, left_out: Mapping[int, str]) -> None:
        """Takes what an earlier reading of the same recording found."""
        with self._lock:
            self.keyframes, self.shown, self.covered = keyframes, shown, covered
            self.trouble.adopt(left_out)
            self._sampler = Sampler(shown)

    def _cover(self, player: Player, target: int) -> None:
        sampler, times, since = self._sampler, self.source.times_ns, player.since_keyframe
        before_ns = times[player.fed - 1] if player.fed else -1
        for number, event in player.events(target):
            data = event.data.encode("utf-8", "replace") if event.code == "o" else None
            time_ns = times[number - 1]
            if time_ns > before_ns:
                if sampler.is_due(time_ns - before_ns, data, player.engine):
                    sampler.sample(player)
                before_ns = time_ns
            player.take(number, event, data)
            if data is not None:
                sampler.take(before_ns, data)
            since += _EVENT_BYTES + len(data or b"")
            if since >= self._keyframe_bytes:
                player.flush()
                since = 0
                sampler.catch_up(player)  # should the engine end, the next one begins here
                self.keyframes.lay(player.fed, player.engine.snapshot())
                player.answered()
            self.covered = player.fed
        player.confirm()
        player.since_keyframe = since
        self.covered = player.fed = target  # also where the file has become shorter

    def _notice_replacement(self) -> None:
        if self._generation != self.source.generation:
            self.close()
            self._begin()

    def _player(self) -> Player:
        try:
            engine = self._make_engine(*self._size)
        except OSError as error:
            reason = error.strerror or "it cannot be started"
            self.trouble.did_not_start(reason)
            raise EngineEndedError(reason) from None
        return Player(self.source, engine, self._size, self.trouble)
