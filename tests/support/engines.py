"""The processes of terminal engines, for tests that end them."""

from __future__ import annotations

import time
from collections.abc import Iterable

import psutil

from replay.engine_host import EngineHost

_GONE_S = 60.0  # long, as it says only that something never happens


def engines(host: EngineHost) -> list[psutil.Process]:
    """Those that run, oldest first."""
    return sorted(psutil.Process(host.pid).children(), key=lambda process: process.pid) if host.pid else []


def all_gone(processes: Iterable[psutil.Process]) -> bool:
    """Whether none of them is left, not even as a zombie; waits for that."""
    until_s = time.monotonic() + _GONE_S
    left = list(processes)
    while left and time.monotonic() < until_s:
        left = [process for process in left if process.is_running()]
        time.sleep(0.02)
    return not left
