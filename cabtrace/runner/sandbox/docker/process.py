"""A command of a container, read through the engine's raw stream of its terminal."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from cabtrace.errors import SandboxError
from cabtrace.model import semconv as sc

_READ_BYTES: Final = 65_536
_KILL_WAIT_S: Final = 15.0


class DockerProcess:
    """Implements `cabtrace.protocols.Process`.

    Args:
        stream: What docker-py's `attach_socket` returned, attached before the start.
        wait: Blocks until the container has stopped; (exit code, whether it ran out of memory).
        signal: Sends a signal by name to the container's first process; quiet where it has ended.
        attributes: For the container span.
    """

    def __init__(
        self,
        stream: Any,
        wait: Callable[[], tuple[int, bool]],
        signal: Callable[[str], None],
        attributes: Mapping[str, str | int | Sequence[str]],
    ) -> None:
        self.attributes: dict[str, str | int | Sequence[str]] = dict(attributes)
        self._stream, self._signal = stream, signal
        self._source = _Descriptor(stream)
        self._ended = threading.Event()
        self._code: int | None = None
        self._failure: SandboxError | None = None
        self._waiter = threading.Thread(target=self._wait, args=(wait,), name="cabtrace-container", daemon=True)
        self._waiter.start()

    def fileno(self) -> int:
        """A descriptor that becomes readable."""
        return self._source.descriptor

    def read(self) -> bytes:
        """What is there now; b"" at the end. Raises BlockingIOError where nothing is."""
        return self._source.read()

    def poll(self) -> int | None:
        """The exit code once it ended. Raises SandboxError where the engine no longer says."""
        if not self._ended.is_set():
            return None
        if self._failure is not None:
            raise self._failure
        return self._code

    def terminate(self) -> None:
        """SIGTERM to the command's process group, through the container's init."""
        if not self._ended.is_set():
            self._signal("SIGTERM")

    def kill(self) -> None:
        """Ends the container: the kernel takes every process of its pid namespace along. Returns when it has stopped."""
        if not self._ended.is_set():
            self._signal("SIGKILL")
            self._ended.wait(_KILL_WAIT_S)

    def close(self) -> None:
        """Releases the stream."""
        self._source.close()

    def _wait(self, wait: Callable[[], tuple[int, bool]]) -> None:
        try:
            self._code, out_of_memory = wait()
            if out_of_memory:
                self.attributes[sc.CONTAINER_OOM_KILLED] = 1
        except SandboxError as error:
            self._failure = error
        finally:
            self._ended.set()


class _Descriptor:
    """One readable descriptor for every transport: the socket itself, or a pipe that a thread fills (TLS, SSH)."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        plain = getattr(stream, "_sock", stream)
        self._socket: socket.socket | None = None
        if isinstance(plain, socket.socket) and not isinstance(plain, ssl.SSLSocket):
            plain.setblocking(False)
            self._socket, self.descriptor = plain, plain.fileno()
        else:
            plain.settimeout(None)
            self.descriptor, write_end = os.pipe()
            os.set_blocking(self.descriptor, False)
            threading.Thread(target=_relay, args=(plain, write_end), name="cabtrace-relay", daemon=True).start()

    def read(self) -> bytes:
        try:
            if self._socket is not None:
                return self._socket.recv(_READ_BYTES)
            return os.read(self.descriptor, _READ_BYTES)
        except (ConnectionError, ssl.SSLError):
            return b""

    def close(self) -> None:
        if self.descriptor < 0:
            return
        if self._socket is None:
            with contextlib.suppress(OSError):
                os.close(self.descriptor)
        # The HTTP answer first: it would complain about a connection that was closed under it.
        for part in (getattr(self._stream, "_response", None), self._stream, self._socket):
            with contextlib.suppress(OSError, ValueError):
                if part is not None:
                    part.close()
        self.descriptor = -1


def _relay(source: Any, write_end: int) -> None:
    try:
        while data := source.recv(_READ_BYTES):
            view = memoryview(data)
            while view:
                view = view[os.write(write_end, view) :]
    except (OSError, EOFError):
        pass  # the connection ended, or the reader is gone: both are the end of output
    finally:
        os.close(write_end)
