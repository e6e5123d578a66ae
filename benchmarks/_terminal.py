"""A program in a pseudo-terminal, as a user has it: when it painted what, what a key takes, what memory it holds."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

from benchmarks._painted import visible
from benchmarks._processes import cpu_s, memory_mb

STEP_GOAL_MS = 50.0
_QUIET_S, _PRESS_S, _KEPT = 0.04, 20.0, 16_384
_BUSY_S = 0.1  # of processor time in two seconds
_FULL_SCREEN, _WHAT_ARE_YOU, _A_TERMINAL = b"\x1b[?1049h", b"\x1b[c", b"\x1b[?62;22c"


class Terminal:
    """A program in a pseudo-terminal of 120 x 40, with what it started. `watched` keeps the screen, for `text`.

    It is killed when the context ends. What waits raises TimeoutError, also when the program ends. `painted_s` is when a
    full-screen program first painted anything.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        columns: int = 120,
        rows: int = 40,
        env: Mapping[str, str] | None = None,
        watched: bool = False,
    ) -> None:
        self.painted_s: float | None = None
        self._seen, self._engine = b"", None
        if watched:
            from replay.engine import make_engine

            self._engine, _ = make_engine(columns, rows)
        self.began_s = time.perf_counter()
        self.child, self._master = pty.fork()
        if self.child == 0:
            size = {"COLUMNS": str(columns), "LINES": str(rows)}  # programs believe these more than the terminal
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", **size, **(env or {})}
            os.execvp(argv[0], list(argv))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, *words: bytes, timeout_s: float = 300.0) -> float:
        """Seconds since the start when one of the words was painted, from now on."""
        self._seen = b""
        while time.perf_counter() - self.began_s < timeout_s:
            if self._read(0.02) and any(word in self._seen for word in words):
                return time.perf_counter() - self.began_s
        raise TimeoutError(f"none of {words} within {timeout_s:.0f} s: {visible(self._seen)[-500:]}")

    def settle(self, quiet_s: float = 1.0, timeout_s: float = 300.0) -> None:
        """Until nothing more is painted, or the time is over."""
        until_s = time.perf_counter() + timeout_s
        while time.perf_counter() < until_s and self._read(quiet_s):
            pass

    def rest(self, timeout_s: float = 300.0) -> None:
        """Until it does nothing in the background either."""
        until_s, cpu_s = time.perf_counter() + timeout_s, -1.0
        while self.cpu_s() - cpu_s > _BUSY_S and time.perf_counter() < until_s:
            cpu_s = self.cpu_s()
            self.watch(2.0)

    def watch(self, for_s: float) -> None:
        """Reads what is painted, for so long."""
        pause_s = time.perf_counter() + for_s
        while (left_s := pause_s - time.perf_counter()) > 0:
            self._read(left_s)

    def send(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def press(self, key: bytes, *, patience_s: float = 1.0) -> tuple[float, float]:
        """Wall and processor milliseconds until what the key paints is there; painting begins within the patience."""
        cpu_s, began_s = self.cpu_s(), time.perf_counter()
        self.send(key)
        ended_s = began_s
        while ended_s - began_s < _PRESS_S and self._read(patience_s if ended_s == began_s else _QUIET_S):
            ended_s = time.perf_counter()
        return (ended_s - began_s) * 1e3, (self.cpu_s() - cpu_s) * 1e3

    def until_screen(self, shown: Callable[[str], bool], *, quiet_s: float = 1.0, timeout_s: float = 300.0) -> float:
        """Seconds from now to the last paint, once the screen is as wanted and nothing more is painted."""
        began_s = ended_s = time.perf_counter()
        while time.perf_counter() - began_s < timeout_s:
            if self._read(quiet_s):
                ended_s = time.perf_counter()
            elif shown(self.text()):
                return ended_s - began_s
        raise TimeoutError(f"not shown within {timeout_s:.0f} s: {self.text()[-300:]!r}")

    def cpu_s(self) -> float:
        """Processor time so far, with the processes that it started and that still are."""
        return cpu_s(self.child)

    def memory_mb(self) -> tuple[int, int]:
        """Resident now, and the most so far, with the processes that it started (pages that they share count for each)."""
        return memory_mb(self.child)

    def text(self) -> str:
        """The screen, if it is watched."""
        return self._engine.text() if self._engine else ""

    def end(self) -> None:
        """Kills it and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child, 9)
        os.waitpid(self.child, 0)
        os.close(self._master)

    def _read(self, timeout_s: float) -> bool:
        if not select.select([self._master], [], [], max(timeout_s, 0.0))[0]:
            return False
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # how Linux says that the other side is closed
            data = b""
        if not data:
            raise TimeoutError(f"it ended: {visible(self._seen)[-500:]}")
        self._seen = self._seen[-_KEPT:] + data
        if _WHAT_ARE_YOU in data:  # a program that is not answered waits for seconds
            os.write(self._master, _A_TERMINAL)
        if self.painted_s is None and visible(self._seen.partition(_FULL_SCREEN)[2]):
            self.painted_s = time.perf_counter() - self.began_s
        if self._engine:
            self._engine.feed(data)
        return True

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()
