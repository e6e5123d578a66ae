"""A run recorded by the real writer and recorder, for tests of the store."""

from __future__ import annotations

from pathlib import Path

from cabtrace.model.ids import CellId, new_run_id
from cabtrace.model.run import AgentInfo, RunHeader, TaskInfo
from cabtrace.otel.recorder import Recorder
from cabtrace.redact import Redactor
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.files import Files
from cabtrace.store.writer import RunWriter, allocate_attempt

CELL = CellId("unit", "reference", "vendor/model", "polyglot/task")


def new_writer(store: Path, clock: RunClock, files: Files | None = None) -> RunWriter:
    path, attempt = allocate_attempt(store, CELL)
    header = RunHeader(
        run_id=new_run_id(),
        cell_id=str(CELL),
        sweep_id=CELL.sweep,
        attempt=attempt,
        task=TaskInfo(id=CELL.task),
        agent=AgentInfo(name=CELL.agent),
        model=CELL.model,
        started_at=iso_utc(clock.wall_ns),
        clock=clock.to_model(),
    )
    return RunWriter(path, header, files=files)


def new_recorder(store: Path, redactor: Redactor | None = None, files: Files | None = None) -> Recorder:
    clock = RunClock.start()
    return Recorder(new_writer(store, clock, files), redactor or Redactor(), clock, {})
