"""An append-only file of lines, one `write` a record, that repairs its own torn tail."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

from cabtrace.store.files import Files

_BLOCK_BYTES = 64 * 1024


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
            if self._torn:
                record = self._heal() + record
            try:
                written = self._files.write(self._fd, record)
            except OSError:
                self._torn = os.fstat(self._fd).st_size != self._good_bytes
                raise
            if written != len(record):
                self._torn = True
                self._heal()
                raise OSError(errno.ENOSPC, "short write")
            self._good_bytes += written
            if durable:
                self._files.fdatasync(self._fd)

    def _heal(self) -> bytes:
        try:
            self._files.truncate(self._fd, self._good_bytes)
        except OSError:
            self._torn = False
            self._good_bytes = os.fstat(self._fd).st_size
            return b"\n"  # the torn piece becomes a line of its own, which the reader counts and skips
        self._torn = False
        return b""

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
