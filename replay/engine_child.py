"""The processes in which terminal engines run, so that no recording ends the replay: `python -m replay.engine_child`.

The first one loads the library, which takes a quarter of a second, and never sees a byte of a recording. For each engine it forks
one that does. It is the one that ends them, also where they hang, when it is asked to or when the replay is gone. None has an
environment or an inherited file; an engine's own writes no file, starts no process and holds nothing worth keeping.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
from contextlib import suppress
from typing import Final

from cabtrace.limits import MIB
from cabtrace.protocols import ScreenEngine
from replay import engine_wire as wire

_READ_BYTES: Final = 256 * 1024
_MEMORY_BYTES: Final = 1024 * MIB
_MOST: Final = (("RLIMIT_CORE", 0), ("RLIMIT_FSIZE", 0), ("RLIMIT_NPROC", 0), ("RLIMIT_AS", _MEMORY_BYTES))


class _Pipe:
    """Frames in, frames out; blocking."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._piece = memoryview(bytearray(_READ_BYTES))

    def read(self) -> tuple[int, bytes] | None:
        """The next frame; None at the end."""
        if not self._fill(wire.HEADER.size):
            return None
        kind, length = wire.HEADER.unpack_from(self._buffer)
        end = wire.HEADER.size + length
        if not self._fill(end):
            return None
        payload = bytes(self._buffer[wire.HEADER.size : end])
        del self._buffer[:end]
        return kind, payload

    def _fill(self, length: int) -> bool:
        while len(self._buffer) < length:
            count = os.readv(self._descriptor, (self._piece,))
            if not count:
                return False
            self._buffer += self._piece[:count]
        return True

    def write(self, kind: int, payload: bytes) -> None:
        """Sends an answer."""
        rest = memoryview(wire.frame(kind, payload))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


def serve(pipe: _Pipe) -> None:
    """Makes an engine and does what is asked of it until there is no more."""
    from replay.ghostty import GhosttyEngine

    message = pipe.read()
    if message is None:
        return
    engine: ScreenEngine = GhosttyEngine(*wire.SIZE.unpack(message[1]))
    pipe.write(wire.START, wire.STARTED)
    screens = wire.ScreenEncoder()
    while (message := pipe.read()) is not None:
        kind, payload = message
        if kind == wire.FEED:
            engine.feed(payload)
        elif kind == wire.RESIZE:
            engine.resize(*wire.SIZE.unpack(payload))
        elif kind == wire.RESTORE:
            engine.restore(payload)
        elif kind == wire.SCREEN:
            rows = engine.screen()
            pipe.write(kind, screens.encode(_state(engine), rows))
        elif kind == wire.TEXT:
            pipe.write(kind, engine.text().encode("utf-8", "replace"))
        elif kind == wire.STATE:
            pipe.write(kind, wire.encode_state(_state(engine)))
        elif kind == wire.SNAPSHOT:
            pipe.write(kind, engine.snapshot())


def _state(engine: ScreenEngine) -> wire.State:
    return wire.State(engine.columns, engine.rows, engine.cursor())


class _Nursery:
    """Forks engines, ends them, and tells how each one ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._numbers: dict[int, int] = {}  # by process id
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._woken, waking = socket.socketpair()
        for end in (self._woken, waking):
            end.setblocking(False)
        self._waking = waking
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        """Until the replay is gone."""
        poll = select.poll()
        for end in (self._control, self._woken):
            poll.register(end, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._woken.fileno() in ready:
                self._woken.recv(_READ_BYTES)
                self._reap()
            if self._control.fileno() not in ready:
                continue
            message, descriptors, _, _ = socket.recv_fds(self._control, wire.ORDER.size, 1)
            if len(message) < wire.ORDER.size:
                return
            order, number = wire.ORDER.unpack(message)
            if order == wire.FORK and descriptors:
                self._fork(number, descriptors[0])
            elif order == wire.KILL:
                self._kill([process for process, known in self._numbers.items() if known == number])

    def close(self) -> None:
        """Ends all of them."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self._kill(list(self._numbers))

    def _fork(self, number: int, descriptor: int) -> None:
        process = os.fork()
        if not process:
            code = 1
            try:
                signal.set_wakeup_fd(-1)
                for end in (self._control, self._woken, self._waking):
                    end.close()
                _limit()
                serve(_Pipe(descriptor))
                code = 0
            finally:
                os._exit(code)  # nothing of the first one's is finished twice
        self._numbers[process] = number
        os.close(descriptor)

    def _kill(self, processes: list[int]) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                number = self._numbers.pop(ended[0])
                self._control.sendall(wire.ENDED.pack(number, os.waitstatus_to_exitcode(ended[1])))


def _limit() -> None:
    """From here on: no written files, no processes, so much memory, no core dump of somebody's terminal."""
    for name, most in _MOST:
        with suppress(AttributeError, OSError, ValueError):  # not every system has each, or lets it be lowered
            resource.setrlimit(getattr(resource, name), (most, most))


def main() -> None:
    """Serves one replay; ends with it. The exit code is not 0 where there is no engine."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-c is for the replay
    from replay.ghostty import GhosttyEngine

    GhosttyEngine(1, 1)
    gc.collect()
    gc.freeze()  # what all of them share is not copied for the sake of the collector
    nursery = _Nursery(socket.socket(fileno=0))
    try:
        nursery.run()
    except ConnectionError:
        return
    finally:
        nursery.close()


if __name__ == "__main__":
    main()
