"""The program that is recorded: its pseudo-terminal, its process groups, its exit code."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cabtrace.errors import AgentNotFoundError, SandboxError
from cabtrace.runner.passthrough import exec_on_tty

_READ_BYTES = 65_536


def _without_echo(terminal: int) -> list[Any]:
    settings = termios.tcgetattr(terminal)
    settings[3] &= ~termios.ECHO
    return settings


class Child:
    """A program in a session of its own, on a pseudo-terminal of `size` (columns, rows) with the settings of `like`.

    Raises AgentNotFoundError or SandboxError where it cannot be started.
    """

    def __init__(
        self, program: str, argv: Sequence[str], env: Mapping[str, str], size: tuple[int, int], like: list[Any] | None
    ) -> None:
        self.descriptor, terminal = os.openpty()
        status_read, status_write = os.pipe()
        try:
            # The user's own idea of erase, interrupt, end of file. Input from a pipe is not shown again, hence not recorded.
            termios.tcsetattr(terminal, termios.TCSANOW, _without_echo(terminal) if like is None else like)
            self.resize(*size)
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(Path(exec_on_tty.__file__).resolve())),
                    *(str(status_write), os.ttyname(terminal), program, *argv),
                ],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                pass_fds=(status_write,),
                start_new_session=True,
            )
            os.close(status_write)
            status_write = -1
            failure = os.read(status_read, 16)
            if failure:
                self._process.wait()
                raise AgentNotFoundError(f"The program {argv[0]!r} ({program}) cannot be run: {os.strerror(int(failure))}.")
        except (OSError, ValueError) as error:
            os.close(self.descriptor)
            raise SandboxError(f"The program {argv[0]!r} cannot be started: {error}.") from error
        except BaseException:
            os.close(self.descriptor)
            raise
        finally:
            for descriptor in (terminal, status_read, status_write):
                if descriptor >= 0:
                    os.close(descriptor)
        os.set_blocking(self.descriptor, False)
        self.pid = self._process.pid

    def resize(self, columns: int, rows: int) -> None:
        """The kernel tells the programs in the foreground."""
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self) -> bytes:
        """What is there now; b"" at the end of output. Raises BlockingIOError where nothing is."""
        try:
            return os.read(self.descriptor, _READ_BYTES)
        except OSError as error:
            if error.errno == errno.EIO:  # how Linux says that the last holder of the terminal closed it
                return b""
            raise

    def write(self, data: bytes) -> int:
        """Types; how much of it was taken, 0 where the program does not read, or is gone."""
        try:
            return os.write(self.descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def poll(self) -> int | None:
        """The exit code once it ended, 128+n after signal n."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def signal(self, number: int) -> None:
        """To what is in the foreground of its terminal; but for an interrupt also to the program itself."""
        groups = set() if number in (signal.SIGINT, signal.SIGQUIT) else {self.pid}
        with contextlib.suppress(OSError):
            foreground = os.tcgetpgrp(self.descriptor)
            groups |= {foreground} if foreground > 1 else set()
        for group in groups or {self.pid}:
            if self._process.poll() is None:
                with contextlib.suppress(OSError):
                    os.killpg(group, number)

    def close(self) -> None:
        """Hangs up: what still runs on the terminal is told so, as when a window is closed."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self._process.poll() is None:
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
