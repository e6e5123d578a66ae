"""Opening two runs beside each other: both are read, then their steps are aligned."""

from __future__ import annotations

from pathlib import Path

from cabtrace.diagnose.diff.compare import compare
from cabtrace.errors import CabtraceError, NotARunError, StoreError
from replay.cause import DiagnosedRun
from replay.compare_steps import Compared, pair_up
from replay.loading import Progress
from replay.opening import open_run
from replay.run import ReplayRun


def open_pair(
    left: Path, right: Path, *, progress: Progress = lambda share: None
) -> tuple[tuple[ReplayRun, ReplayRun], Compared]:
    """Two runs and what they have in common, as they are known now. `progress` gets the share that is read of both.

    Raises NotARunError, SchemaTooNewError, or StoreError where their records make no sense together.
    """
    runs = (
        open_run(left, None, progress=lambda share: progress(share / 2)).run,
        open_run(right, None, progress=lambda share: progress((1 + share) / 2)).run,
    )
    one, other = (DiagnosedRun(run, run.snapshot) for run in runs)
    try:
        return runs, pair_up(one, other, compare(one, other))
    except CabtraceError:
        raise
    except OSError as error:
        raise NotARunError(f"{left} or {right} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # records are hostile; whatever they break, the app must go on
        raise StoreError(f"These runs cannot be compared: {type(error).__name__}: {error}"[:500]) from error
