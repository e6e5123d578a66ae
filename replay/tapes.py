"""A run's terminal recording, made ready to be shown at any instant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cabtrace.store.cast_index import save_columns
from cabtrace.store.cast_log import CastLog
from replay.engine import engine_version, make_engine, new_engine
from replay.memory import give_back_memory
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
        give_back_memory()


def make_tape(run_dir: Path, log: CastLog, start_ns: int) -> tuple[TerminalTape, str]:
    """The tape, as far as the index knows it; a sentence where it cannot be shown as it was. `start_ns`: offset of second 0."""
    columns, rows = (log.header.columns, log.header.rows) if log.header else (80, 24)
    if not len(log):  # no engine for what may stay empty
        made_by = engine_version()
        return TerminalTape(log, new_engine, start_ns=start_ns, columns=columns, rows=rows, made_by=made_by), ""
    engine, note = make_engine(columns, rows)
    made_by = "" if note else engine_version()
    tape = TerminalTape(log, type(engine), start_ns=start_ns, columns=columns, rows=rows, engine=engine, made_by=made_by)
    load_tape(run_dir, tape)
    return tape, note


def keep_tape(run_dir: Path, log: CastLog, tape: TerminalTape) -> bool:
    """Puts what was found in a long recording, to which nothing is added any more, into the run's index."""
    return save_columns(log) and save_tape(run_dir, tape)
