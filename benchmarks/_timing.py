"""What several benchmarks need."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def wall_ms(argv: Sequence[str], runs: int = 9) -> float:
    """Median wall time of a program, milliseconds, after one warm-up."""
    times = []
    for number in range(runs + 1):
        begin = time.perf_counter()
        subprocess.run(argv, check=True, capture_output=True)
        if number:
            times.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(times)


def row(what: str, value: str, goal: str = "") -> None:
    print(f"{what:<58} {value:>16}   {goal}", flush=True)


PYTHON = sys.executable
