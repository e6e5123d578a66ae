"""Removes a folder that an untrusted agent filled: links are never followed, depth and modes do not matter."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path
from typing import Final

_MAX_DEPTH: Final = 48
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> bool:
    """Removes `path` (a folder, or a link, which goes itself); whether it is gone afterwards.

    Other file systems mounted below are left alone, and then the folders that hold them stay.
    """
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove(parent, path.name)
    finally:
        os.close(parent)
    return not os.path.lexists(path)


def _remove(parent: int, name: str) -> None:
    try:
        found = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=parent)
        return
    top = _open(parent, name)
    if top is None:
        return
    try:
        # What lies too deep is moved up to the top, so that each round goes down a bounded way.
        while _empty(top, top, found.st_dev, 0):
            pass
    finally:
        os.close(top)
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=parent)


def _empty(folder: int, top: int, device: int, depth: int) -> int:
    """Removes what is in a folder; how many folders were too deep and are now at the top."""
    moved = 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(name, dir_fd=folder)
                continue
            if found.st_dev != device:
                continue
            if depth >= _MAX_DEPTH:
                os.rename(name, f".cabtrace-deep-{found.st_ino}", src_dir_fd=folder, dst_dir_fd=top)
                moved += 1
                continue
            inner = _open(folder, name)
            if inner is None:
                continue
            try:
                moved += _empty(inner, top, device, depth + 1)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=folder)
    return moved


def _open(parent: int, name: str) -> int | None:
    """A descriptor of a folder, made readable and writable for us first if need be."""
    with contextlib.suppress(OSError):
        descriptor = os.open(name, _FOLDER, dir_fd=parent)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, 0o700)
        return descriptor
    with contextlib.suppress(OSError, NotImplementedError):
        if sys.platform == "linux":
            handle = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
            try:
                # chmod of a name would follow a link; the descriptor is of the folder itself.
                os.chmod(f"/proc/self/fd/{handle}", 0o700)  # noqa: PTH101 - as above
            finally:
                os.close(handle)
        else:
            os.chmod(name, 0o700, dir_fd=parent, follow_symlinks=False)
        return os.open(name, _FOLDER, dir_fd=parent)
    return None
