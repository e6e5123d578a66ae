"""A program on a real pseudo-terminal: every byte that it writes is kept."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
REPLAY = "import sys, pathlib; from replay.start import run_app; sys.exit(run_app(*map(pathlib.Path, sys.argv[1:])))"


class PtyApp:
    """A child on a pty of a given size. Use it as a context manager; the child is gone afterwards."""

    def __init__(self, argv: list[str], *, columns: int = 120, rows: int = 40) -> None:
        self.output = b""
        self.exit_code: int | None = None
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}
            os.execvp(argv[0], argv)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, keys: bytes, *, quiet_s: float = 0.15) -> None:
        """Types, then reads until nothing comes for a while."""
        os.write(self._master, keys)
        self.settle(quiet_s)

    def settle(self, quiet_s: float = 0.15) -> None:
        """Reads until nothing comes for a while."""
        while self._read(quiet_s):
            pass

    def wait_for(self, text: bytes, timeout_s: float = 60.0) -> None:
        """Reads until `text` was written. Raises TimeoutError."""
        until = time.monotonic() + timeout_s
        while text not in self.output:
            if time.monotonic() > until:
                raise TimeoutError(f"{text!r} did not come; the end of the output is {self.output[-2000:]!r}")
            if not self._read(0.2) and self._ended():
                break
        if text not in self.output:
            raise TimeoutError(f"the program ended without {text!r}: {self.output[-2000:]!r}")

    def wait(self, timeout_s: float = 60.0) -> int:
        """Reads until the child ended; its exit code, -n after signal n. Raises TimeoutError."""
        until = time.monotonic() + timeout_s
        while not self._ended():
            if time.monotonic() > until:
                raise TimeoutError(f"it did not end: {self.output[-500:]!r}")
            self._read(0.1)
        self.settle(0.05)
        assert self.exit_code is not None
        return self.exit_code

    def signal(self, number: int) -> None:
        """Sends a signal."""
        os.kill(self._pid, number)

    def _read(self, timeout_s: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], timeout_s)
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.output += data
        return bool(data)

    def _ended(self) -> bool:
        if self.exit_code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                self.exit_code = os.waitstatus_to_exitcode(status)
        return self.exit_code is not None

    def __enter__(self) -> PtyApp:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if not self._ended():
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._master)
