"""A run that is never read to its end, as on a disk that has gone away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.worker import get_current_worker

from cabtrace.errors import StoreError
from replay.run import ReplayRun

SHARE = 0.42


def never_ending(self: ReplayRun, path: Path, progress: Callable[[float], None] | None = None, **more: Any) -> None:
    """As on a disk that does not come to an end with a run."""
    worker = get_current_worker()
    while not worker.is_cancelled:
        if progress is not None:
            progress(SHARE)
        time.sleep(0.02)
    raise StoreError("nobody waits for it any more")
