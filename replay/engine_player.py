"""An engine that is fed a recording: forwards, from a state, and past what ended another engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from cabtrace.protocols import ScreenEngine
from cabtrace.store.cast import CastEvent
from replay.engine_answers import AwaitedEngine, EngineEndedError
from replay.engine_trouble import Trouble
from replay.keyframes import Keyframe

if TYPE_CHECKING:
    from replay.screen import TapeSource

_BATCH_BYTES: Final = 32 * 1024  # the engine works on one while the next is read


class Player:
    """`fed` events of the recording have gone to the engine, `survived` of them for certain without ending it.

    Where the engine has a process of its own, each method may raise what `AwaitedEngine` says: after EngineBusyError the same is
    asked again, after EngineEndedError the player is of no more use than to say how far it came.
    """

    def __init__(self, source: TapeSource, engine: ScreenEngine, size: tuple[int, int], trouble: Trouble) -> None:
        self._source, self._size, self._trouble = source, size, trouble
        self.engine = engine
        self._awaited = engine if isinstance(engine, AwaitedEngine) else None
        self.fed = self.survived = self.since = 0  # since: where it was set to a state
        self.since_keyframe = 0
        self.bad_events = 0
        self._batch: list[bytes] = []
        self._batch_bytes = 0

    def be_patient(self, patience_s: float | None) -> None:
        """From now on, answers are waited for so long, all told; None: for as long as the engine does anything at all."""
        if self._awaited is not None:
            self._awaited.be_patient(patience_s)

    def close(self) -> None:
        """Ends the engine, where it is a process; from any thread."""
        if self._awaited is not None:
            self._awaited.close()

    def settle(self) -> None:
        """Waits for what the engine was asked before: it is not given more than it takes."""
        if self._awaited is not None:
            self._awaited.settle()

    @property
    def gone(self) -> str:
        """Why the engine ended while it had nothing to do, which is nothing that it was fed; "" where it did not."""
        try:
            if self._awaited is not None:
                self._awaited.check()
        except EngineEndedError as error:
            return error.reason
        return ""

    def restore(self, keyframe: Keyframe) -> None:
        """Sets the engine to a state."""
        self._batch.clear()
        self._batch_bytes = 0
        self.engine.restore(keyframe.unpack())
        if not keyframe.events:
            self.engine.resize(*self._size)
        self.fed = self.survived = self.since = keyframe.events
        self.since_keyframe = 0

    def feed(self, target: int) -> None:
        """Feeds it up to so many events."""
        for number, event in self.events(target):
            self.take(number, event, event.data.encode("utf-8", "replace") if event.code == "o" else None)
        self.flush()
        self.fed = max(self.fed, target)

    def events(self, target: int) -> Iterator[tuple[int, CastEvent]]:
        """Those up to `target` with their numbers, from 1; none of a file that has become unreadable."""
        number = self.fed
        try:
            for event in self._source.between(number, target):
                number += 1
                yield number, event
        except OSError:
            self.bad_events += 1

    def take(self, number: int, event: CastEvent, data: bytes | None) -> None:
        """Feeds it the next event, `data` being its output; some at a time, but one by one what is suspect."""
        suspect = bool(self._trouble.suspects) and self._trouble.is_suspect(number)
        if suspect and self.survived < self.fed:
            self.confirm()
        self.fed = number
        if number in self._trouble.left_out:
            return
        if data is not None:
            self._batch.append(data)
            self._batch_bytes += len(data)
            if self._batch_bytes >= _BATCH_BYTES:
                self.flush()
        elif event.code == "r":
            self._resize(event.data)
        if suspect:
            self.confirm()

    def confirm(self) -> None:
        """Waits until the engine has done all of that."""
        self.flush()
        self.engine.cursor()
        self.survived = self.fed

    def answered(self) -> None:
        """The engine has told what it shows."""
        self.survived = self.fed
        if self._trouble.suspects:
            self._trouble.passed(self.since, self.fed)

    def read_text(self, then: Callable[[str], None]) -> None:
        """Calls `then` with the text of the screen as it is now, soon where the engine is a process, else at once."""
        self.flush()
        number = self.fed

        def take(text: str) -> None:
            then(text)
            self.survived = number
            if self._trouble.suspects:
                self._trouble.passed(self.since, number)

        if self._awaited is not None:
            self._awaited.text_later(take)
            if self._trouble.suspects and self._trouble.is_suspect(number):
                self.settle()
        else:
            take(self.engine.text())

    def flush(self) -> None:
        """Hands the engine what was taken."""
        if self._batch:
            self.engine.feed(b"".join(self._batch))
            self._batch.clear()
            self._batch_bytes = 0

    def _resize(self, text: str) -> None:
        self.flush()
        columns, _, rows = text.partition("x")
        if columns.isascii() and rows.isascii() and columns.isdigit() and rows.isdigit() and len(text) < 20:
            self.engine.resize(int(columns), int(rows))
        else:
            self.bad_events += 1
