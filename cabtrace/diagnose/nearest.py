"""Which passing run to hold a failing one against: of the same task, and as like it as there is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cabtrace.model.outcome import Verdict
from cabtrace.model.run import RunHeader


def nearest_passing(header: RunHeader, others: Iterable[tuple[Path, RunHeader]]) -> Path | None:
    """Same task; of these the same agent before another, then the same files of the task, the same model, the closest in time."""
    passing = [
        (path, other)
        for path, other in others
        if other.verdict is Verdict.PASSED and other.task.id == header.task.id and other.run_id != header.run_id
    ]

    def likeness(item: tuple[Path, RunHeader]) -> tuple[bool, bool, bool, int]:
        other = item[1]
        return (
            other.agent.name == header.agent.name,
            other.task.digest == header.task.digest,
            other.model == header.model,
            -abs(other.clock.wall_ns - header.clock.wall_ns),
        )

    return max(passing, key=likeness)[0] if passing else None
