"""The parent of a command in the local sandbox: a small process, run by path, with nothing but the standard library.

Why a process between the runner and the agent: a new session with a controlling terminal and a parent-death signal need
code between fork and exec, which can deadlock in a runner with threads (and a parent-death signal follows the *thread*
that forked). This process has one thread. It also becomes the parent of whatever the agent daemonises (Linux), so that
nothing outlives the command, cleaned environment or not, and it ends everything as soon as the runner is gone, even by
SIGKILL: the runner holds the other end of a pipe.

    supervise.py LIFELINE_FD STATUS_FD TTY CWD PROGRAM ARGV...

Writes one line to STATUS_FD: `started PID` or `failed ERRNO`. SIGTERM is passed on to the command's process group,
SIGUSR1 ends the command and all its descendants. Exits with the command's code, 128+n after signal n.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import select
import signal
import sys
import termios
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SWEEP_S = 5.0


def main() -> int:
    """Starts the command, waits for it or for the runner's end, and leaves nothing running."""
    lifeline, status = int(sys.argv[1]), int(sys.argv[2])
    tty, cwd, program, argv = sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6:]
    os.set_inheritable(lifeline, False)
    os.set_inheritable(status, False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _frame: received.append(number))
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)

    pid = _start(program, argv, tty, cwd, status)
    if pid == 0:
        return 127
    try:
        return _watch(pid, lifeline, wake_read, received)
    finally:
        _end_descendants()


def _watch(pid: int, lifeline: int, wake: int, received: list[int]) -> int:
    while True:
        code, _ = _reap(pid)
        if code is not None:
            return code
        while received:
            number = received.pop(0)
            if number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGTERM)
            elif number == signal.SIGUSR1:
                return _code_after_end(pid)
        readable, _, _ = select.select([lifeline, wake], [], [])
        if wake in readable:
            os.read(wake, 4096)
        if lifeline in readable and not os.read(lifeline, 1):
            return _code_after_end(pid)


def _code_after_end(pid: int) -> int:
    code = _end_descendants(pid)
    return 128 + signal.SIGKILL if code is None else code


def _reap(wanted: int) -> tuple[int | None, bool]:
    """Waits for every child that ended: the exit code of `wanted` if it is among them, and whether there are more."""
    code = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code, False
        if pid == 0:
            return code, True
        if pid == wanted:
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code


def _end_descendants(wanted: int = 0) -> int | None:
    """Stops, then kills all descendants until there are none; stopping first keeps a fork bomb from outrunning it."""
    code = None
    until = time.monotonic() + _SWEEP_S
    if wanted:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(wanted, signal.SIGKILL)
    while time.monotonic() < until:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in _descendants():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        found, more = _reap(wanted)
        code = found if found is not None else code
        if not more:
            break
        time.sleep(0.005)
    return code


def _descendants() -> list[int]:
    """Pids below this process, from one look at /proc; empty where there is none (macOS)."""
    parents: dict[int, list[int]] = {}
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - pathlib would slow the start
    except OSError:
        return []
    for name in names:
        try:
            with open(f"/proc/{name}/stat", "rb") as stream:
                fields = stream.read()
        except OSError:
            continue
        fields = fields[fields.rindex(b")") + 2 :]
        state, parent = fields.split(None, 2)[:2]
        if state not in (b"Z", b"X"):
            parents.setdefault(int(parent), []).append(int(name))
    found: list[int] = []
    stack = [os.getpid()]
    while stack:
        children = parents.get(stack.pop(), [])
        found += children
        stack += children
    return found


def _start(program: str, argv: list[str], tty: str, cwd: str, status: int) -> int:
    """The command's pid, which is also its session and process group; 0 where it could not be started."""
    error_read, error_write = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            _become(program, argv, tty, cwd, parent)
        except OSError as error:
            os.write(error_write, str(error.errno or 0).encode())
        finally:
            os._exit(127)
    os.close(error_write)
    failure = os.read(error_read, 16)
    os.close(error_read)
    os.write(status, b"failed " + failure + b"\n" if failure else b"started %d\n" % pid)
    os.close(status)
    if failure:
        os.waitpid(pid, 0)
        return 0
    return pid


def _become(program: str, argv: list[str], tty: str, cwd: str, parent: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(127)
    os.setsid()
    terminal = os.open(tty, os.O_RDWR)
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for target in (0, 1, 2):
        os.dup2(terminal, target)
    if terminal > 2:
        os.close(terminal)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o022)
    os.chdir(cwd)
    os.execv(program, argv)  # noqa: S606 - an argv list, without a shell


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
