"""The process of a terminal engine as the replay holds it: frames to it and from it, never waiting longer than it is told to."""

from __future__ import annotations

import select
import threading
import time
import weakref
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from replay import engine_wire as wire
from replay.engine_answers import CLOSED, EngineBusyError, EngineEndedError

if TYPE_CHECKING:
    from socket import socket

    from replay.engine_host import EngineHost

SILENT_S: Final = 20.0  # without a byte in either direction while an answer is due
_TOGETHER_BYTES: Final = 16 * 1024  # less than that waits for more, or for a question
_AHEAD_BYTES: Final = 8 * 1024 * 1024  # that wait to be taken by the process
_READ_BYTES: Final = 64 * 1024
_SLICE_S: Final = 1.0


class EngineProcess:
    """One process. For one thread at a time; only `close` may be called meanwhile. Raises OSError where none can be started."""

    def __init__(self, host: EngineHost, *, silent_s: float) -> None:
        self._silent_s, self._host = silent_s, host
        self._number, self._socket = self._host.start()
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)
        self._lock = threading.Lock()
        self._out: deque[memoryview] = deque()
        self._ahead_bytes = 0
        self._in = bytearray()
        self._piece = memoryview(bytearray(_READ_BYTES))
        self._quiet_s = 0.0
        self._looked_s = time.monotonic()
        self._closing = False
        self.ended = ""
        self._finish = weakref.finalize(self, _drop, self._host, self._number, self._socket)

    def send(self, kind: int, payload: bytes = b"") -> None:
        """Sends a message, at the latest when an answer is waited for. Does not raise: who asks next hears of an end."""
        with self._lock:
            if self.ended:
                return
            if not self._out:
                self._heard()
            message = memoryview(wire.frame(kind, payload))
            self._out.append(message)
            self._ahead_bytes += len(message)
            if self._ahead_bytes < _TOGETHER_BYTES:
                return
            with suppress(EngineEndedError):
                self._write()
                while self._ahead_bytes > _AHEAD_BYTES:
                    self._turn(None)

    def receive(self, kind: int, until_s: float | None = None) -> bytes:
        """The next answer, which must be of that kind. `until_s`: by `time.monotonic`.

        Raises:
            EngineEndedError: It ended, did not answer, or answered what is none.
            EngineBusyError: It is later than `until_s`.
        """
        with self._lock:
            while True:
                if self.ended:
                    raise EngineEndedError(self.ended)
                if self._out:
                    self._write()
                if (payload := self._answer(kind)) is not None:
                    self._heard()
                    return payload
                self._turn(until_s)

    def check(self) -> None:
        """Raises EngineEndedError where it is known to be gone, without a word to it."""
        with self._lock:
            if self.ended:
                raise EngineEndedError(self.ended)
            self._poll.modify(self._socket, select.POLLIN)
            if self._poll.poll(0):
                self._read()

    def fail(self, reason: str) -> EngineEndedError:
        """Ends it for what it said."""
        with self._lock:
            return self._over(reason)

    def close(self) -> None:
        """Ends it; who waits for an answer in another thread hears of that at once."""
        self._closing = True
        if self._lock.acquire(blocking=False):
            try:
                self._over(CLOSED)
            finally:
                self._lock.release()
        else:
            self._host.kill(self._number)

    def _answer(self, kind: int) -> bytes | None:
        if len(self._in) < wire.HEADER.size:
            return None
        found, length = wire.HEADER.unpack_from(self._in)
        if found != kind or length > wire.LONGEST[kind]:
            raise self._over("an answer that is none")
        end = wire.HEADER.size + length
        if len(self._in) < end:
            return None
        payload = bytes(self._in[wire.HEADER.size : end])
        del self._in[:end]
        return payload

    def _heard(self) -> None:
        self._quiet_s, self._looked_s = 0.0, time.monotonic()

    def _turn(self, until_s: float | None) -> None:
        """Waits until some bytes went one way or the other; a while at most."""
        now_s = time.monotonic()
        wait_s = _SLICE_S if until_s is None else min(max(until_s - now_s, 0.0), _SLICE_S)
        self._poll.modify(self._socket, select.POLLIN | (select.POLLOUT if self._out else 0))
        ready = self._poll.poll(min(wait_s, self._silent_s) * 1000)
        went = False
        if ready and ready[0][1] & ~select.POLLOUT:
            went = self._read()
        if ready and self._out:
            went = self._write() or went
        if went:
            self._heard()
            return
        now_s = time.monotonic()
        # a replay that was stopped itself has waited for no one meanwhile
        self._quiet_s += min(now_s - self._looked_s, _SLICE_S)
        self._looked_s = now_s
        if self._quiet_s >= self._silent_s:
            raise self._over(f"no answer for {self._silent_s:g} s")
        if until_s is not None and now_s >= until_s:
            raise EngineBusyError

    def _read(self) -> bool:
        try:
            count = self._socket.recv_into(self._piece)
        except BlockingIOError:
            return False
        except OSError:
            count = 0
        if not count:
            raise self._over("")
        self._in += self._piece[:count]
        return True

    def _write(self) -> bool:
        went = False
        try:
            while self._out:
                count = self._socket.send(self._out[0])
                went = True
                self._ahead_bytes -= count
                if count < len(self._out[0]):
                    self._out[0] = self._out[0][count:]
                else:
                    self._out.popleft()
        except BlockingIOError:
            return went
        except OSError:  # answers that it gave before it ended are of no use: what was sent since is lost
            raise self._over("") from None
        return went

    def _over(self, reason: str) -> EngineEndedError:
        """It is at its end; the first reason counts, "" being that of the process itself."""
        if not self.ended:
            self._finish.detach()
            self._socket.close()
            ending = self._host.end(self._number, kill=bool(reason))
            self.ended = CLOSED if self._closing else reason or ending
            self._out.clear()
            self._in.clear()
            self._ahead_bytes = 0
        return EngineEndedError(self.ended)


def _drop(host: EngineHost, number: int, way: socket) -> None:
    way.close()
    host.kill(number)
