"""Processes that carry a run's mark in their environment, whoever their parent is by now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cabtrace.runner.sandbox.owner import OWNER_VARIABLE, RUN_VARIABLE, Owner, parse_owner

if TYPE_CHECKING:
    import psutil

_ROUNDS: Final = 20
_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class MarkedProcess:
    """A process with a mark. `handle` knows its start time, so that a signal never reaches a reused pid."""

    pid: int
    name: str
    run_id: str
    owner: Owner | None
    handle: psutil.Process


def marked_processes(run_id: str | None = None) -> Iterator[MarkedProcess]:
    """Processes of this user that carry the mark of `run_id`, or of any run; never this process or one above it."""
    import psutil

    above = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if process.pid in above:
                continue
            environment = process.environ()
            found = environment.get(RUN_VARIABLE, "")
            if found and (run_id is None or found == run_id):
                owner = parse_owner(environment.get(OWNER_VARIABLE, ""))
                yield MarkedProcess(process.pid, process.name(), found, owner, process)
        except (psutil.Error, OSError):  # gone meanwhile, or someone else's
            continue


def kill_marked(run_id: str) -> int:
    """Kills what carries the mark of `run_id` until a look finds nothing; the number of processes killed."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        found = list(marked_processes(run_id))
        if not found:
            break
        for process in found:
            kill(process)
            killed.add(process.pid)
        time.sleep(_PAUSE_S)
    return len(killed)


def kill(process: MarkedProcess) -> None:
    """SIGKILL, unless it is gone or not ours."""
    import psutil

    with contextlib.suppress(psutil.Error):
        process.handle.kill()
