"""A command of the local sandbox, on a pseudo-terminal and under a supervisor."""

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
from typing import Final

from cabtrace.errors import AgentNotFoundError, SandboxError
from cabtrace.runner.sandbox import supervise
from cabtrace.runner.sandbox.processes import kill_marked

_READ_BYTES: Final = 65_536
_KILL_WAIT_S: Final = 6.0


class LocalProcess:
    """Implements `cabtrace.protocols.Process`."""

    def __init__(
        self, program: str, argv: Sequence[str], env: Mapping[str, str], cwd: str, size: tuple[int, int], run_id: str
    ) -> None:
        self._run_id = run_id
        self._descriptor, terminal = os.openpty()
        lifeline_read, self._lifeline = os.pipe()
        status_read, status_write = os.pipe()
        try:
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
            os.set_blocking(self._descriptor, False)
            self._supervisor = _spawn(
                [str(lifeline_read), str(status_write), os.ttyname(terminal), cwd, program, *argv],
                env,
                (lifeline_read, status_write),
            )
            os.close(status_write)
            status_write = -1
            pid = _started(status_read, program, argv[0], cwd)
        except BaseException:
            self._release()
            raise
        finally:
            for descriptor in (terminal, lifeline_read, status_read, status_write):
                if descriptor >= 0:
                    os.close(descriptor)
        self.attributes: Mapping[str, str | int | Sequence[str]] = {
            "process.pid": pid,
            "process.executable.path": program,
            "process.working_directory": cwd,
        }

    def fileno(self) -> int:
        """The controlling side of the pseudo-terminal."""
        return self._descriptor

    def read(self) -> bytes:
        """What is there now; b"" at the end. Raises BlockingIOError where nothing is."""
        try:
            return os.read(self._descriptor, _READ_BYTES)
        except OSError as error:
            if error.errno == errno.EIO:  # how Linux says that the last holder of the terminal closed it
                return b""
            raise

    def poll(self) -> int | None:
        """The exit code once it ended."""
        code = self._supervisor.poll()
        return 128 - code if code is not None and code < 0 else code

    def terminate(self) -> None:
        """SIGTERM to the command's process group."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the command and everything that it started; returns when they are gone."""
        self._signal(signal.SIGUSR1)
        try:
            self._supervisor.wait(_KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self._supervisor.wait()
        kill_marked(self._run_id)

    def close(self) -> None:
        """Releases the terminal; what still runs is ended by that."""
        self._release()

    def _signal(self, number: int) -> None:
        if self._supervisor.poll() is None:
            self._supervisor.send_signal(number)

    def _release(self) -> None:
        for descriptor in (self._descriptor, self._lifeline):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        self._descriptor = self._lifeline = -1


def _spawn(arguments: list[str], env: Mapping[str, str], keep: tuple[int, int]) -> subprocess.Popen[bytes]:
    """The supervisor: isolated from the user's Python settings, in a session of its own, so that Ctrl-C is the runner's."""
    script = str(Path(supervise.__file__).resolve())
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", script, *arguments],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=keep,
            start_new_session=True,
        )
    except ValueError as error:
        raise SandboxError("A zero byte in the command or its environment cannot be passed to a program.") from error
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise SandboxError("The command line and environment are longer than this system can pass on.") from error
        raise SandboxError(f"No process can be started here: {error.strerror}.") from error


def _started(status: int, program: str, name: str, cwd: str) -> int:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(status, 64)
        if not part:
            raise SandboxError("The sandbox's supervisor ended before the command was started.")
        line += part
    word, value = line.split()
    if word == b"started":
        return int(value)
    number = int(value)
    if not Path(cwd).is_dir():
        raise SandboxError(f"The working directory {cwd} does not exist.")
    if number in (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.ENOTDIR):
        raise AgentNotFoundError(f"The program {name!r} ({program}) cannot be run: {os.strerror(number)}.")
    raise SandboxError(f"The program {name!r} cannot be started: {os.strerror(number)}.")
