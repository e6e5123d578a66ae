"""A lock file that says whether the recorder of a run is alive; the kernel lets go of it when the process dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from cabtrace.store.files import FILE_MODE
from cabtrace.store.layout import LOCK


class RunLock:
    """Held for as long as the run is recorded."""

    def __init__(self, run_dir: Path) -> None:
        """Takes the lock. Raises OSError (EWOULDBLOCK where another process records into this run)."""
        self._path = run_dir / LOCK
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._fd)
            raise

    def release(self) -> None:
        """Lets go and removes the file; safe to call twice."""
        if self._fd < 0:
            return
        with contextlib.suppress(OSError):
            self._path.unlink()
        os.close(self._fd)
        self._fd = -1


def is_locked(run_dir: Path) -> bool:
    """Whether some process is recording into this run now. Reads only."""
    try:
        fd = os.open(run_dir / LOCK, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    else:
        return False
    finally:
        os.close(fd)
