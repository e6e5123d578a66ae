"""Opening a run at a place of it, at once where that takes no longer than it takes to say so."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cabtrace.errors import NotARunError
from cabtrace.limits import MIB
from cabtrace.store import layout
from replay.loading import Progress
from replay.run import ReplayRun

if TYPE_CHECKING:
    from replay.places import Found, Place

_SOON_S: Final = 0.1
_LARGE_BYTES: Final = 8 * MIB


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """`found` is the place that was asked for."""

    run: ReplayRun
    found: Found | None


class _TakesLongError(Exception):
    """Somebody should see how far it is."""


def open_run(path: Path, place: Place | None, *, progress: Progress = lambda share: None) -> OpenedRun:
    """Reads a run; `progress` gets the share that is read, and ends it by what it raises.

    Raises NotARunError, SchemaTooNewError, or UsageError where it has no such place.
    """
    try:
        run = ReplayRun(path, progress=progress)
    except OSError as error:
        raise NotARunError(f"{path} cannot be read: {error.strerror or error}.") from error
    if place is None:
        return OpenedRun(run, None)
    from replay.places import resolve

    return OpenedRun(run, resolve(place, run.snapshot.timeline, run.snapshot.calls))


def open_soon(path: Path, place: Place | None) -> OpenedRun | None:
    """The same; None where it takes long. Raises as `open_run`."""
    if _is_to_be_indexed(path):
        return None
    began_s = time.monotonic()

    def report(_: float) -> None:
        if time.monotonic() - began_s > _SOON_S:
            raise _TakesLongError

    try:
        return open_run(path, place, progress=report)
    except _TakesLongError:
        return None


def _is_to_be_indexed(path: Path) -> bool:
    """Whether so much was recorded that it has an index, and that is not there or older."""
    try:
        looks = [found.stat() for name in (layout.TRACE, layout.TERMINAL) if (found := path / name).exists()]
        if sum(look.st_size for look in looks) < _LARGE_BYTES:
            return False
        index = path / layout.INDEX
        return not index.exists() or index.stat().st_mtime_ns < max(look.st_mtime_ns for look in looks)
    except OSError:
        return False  # the reader proper says what is wrong
