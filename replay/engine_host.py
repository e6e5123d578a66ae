"""The process that starts terminal engines and ends them (`replay.engine_child`), as the replay holds it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from replay import engine_wire as wire

_PASSED: Final = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "PYTHONHOME", "PYGHOSTTY_LIB")
_BUFFER_BYTES: Final = 256 * 1024
_TOLD_S: Final = 5.0  # within which an engine that is gone is told of
_REAP_S: Final = 5.0


class EngineHost:
    """Started when the first engine is wanted, and again where it is gone. For any thread."""

    def __init__(self, module: str = "replay.engine_child") -> None:
        """`module` is what it runs."""
        self._module = module
        self._lock = threading.RLock()  # the collector may end an engine in the middle of any of this
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._finish: weakref.finalize[[subprocess.Popen[bytes], socket.socket], EngineHost] | None = None
        self._number = self._first = 0  # the last engine, and the first one of this process
        self._codes: dict[int, int] = {}  # how engines ended
        self._heard = b""

    @property
    def pid(self) -> int | None:
        """Its process id, where it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> tuple[int, socket.socket]:
        """A new engine: its number and the way to it. Raises OSError where there can be none."""
        with self._lock:
            ours, theirs = socket.socketpair()
            for end in (ours, theirs):
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            self._number += 1
            try:
                with theirs:
                    self._order(wire.FORK, self._number, [theirs.fileno()])
            except OSError:
                ours.close()
                raise
            ours.setblocking(False)
            return self._number, ours

    def end(self, number: int, *, kill: bool) -> str:
        """How an engine ended, in words; with `kill` it is ended where it has not yet."""
        with self._lock:
            if number < self._first:
                return _ending(None)
            try:
                if kill and number not in self._codes:
                    self._send(wire.KILL, number, [])
                self._hear(number)
                if number not in self._codes:  # it has hung up, but lives
                    self._send(wire.KILL, number, [])
            except OSError:
                return self._why_not()
            return _ending(self._codes.pop(number, None))

    def kill(self, number: int) -> None:
        """Ends an engine without waiting for that."""
        with self._lock, suppress(OSError):
            if number not in self._codes:
                self._send(wire.KILL, number, [])

    def close(self) -> None:
        """Ends it and its engines; whoever starts one starts it again."""
        with self._lock:
            if self._finish is not None:
                self._finish()
            self._control = None

    def _order(self, order: int, number: int, descriptors: list[int]) -> None:
        try:
            self._send(order, number, descriptors)
        except OSError:  # never started, or gone
            self._begin()
            self._send(order, number, descriptors)

    def _send(self, order: int, number: int, descriptors: list[int]) -> None:
        if self._control is None:
            raise BrokenPipeError
        socket.send_fds(self._control, [wire.ORDER.pack(order, number)], descriptors)

    def _hear(self, number: int) -> None:
        """Takes what is told until it is told of that one; not for ever. Raises OSError where nobody tells any more."""
        until_s = time.monotonic() + _TOLD_S
        while number not in self._codes and self._control is not None:
            left_s = until_s - time.monotonic()
            poll = select.poll()
            poll.register(self._control, select.POLLIN)
            if left_s <= 0 or not poll.poll(left_s * 1000):
                return
            told = self._control.recv(64 * wire.ENDED.size)
            if not told:
                raise BrokenPipeError
            self._heard += told
            whole = len(self._heard) // wire.ENDED.size * wire.ENDED.size
            self._codes.update(wire.ENDED.iter_unpack(self._heard[:whole]))
            self._heard = self._heard[whole:]

    def _begin(self) -> None:
        if self._finish is not None:
            self._finish()
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-s", "-S", "-m", self._module],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,  # signals of the terminal are for the replay
                )
            except OSError:
                ours.close()
                raise
        self._control, self._heard, self._first = ours, b"", self._number
        self._finish = weakref.finalize(self, _end, self._process, ours)

    def _why_not(self) -> str:
        code = _end(self._process, self._control) if self._process is not None else None
        return "it cannot be loaded here" if code and code > 0 else _ending(code)


def _end(process: subprocess.Popen[bytes], control: socket.socket | None) -> int | None:
    """Its exit code, once there is nothing left of it."""
    if control is not None:
        control.close()  # which ends it, and it its engines
    try:
        return process.wait(_REAP_S)
    except subprocess.TimeoutExpired:
        process.kill()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(_REAP_S)
    return None


@cache
def engine_host() -> EngineHost:
    """The one of this process: what it costs to start is the library, which all engines share."""
    return EngineHost()


def _ending(code: int | None) -> str:
    if code is None:
        return "it is gone"
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _environment() -> dict[str, str]:
    """No more than an interpreter needs to find the same modules: nothing of it is for whoever takes the process over."""
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    return {name: os.environ[name] for name in _PASSED if name in os.environ} | {"PYTHONPATH": path, "LC_ALL": "C.UTF-8"}
