"""An append-only file of lines, one `write` a record, that repairs its own torn tail."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from cabtrace.store.files import Files, sync_directory, write_all

_BLOCK_BYTES = 64 * 1024
_FENCE = b"!\n"  # also of a piece that only its newline is missing of, no reader must take for a record what was reported lost


def end_of_last_line(fd: int) -> int:
    """Offset just after the last newline of a file, 0 if it has none."""
    position = os.fstat(fd).st_size
    while position > 0:
        start = max(0, position - _BLOCK_BYTES)
        newline = os.pread(fd, position - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0


class AppendLog:
    """Appends records that end in a newline. A record is whole or, after a crash, the torn last line of the file."""

    def __init__(self, path: Path, files: Files) -> None:
        """Opens or creates; `cut_bytes` says how long a torn tail was that had to be cut. Raises OSError."""
        self._files = files
        self._path = path
        self._lock = threading.Lock()
        self._fd = files.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        size = os.fstat(self._fd).st_size
        self._good_bytes = end_of_last_line(self._fd)
        self.cut_bytes = size - self._good_bytes
        if self.cut_bytes:
            files.truncate(self._fd, self._good_bytes)
        self._torn = False

    @property
    def size_bytes(self) -> int:
        """Bytes of whole records."""
        return self._good_bytes

    def append(self, record: bytes, *, durable: bool = False) -> None:
        """Writes one record. Raises OSError; what was written of it is taken back, or fenced off by a newline."""
        with self._lock:
            if self._fd < 0:
                raise OSError(errno.EBADF, "closed")
            fence = _FENCE if self._torn and not self._cut_tail() else b""
            start = os.fstat(self._fd).st_size if fence else self._good_bytes
            try:
                written = self._files.write(self._fd, fence + record)
            except OSError:
                self._torn = os.fstat(self._fd).st_size != self._good_bytes
                raise
            if written != len(fence) + len(record):
                self._torn = os.fstat(self._fd).st_size != self._good_bytes
                self._cut_tail()
                raise OSError(errno.ENOSPC, "short write")
            self._torn = False
            self._good_bytes = start + written
            if durable:
                self._files.fdatasync(self._fd)

    def _cut_tail(self) -> bool:
        """Takes a torn piece back. Where that cannot be done, a fence must make it a line of its own, which readers skip."""
        try:
            self._files.truncate(self._fd, self._good_bytes)
        except OSError:
            return False
        self._torn = False
        return True

    def rewrite(self, change: Callable[[Path], Iterable[bytes] | None]) -> bool:
        """Replaces the file by what `change` makes of it; False where that is None. Appends wait meanwhile and go to the new one.

        Atomic and durable. Raises OSError, or what `change` raises; then the file is as it was.
        """
        with self._lock:
            if self._fd < 0:
                raise OSError(errno.EBADF, "closed")
            records = change(self._path)
            if records is None:
                return False
            temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
            # opened for appending: after the rename it is the log's own descriptor, so there is no moment without one
            fd = self._files.open(temporary, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC)
            try:
                size = 0
                for record in records:
                    write_all(self._files, fd, record)
                    size += len(record)
                self._files.fsync(fd)
                self._files.replace(temporary, self._path)
            except BaseException:
                os.close(fd)
                temporary.unlink(missing_ok=True)
                raise
            os.close(self._fd)
            self._fd, self._good_bytes, self._torn = fd, size, False
            sync_directory(self._files, self._path.parent)
            return True

    def sync(self) -> None:
        """Everything so far on the medium. Raises OSError."""
        with self._lock:
            if self._fd >= 0:
                self._files.fdatasync(self._fd)

    def close(self) -> None:
        """Closes the descriptor, without a sync; appends after this raise OSError."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
