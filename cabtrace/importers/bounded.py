"""A file that may be anything, read within bounds: plain or gzip, never more than a cap of what is in it."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cabtrace.importers.pieces import UnreadableError

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PEEK_BYTES = 64 * 1024
_BROKEN = (OSError, EOFError, zlib.error)


class BoundedReader:
    """Reads lines and blocks. Raises UnreadableError for broken gzip and for more than `most_bytes`."""

    def __init__(self, inner: io.BufferedIOBase, name: str, most_bytes: int) -> None:
        self._inner = io.BufferedReader(inner, _PEEK_BYTES)
        self.name = name
        self._most = most_bytes
        self._taken = 0

    def peek(self) -> bytes:
        """What comes next, without taking it."""
        try:
            return self._inner.peek(_PEEK_BYTES)
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def line(self, most_bytes: int) -> bytes:
        """One line with its newline, at most so long; b"" at the end."""
        try:
            data = self._inner.readline(most_bytes)
        except _BROKEN as error:
            raise self._unreadable(error) from error
        return self._count(data)

    def read(self, most_bytes: int) -> bytes:
        """So many bytes, or what is left."""
        try:
            data = self._inner.read(most_bytes)
        except _BROKEN as error:
            raise self._unreadable(error) from error
        return self._count(data)

    def _count(self, data: bytes) -> bytes:
        self._taken += len(data)
        if self._taken > self._most:
            raise UnreadableError(f"{self.name} holds more than {self._most:,} bytes.", hint="Split it, one trace a file.")
        return data

    def _unreadable(self, error: Exception) -> UnreadableError:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            return UnreadableError(f"{self.name} cannot be read: {error.strerror or error}.")
        return UnreadableError(f"{self.name} is broken gzip: {error}.")


@contextmanager
def opened(path: Path, name: str, most_bytes: int) -> Iterator[BoundedReader]:
    """The file's content, unpacked. Raises UnreadableError for what is no file, and for compression that is not known."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise UnreadableError(f"{name} cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise UnreadableError(f"{name} is not a regular file.", hint="Pipe it in and name it -.")
    with os.fdopen(fd, "rb") as handle:
        head = handle.peek(4)[:4]
        if head == _ZSTD:
            raise UnreadableError(f"{name} is compressed with zstd.", hint="Unpack it with `unzstd` first.")
        if head[:2] == _GZIP:
            with gzip.GzipFile(fileobj=handle) as unpacked:
                yield BoundedReader(unpacked, name, most_bytes)
        else:
            yield BoundedReader(handle, name, most_bytes)
