"""A run's terminal recording, made ready to be shown at any instant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.protocols import ScreenEngine
from cabtrace.store.cast_index import save_columns
from cabtrace.store.cast_log import CastLog
from replay.engine import engine_version, make_engine
from replay.screen import TerminalTape
from replay.tape_index import load_tape, save_tape

if TYPE_CHECKING:
    from replay.run import ReplayRun


def index_tape(run: ReplayRun, tape: TerminalTape) -> Iterator[float]:
    """Goes through what was not gone through yet, and says how far it is, 0 to 1. What was found in a long recording is kept."""
    fresh = tape.covered < len(tape)
    if fresh:
        run.keep_recording()  # who leaves before the end need not wait for this part again
    while not tape.index():
        yield tape.share
    if fresh:
        run.keep_tape()


def make_tape(run_dir: Path, log: CastLog, start_ns: int) -> tuple[TerminalTape, str]:
    """The tape, as far as the index knows it; a sentence where it cannot be shown as it was. `start_ns`: offset of second 0."""
    columns, rows = (log.header.columns, log.header.rows) if log.header else (80, 24)
    tape = TerminalTape(log, _engine, start_ns=start_ns, columns=columns, rows=rows)
    if not len(log):
        return tape, ""
    engine, note = make_engine(columns, rows)
    load_tape(run_dir, tape, engine_version(engine))
    return tape, note


def keep_tape(run_dir: Path, log: CastLog, tape: TerminalTape) -> bool:
    """Puts what was found in a long recording, to which nothing is added any more, into the run's index."""
    return save_columns(log) and save_tape(run_dir, tape, engine_version(_engine(1, 1)))


def _engine(columns: int, rows: int) -> ScreenEngine:
    return make_engine(columns, rows)[0]
