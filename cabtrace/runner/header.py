"""run.json as it is when a cell begins."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from cabtrace import __version__
from cabtrace.model.decode import decode
from cabtrace.model.run import AgentInfo, RunHeader, SandboxInfo, TaskInfo
from cabtrace.store.clock import iso_utc

if TYPE_CHECKING:
    from cabtrace.model.ids import CellId
    from cabtrace.protocols import SandboxFacts
    from cabtrace.redact import Redactor
    from cabtrace.runner.spec import CellSpec
    from cabtrace.store.clock import RunClock


def first_header(
    spec: CellSpec, facts: SandboxFacts, cell: CellId, attempt: int, run_id: str, clock: RunClock, redactor: Redactor
) -> RunHeader:
    """Identity and circumstances, secrets removed; nothing of the outcome yet."""
    return RunHeader(
        cabtrace_version=__version__,
        run_id=run_id,
        cell_id=str(cell),
        sweep_id=cell.sweep,
        attempt=attempt,
        task=decode(TaskInfo, redactor.value(asdict(spec.task.to_info()))),
        agent=AgentInfo(name=spec.agent.name),
        model=cell.model,
        endpoint=redactor.text(spec.endpoint),
        sandbox=SandboxInfo(
            kind="docker" if spec.sandbox == "docker" else "local",
            image=facts.image,
            image_digest=facts.image_digest,
            isolated=facts.isolated,
            left_open=facts.left_open,
        ),
        started_at=iso_utc(clock.wall_ns),
        timeout_s=spec.time_limit_s,
        clock=clock.to_model(),
        provisional=spec.provisional,
        rerun_of=spec.rerun_of,
        warnings=tuple(redactor.text(w) for w in spec.task.unsupported),
    )
