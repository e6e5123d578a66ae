"""Tells a Progress where a running cell stands, a few times a second, from a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cabtrace.runner.spec import Progress, Stats

if TYPE_CHECKING:
    from cabtrace.runner.calls import CallRecorder
    from cabtrace.runner.terminal import TerminalRecorder

_EVERY_S = 0.25


@contextmanager
def reporting(progress: Progress, calls: CallRecorder, terminal: TerminalRecorder) -> Iterator[None]:
    """Reports for as long as the block runs."""
    done = threading.Event()

    def report() -> None:
        while not done.wait(_EVERY_S):
            progress.stats(Stats(calls.count, calls.input_tokens, calls.output_tokens, terminal.total_bytes))

    thread = threading.Thread(target=report, name="cabtrace-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(1)
