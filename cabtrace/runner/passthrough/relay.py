"""Keys in, output out, until the program ends: the loop between the user's terminal and the program's."""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cabtrace.runner.passthrough.child import Child
from cabtrace.runner.passthrough.host import HostTerminal
from cabtrace.runner.passthrough.signals import ENDING, PASSED_ON, NotedSignals

_READ_BYTES: Final = 65_536
_TYPED_BYTES: Final = 256 * 1024  # typed ahead of a program that does not read
_TICK_S: Final = 0.25
_QUIET_S: Final = 0.2
_DRAIN_NS: Final = 1_500_000_000
_GRACE_NS: Final = 5_000_000_000
_END_OF_FILE: Final = b"\x04"


@dataclass(frozen=True, slots=True)
class Passed:
    """How it ended. `ended_by` names the signal by which cabtrace itself was asked to end, "" where it was not."""

    exit_code: int | None
    ended_by: str = ""
    killed: bool = False


class Relay:
    """`run` returns when the program ended; `on_output(time_ns, data)` has been given all that it wrote, `on_resize` every size.

    What is typed goes to the program and nowhere else.
    """

    def __init__(
        self,
        child: Child,
        host: HostTerminal,
        signals: NotedSignals,
        size: tuple[int, int],
        *,
        on_output: Callable[[int, bytes], None],
        on_resize: Callable[[int, int, int], None],
        now_ns: Callable[[], int],
    ) -> None:
        self._child, self._host, self._signals = child, host, signals
        self._on_output, self._on_resize, self._now_ns = on_output, on_resize, now_ns
        self._typed = bytearray()
        self._last_typed = b"\n"
        self._reads_keys = self._shows = True
        self._at_end = False
        self._size = size
        self._asked_ns: int | None = None
        self._ended_by = ""
        self._killed = False

    def run(self) -> Passed:
        """All of it, with the user's terminal in raw mode."""
        ended_ns: int | None = None
        with self._host.raw():
            self._resize()
            while True:
                code = self._child.poll()
                if code is not None:
                    now_ns = self._now_ns()
                    self._typed.clear()
                    ended_ns = now_ns if ended_ns is None else ended_ns
                    if self._at_end or now_ns - ended_ns > _DRAIN_NS or not self._turn(_QUIET_S, keys=False):
                        return Passed(code, self._ended_by, self._killed)
                    continue
                self._turn(_TICK_S)
                self._insist()

    def _turn(self, patience_s: float, *, keys: bool = True) -> bool:
        """Waits for something to do, and does it; False where there was nothing."""
        with selectors.SelectSelector() as selector:  # of all kinds the one that takes terminals, pipes and files alike
            selector.register(self._signals.descriptor, selectors.EVENT_READ)
            wanted = (0 if self._at_end else selectors.EVENT_READ) | (selectors.EVENT_WRITE if self._typed else 0)
            if wanted:
                selector.register(self._child.descriptor, wanted)
            if keys and self._reads_keys and len(self._typed) < _TYPED_BYTES:
                selector.register(self._host.stdin, selectors.EVENT_READ)
            ready = {key.fd: events for key, events in selector.select(patience_s)}
        if self._signals.descriptor in ready:
            self._heed(self._signals.taken())
        events = ready.get(self._child.descriptor, 0)
        if events & selectors.EVENT_WRITE:
            del self._typed[: self._child.write(bytes(self._typed))]
        if events & selectors.EVENT_READ:
            self._show()
        if self._host.stdin in ready:
            self._take_keys()
        return bool(ready)

    def _show(self) -> None:
        try:
            data = self._child.read()
        except BlockingIOError:
            return
        if not data:
            self._at_end = True
            return
        time_ns = self._now_ns()
        if self._shows and not self._host.write(data):
            self._shows = False
            self._ask(signal.SIGHUP)  # nobody sees it any more
        self._on_output(time_ns, data)

    def _take_keys(self) -> None:
        try:
            data = os.read(self._host.stdin, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # the terminal is gone; a signal says so, too
            data = b""
        if data:
            self._last_typed = data[-1:]
            self._typed += data
            return
        self._reads_keys = False
        if self._host.settings is None:  # the end of a file or pipe is what Ctrl-D is on a terminal; twice within a line
            self._typed += _END_OF_FILE if self._last_typed == b"\n" else _END_OF_FILE * 2

    def _heed(self, numbers: list[int]) -> None:
        for number in numbers:
            if number == signal.SIGWINCH:
                self._resize()
            elif number in PASSED_ON:
                self._child.signal(number)
            elif number in ENDING:
                self._ask(number)

    def _resize(self) -> None:
        size = self._host.size()
        if size != self._size:
            self._size = size
            self._child.resize(*size)
            self._on_resize(self._now_ns(), *size)

    def _ask(self, number: int) -> None:
        if self._asked_ns is None:
            self._asked_ns = self._now_ns()
            self._ended_by = signal.Signals(number).name
        self._child.signal(number)

    def _insist(self) -> None:
        if self._asked_ns is not None and not self._killed and self._now_ns() - self._asked_ns >= _GRACE_NS:
            self._killed = True
            self._child.signal(signal.SIGKILL)
