"""Signals as bytes of a pipe, so that one loop sees keys, output and signals in the order in which they come."""

from __future__ import annotations

import contextlib
import os
import signal
from types import FrameType, TracebackType
from typing import Any

from cabtrace.errors import EXIT_HARNESS

ENDING = (signal.SIGTERM, signal.SIGHUP)
PASSED_ON = (signal.SIGINT, signal.SIGQUIT)
_NOTED = (*ENDING, *PASSED_ON, signal.SIGWINCH, signal.SIGCHLD)


class NotedSignals:
    """A context of the main thread. `descriptor` becomes readable when a signal came; `taken` says which.

    Once `finishing` is set nobody reads it: then the second request to end is obeyed at once.
    """

    def __init__(self) -> None:
        self.finishing = False
        self._requests = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> NotedSignals:
        self.descriptor, self._write = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._write, False)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, self._note) for number in _NOTED}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self.descriptor)
        os.close(self._write)

    def taken(self) -> list[int]:
        """The numbers of the signals that came since the last call."""
        with contextlib.suppress(BlockingIOError):
            return list(os.read(self.descriptor, 1024))
        return []

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.finishing and number in (signal.SIGINT, signal.SIGTERM):
            self._requests += 1
            if self._requests > 1:
                os._exit(EXIT_HARNESS)
