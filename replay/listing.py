"""Reading a store into the rows of its list, and why the failing runs failed. A large store takes long: told now and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cabtrace.errors import CabtraceError
from cabtrace.store.catalog import run_directories, summarize
from replay.runs import RunRow, in_order, run_row

if TYPE_CHECKING:
    from cabtrace.diagnose.triage import Failure

_TELL_S: Final = 0.2
_ROWS_AT_ONCE: Final = 8
_BREATH_S: Final = 0.001
_SORTING_S: Final = 5e-6  # a run; the longer the list, the more seldom it is told


@dataclass(frozen=True, slots=True)
class Listed:
    """What was read of a store, in order; `done`: all of it."""

    rows: Sequence[RunRow]
    done: bool


@dataclass(frozen=True, slots=True)
class Triaged:
    """What went wrong in the runs that were looked at, out of `total`; 0 when that were all."""

    failures: Mapping[Path, Failure]
    total: int


def read_store(store: Path, stop: Callable[[], bool] = lambda: False) -> Iterator[Listed]:
    """The runs of a store, more each time; ends early, without a last word, once `stop` says so."""
    rows: list[RunRow] = []
    tell_at_s = time.monotonic() + _TELL_S
    for path in run_directories(store):
        if stop():
            return
        rows.append(run_row(summarize(path)))
        if len(rows) % _ROWS_AT_ONCE == 0:
            time.sleep(_BREATH_S)  # keys first: a thread that never waits leaves the others little
        if time.monotonic() > tell_at_s:
            yield Listed(in_order(rows), done=False)
            tell_at_s = time.monotonic() + _TELL_S + len(rows) * _SORTING_S
    yield Listed(in_order(rows), done=True)


def triage(rows: Sequence[RunRow], known: Mapping[Path, Failure], stop: Callable[[], bool] = lambda: False) -> Iterator[Triaged]:
    """Diagnoses what failed, but for what is `known`; ends early as `read_store`. Runs that cannot be read are left out."""
    failing = [row.path for row in rows if row.failed and not row.error]
    found = {path: known[path] for path in failing if path in known}
    tell_at_s = time.monotonic() + _TELL_S
    for path in failing:
        if stop():
            return
        if path not in found and (failure := _failure(path)) is not None:
            found[path] = failure
        if time.monotonic() > tell_at_s:
            yield Triaged(dict(found), len(failing))
            tell_at_s = time.monotonic() + _TELL_S + len(found) * _SORTING_S
    yield Triaged(found, 0)


def _failure(path: Path) -> Failure | None:
    from cabtrace.diagnose.triage import failure_of
    from cabtrace.store.reader import RunView

    try:
        return failure_of(RunView(path))
    except (CabtraceError, OSError):
        return None
    except Exception:  # noqa: BLE001 - rules read hostile records; the group of those not read shows it
        return None
