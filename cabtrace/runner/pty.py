"""Reads a running command's terminal until it ends, is cancelled or runs out of time."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cabtrace.protocols import Process

_TICK_S: Final = 0.05
# How long output is still read after the command ended, where something it left behind holds the terminal.
_DRAIN_NS: Final = 1_500_000_000
# How long a killed command may take to be gone before it is given up on.
_GIVE_UP_NS: Final = 10_000_000_000
# Reads in a row before the clock, the deadline and the exit code are looked at again.
_BURST: Final = 64


@dataclass(frozen=True, slots=True)
class Ending:
    """How a command ended. `exit_code` is None where it could not be learned, even after a kill."""

    exit_code: int | None
    timed_out: bool = False
    cancelled: bool = False
    killed: bool = False


def pump(
    process: Process,
    *,
    on_output: Callable[[int, bytes], None],
    now_ns: Callable[[], int],
    deadline_ns: int | None,
    grace_s: float,
    cancelled: threading.Event,
) -> Ending:
    """Hands every piece of output to `on_output` with the time it was read, until the command has ended.

    At the deadline, or when `cancelled` is set, the command is asked to end, and killed `grace_s` seconds later. Whatever
    raises in between (`on_output` included) kills the command first. Memory does not grow with the output; a command that
    prints faster than `on_output` takes it waits for its terminal.

    Args:
        process: A command that was just started.
        on_output: Called with (time in the unit and origin of `now_ns`, bytes).
        now_ns: The run's monotonic clock, nanoseconds.
        deadline_ns: On that clock; None for no limit.
        grace_s: Seconds between asking and killing.
        cancelled: Set by another thread or a signal handler.
    """
    pumping = _Pump(process, on_output, now_ns, deadline_ns, int(grace_s * 1e9), cancelled)
    try:
        return pumping.run()
    except BaseException:
        process.kill()
        raise


class _Pump:
    def __init__(
        self,
        process: Process,
        on_output: Callable[[int, bytes], None],
        now_ns: Callable[[], int],
        deadline_ns: int | None,
        grace_ns: int,
        cancelled: threading.Event,
    ) -> None:
        self._process, self._on_output, self._now_ns = process, on_output, now_ns
        self._deadline_ns, self._grace_ns, self._cancelled = deadline_ns, grace_ns, cancelled
        self._asked_ns: int | None = None
        self._killed_ns: int | None = None
        self._timed_out = self._was_cancelled = False
        self._at_end = False
        self._pause_s = 0.001

    def run(self) -> Ending:
        ended_ns: int | None = None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.fileno(), selectors.EVENT_READ)
            while True:
                code = self._process.poll()
                now = self._now_ns()
                if code is not None:
                    ended_ns = now if ended_ns is None else ended_ns
                    if self._at_end or now - ended_ns >= _DRAIN_NS:
                        return self._ending(code)
                elif self._given_up(now):
                    return self._ending(None)
                else:
                    self._hurry(now)
                self._read(selector)

    def _hurry(self, now: int) -> None:
        if self._asked_ns is None:
            self._timed_out = self._deadline_ns is not None and now >= self._deadline_ns
            self._was_cancelled = self._cancelled.is_set() and not self._timed_out
            if self._timed_out or self._was_cancelled:
                self._asked_ns = now
                self._process.terminate()
        elif self._killed_ns is None and now - self._asked_ns >= self._grace_ns:
            self._killed_ns = now
            self._process.kill()

    def _given_up(self, now: int) -> bool:
        return self._killed_ns is not None and now - self._killed_ns >= _GIVE_UP_NS

    def _read(self, selector: selectors.BaseSelector) -> None:
        if self._at_end:
            # The exit code follows the end of output at once, as a rule; a command may also close its terminal and go on.
            time.sleep(self._pause_s)
            self._pause_s = min(_TICK_S, self._pause_s * 2)
            return
        for turn in range(_BURST):
            if not selector.select(0 if turn else self._patience_s()):
                return
            try:
                data = self._process.read()
            except BlockingIOError:
                return
            if not data:
                self._at_end = True
                selector.unregister(self._process.fileno())
                return
            self._on_output(self._now_ns(), data)

    def _patience_s(self) -> float:
        """Seconds to wait for output: a tick, or less where the deadline is nearer."""
        if self._deadline_ns is None or self._asked_ns is not None:
            return _TICK_S
        return min(_TICK_S, max(0.0, (self._deadline_ns - self._now_ns()) / 1e9))

    def _ending(self, code: int | None) -> Ending:
        return Ending(code, self._timed_out, self._was_cancelled, self._killed_ns is not None)
