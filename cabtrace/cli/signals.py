"""Ctrl-C and SIGTERM while a cell runs: once finishes the records and cleans up, twice is immediate."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cabtrace.errors import EXIT_HARNESS
from cabtrace.runner.spec import Cancel


@contextmanager
def cancel_on_signals() -> Iterator[Cancel]:
    """A Cancel that the first signal sets; the second ends the process, and the run stays recoverable."""
    cancel = Cancel()

    def handle(number: int, _frame: FrameType | None) -> None:
        if cancel.event.is_set():
            os.write(2, b"\ncabtrace: ended at once; `cabtrace recover @last` closes the run, `cabtrace gc` removes the rest.\n")
            os._exit(EXIT_HARNESS)
        cancel.set(signal.Signals(number).name)
        os.write(2, b"\ncabtrace: stopping; the records are being finished (once more to end at once).\n")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.flush()
