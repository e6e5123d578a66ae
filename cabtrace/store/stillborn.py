"""Attempts whose recorder was killed before their first run.json: they hold nothing, and `cabtrace gc` removes them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cabtrace.store import layout
from cabtrace.store.lock import RunLock, is_locked
from cabtrace.store.writer import discard_attempt

_EMPTY_AGE_S: Final = 60.0  # a recorder that is just starting has made its folder and not yet locked it


def find_stillborn(store: Path) -> Iterator[Path]:
    """Folders of attempts without any record, that nobody is about to write."""
    for folder, subfolders, names in os.walk(store, followlinks=False):
        path = Path(folder)
        if layout.RUN in names:
            subfolders.clear()
        elif path.name.isdigit() and not subfolders and all(map(_holds_nothing, names)) and _abandoned(path, names):
            yield path


def remove_stillborn(store: Path, path: Path) -> bool:
    """Removes one; False when a recorder turned up after all, or it cannot be removed."""
    try:
        lock = RunLock(path)
    except OSError:
        return False
    try:
        if (path / layout.RUN).exists():
            return False
        discard_attempt(store, path)
    finally:
        lock.release()
    return not path.exists()


def _holds_nothing(name: str) -> bool:
    return name in (layout.LOCK, layout.RESERVE) or (name.startswith(f".{layout.RUN}.") and name.endswith(".tmp"))


def _abandoned(path: Path, names: list[str]) -> bool:
    if layout.LOCK in names:
        return not is_locked(path)
    return time.time() - path.stat().st_mtime > _EMPTY_AGE_S
