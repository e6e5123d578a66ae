"""What a program uses, with the processes that it started."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path


def family(process: int) -> Iterator[int]:
    """It and what it started, those that still are."""
    found = [process]
    for member in found:
        yield member
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{member}/task").iterdir():
                found += map(int, (task / "children").read_text().split())


def cpu_s(process: int) -> float:
    """Processor time so far, of all threads, those that ended too."""
    total_s = 0.0
    for member in family(process):
        with contextlib.suppress(OSError):
            total_s += time.clock_gettime((~member << 3) | 2)  # the clock of that process, see clock_getcpuclockid(3)
    return total_s


def memory_mb(process: int) -> tuple[int, int]:
    """Resident now, and the most so far."""
    now_kb = most_kb = 0
    for member in family(process):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{member}/status").read_text().splitlines()
            found = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith(("VmRSS", "VmHWM"))}
            now_kb, most_kb = now_kb + found.get("VmRSS", 0), most_kb + found.get("VmHWM", 0)
    return now_kb // 1024, most_kb // 1024
