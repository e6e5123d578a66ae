"""The screen engine in a process of its own, as a `ScreenEngine`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from cabtrace.protocols import Run
from replay import engine_wire as wire
from replay.engine_host import EngineHost, engine_host
from replay.engine_process import SILENT_S, EngineProcess

_FEED_BYTES: Final = 64 * 1024
_MOST_DUE: Final = 32  # answers under way
_LARGEST: Final = 2**62


class RemoteEngine:
    """What goes to the engine (`feed`, `resize`, `restore`) is sent and not waited for; it never raises.

    What asks it something raises EngineEndedError once it is gone, and EngineBusyError when patience is at its end: then the same
    may be asked again, or something else. Raises OSError where no process can be started.
    """

    name = "libghostty-vt"

    def __init__(
        self, columns: int = 80, rows: int = 24, *, host: EngineHost | None = None, silent_s: float | None = None
    ) -> None:
        """A blank screen. The engine is loaded meanwhile: `settle` waits for that."""
        host = engine_host() if host is None else host
        self.process = EngineProcess(host, silent_s=SILENT_S if silent_s is None else silent_s)
        self._until_s: float | None = None
        self._due: deque[tuple[int, Callable[[str], None] | None]] = deque()
        self._state: wire.State | None = None
        self._size: tuple[int, int] | None = None
        self._lines: wire.Rows = []
        self._text = ""
        self._snapshot = b""
        self._answered: int | None = None  # the question since which nothing was sent
        self._ask_for(wire.START, _pair(columns, rows))

    def feed(self, data: bytes) -> None:
        for start in range(0, len(data), _FEED_BYTES):
            self._tell(wire.FEED, data[start : start + _FEED_BYTES])

    def resize(self, columns: int, rows: int) -> None:
        self._size = None
        self._tell(wire.RESIZE, _pair(columns, rows))

    def restore(self, data: bytes) -> None:
        self._size = None
        self._tell(wire.RESTORE, data)

    @property
    def columns(self) -> int:
        return self._known_size()[0]

    @property
    def rows(self) -> int:
        return self._known_size()[1]

    def screen(self) -> list[tuple[Run, ...]]:
        self._ask(wire.SCREEN)
        return list(self._lines)

    def text(self) -> str:
        self._ask(wire.TEXT)
        return self._text

    def be_patient(self, patience_s: float | None) -> None:
        self._until_s = None if patience_s is None else time.monotonic() + patience_s

    def check(self) -> None:
        self.process.check()

    def text_later(self, then: Callable[[str], None]) -> None:
        self._ask_for(wire.TEXT, then=then)
        if len(self._due) >= _MOST_DUE:
            self.settle(_MOST_DUE // 2)

    def cursor(self) -> tuple[int, int] | None:
        if self._state is None:
            self._ask(wire.STATE)
        assert self._state is not None
        return self._state.cursor

    def snapshot(self) -> bytes:
        self._ask(wire.SNAPSHOT)
        return self._snapshot

    def close(self) -> None:
        self.process.close()

    def _known_size(self) -> tuple[int, int]:
        if self._size is None:
            self._ask(wire.STATE)
        assert self._size is not None
        return self._size

    def _tell(self, kind: int, payload: bytes) -> None:
        self._state = self._answered = None
        self.process.send(kind, payload)

    def _ask(self, kind: int) -> None:
        if self._answered != kind:
            self._ask_for(kind)
        self.settle()

    def _ask_for(self, kind: int, payload: bytes = b"", then: Callable[[str], None] | None = None) -> None:
        self._due.append((kind, then))
        self._answered = kind if then is None else None
        self.process.send(kind, payload)

    def settle(self, left: int = 0) -> None:
        """Takes every answer that is due, also those that nobody waits for any more: a screen is told by what changed."""
        while len(self._due) > left:
            kind, then = self._due[0]
            payload = self.process.receive(kind, self._until_s)
            self._due.popleft()
            try:
                self._take(kind, payload)
            except ValueError:
                raise self.process.fail("an answer that is none") from None
            if then is not None:
                then(self._text)

    def _take(self, kind: int, payload: bytes) -> None:
        last = not self._due and self._answered == kind
        if kind == wire.SCREEN:
            state, self._lines = wire.decode_screen(payload, self._lines)
        elif kind == wire.STATE:
            state = wire.decode_state(payload)
        else:
            state = None
            if kind == wire.TEXT:
                self._text = payload.decode("utf-8", "replace")
            elif kind == wire.SNAPSHOT:
                self._snapshot = payload
            elif payload != wire.STARTED:
                raise self.process.fail("it cannot be loaded here")
        if state is not None and last:
            self._state, self._size = state, (state.columns, state.rows)


def _pair(columns: int, rows: int) -> bytes:
    return wire.SIZE.pack(*(min(max(number, -_LARGEST), _LARGEST) for number in (columns, rows)))
