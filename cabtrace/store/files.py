"""The few system calls that the writer makes, in one injectable place, so that their failures can be tested."""

from __future__ import annotations

import os
import re
from pathlib import Path

DIRECTORY_MODE = 0o700
FILE_MODE = 0o600


class Files:
    """Thin names over `os`; a test passes a subclass that fails the Nth call."""

    def open(self, path: Path, flags: int) -> int:
        """A descriptor; never through a symbolic link, never inherited by a child."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)

    def write(self, fd: int, data: bytes) -> int:
        """One `write`; may be short."""
        return os.write(fd, data)

    def fdatasync(self, fd: int) -> None:
        """Data on the medium (fsync where the platform has no fdatasync)."""
        getattr(os, "fdatasync", os.fsync)(fd)

    def fsync(self, fd: int) -> None:
        """Data and metadata on the medium."""
        os.fsync(fd)

    def truncate(self, fd: int, size: int) -> None:
        """Cuts a file."""
        os.ftruncate(fd, size)

    def replace(self, source: Path, target: Path) -> None:
        """Atomic rename over `target`."""
        source.replace(target)


def write_all(files: Files, fd: int, data: bytes) -> None:
    """Writes everything or raises OSError."""
    view = memoryview(data)
    while view:
        view = view[files.write(fd, bytes(view)) :]


def replace_file(files: Files, path: Path, data: bytes) -> None:
    """Atomic and durable: temp file, fsync, rename, fsync of the directory. Raises OSError; then `path` is as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    fd = files.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        try:
            write_all(files, fd, data)
            files.fsync(fd)
        finally:
            os.close(fd)
        files.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(files, path.parent)


def remove_temporaries(folder: Path) -> None:
    """Removes what a killed `replace_file` left below a folder. Raises OSError."""
    for parent, _, names in os.walk(folder, followlinks=False):
        for name in names:
            if re.fullmatch(r"\..+\.[0-9]+\.tmp", name):
                Path(parent, name).unlink(missing_ok=True)


def sync_directory(files: Files, path: Path) -> None:
    """Makes names in a directory durable; file systems that cannot are left alone."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        files.fsync(fd)
    except OSError:
        return
    finally:
        os.close(fd)
