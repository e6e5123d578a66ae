"""The runs of a store: listing them, and finding the one that a user means."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cabtrace.errors import CabtraceError, NoSuchRunError
from cabtrace.model.outcome import Verdict
from cabtrace.model.run import RunHeader
from cabtrace.store import layout
from cabtrace.store.lock import is_locked
from cabtrace.store.reader import read_header

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A row of the run list. `header` is None where run.json cannot be read; then `error` says why."""

    path: Path
    header: RunHeader | None
    live: bool = False
    error: str = ""

    @property
    def aborted(self) -> bool:
        """Its recorder died before it closed the run."""
        return self.header is not None and self.header.status == "running" and not self.live

    @property
    def failed(self) -> bool:
        """It ended, and not with `passed`; an aborted run counts as failed."""
        return self.aborted or (self.header is not None and self.header.verdict not in (None, Verdict.PASSED))

    @property
    def started_at(self) -> str:
        """For sorting; runs that cannot be read come first."""
        return self.header.started_at if self.header else ""


def run_directories(store: Path) -> Iterator[Path]:
    """Every directory below `store` that holds a run.json; links are not followed."""
    for folder, subfolders, names in os.walk(store, followlinks=False):
        if layout.RUN in names:
            subfolders.clear()
            yield Path(folder)
        else:
            subfolders.sort()


def summarize(path: Path) -> RunSummary:
    """One row; never raises for what is wrong with the run."""
    try:
        header = read_header(path)
    except CabtraceError as error:
        return RunSummary(path, None, error=str(error))
    return RunSummary(path, header, live=header.status == "running" and is_locked(path))


def list_runs(store: Path) -> Sequence[RunSummary]:
    """All runs, oldest first."""
    return sorted((summarize(p) for p in run_directories(store)), key=lambda r: (r.started_at, str(r.path)))


def find_run(store: Path, name: str) -> Path:
    """The run that `name` means: a path, a cell id, a unique prefix of either id, `@last` or `@failed`.

    A cell id means its latest attempt. Raises NoSuchRunError.
    """
    path = _as_path(name)
    if path is not None:
        return path
    runs = list_runs(store)
    if not runs:
        raise NoSuchRunError(f"There is no run in {store}.", hint="`cabtrace demo` or `cabtrace run` makes one.")
    if name in ("@last", "@failed"):
        wanted = [r for r in runs if name == "@last" or r.failed]
        if not wanted:
            raise NoSuchRunError(f"No run in {store} failed.", hint="`cabtrace ls` lists them all.")
        return wanted[-1].path
    return _by_id(store, runs, name)


def _as_path(name: str) -> Path | None:
    try:
        if name and (Path(name) / layout.RUN).exists():
            return Path(name)
        if Path(name).name == layout.RUN and Path(name).exists():
            return Path(name).parent
    except OSError:  # too long for any file system
        pass
    return None


def _by_id(store: Path, runs: Sequence[RunSummary], name: str) -> Path:
    name = name.rstrip("/")
    exact = [r for r in runs if r.header and name in (r.header.cell_id, r.header.run_id, r.header.key)]
    if exact:
        return exact[-1].path
    matches = [
        r
        for r in runs
        if name
        and (
            str(r.path.relative_to(store)).startswith(name)
            or (r.header and (r.header.cell_id.startswith(name) or r.header.run_id.startswith(name)))
        )
    ]
    cells = {r.header.cell_id if r.header else str(r.path) for r in matches}
    if len(cells) == 1:
        return matches[-1].path
    if not matches:
        raise NoSuchRunError(f"No run is called {name!r} in {store}.", hint="`cabtrace ls` lists them.")
    shown = ", ".join(sorted(cells)[:_SHOWN]) + (", …" if len(cells) > _SHOWN else "")
    raise NoSuchRunError(f"{name!r} could mean {len(cells)} cells: {shown}.", hint="Type more of it.")
