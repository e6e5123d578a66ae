"""Attributes of the harness' own spans: pure functions of what is known when they start or end."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cabtrace.model import semconv as sc
from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.model.run import AgentInfo, RunHeader

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from cabtrace.agents.plugins import Applied
    from cabtrace.model.ids import CellId
    from cabtrace.protocols import SandboxFacts
    from cabtrace.runner.pty import Ending
    from cabtrace.runner.spec import CellSpec


def run_identity(header: RunHeader) -> dict[str, str]:
    """The resource of every span of a run; agents get it too, and so do their own spans."""
    marks = {sc.PROVISIONAL: PROVISIONAL_NOTE} if header.provisional else {}
    return {sc.RUN_ID: header.run_id, sc.CELL_ID: header.cell_id, **marks}


def cell_attributes(spec: CellSpec, cell: CellId, attempt: int) -> dict[str, Any]:
    """Identity, on the root span."""
    return {
        sc.CELL_ID: str(cell),
        sc.SWEEP: cell.sweep,
        sc.ATTEMPT: attempt,
        sc.TASK: cell.task,
        sc.TEST_SUITE_NAME: cell.sweep,
        sc.TEST_CASE_NAME: cell.task,
        sc.GEN_AI_AGENT: cell.agent,
        sc.GEN_AI_REQUEST_MODEL: cell.model,
        sc.TASK_CATEGORY: spec.task.category,
        sc.OPENINFERENCE_KIND: "CHAIN",
        **({sc.PROVISIONAL: PROVISIONAL_NOTE} if spec.provisional else {}),
    }


def agent_info(spec: CellSpec, applied: Applied, argv: tuple[str, ...]) -> AgentInfo:
    """What run.json says of the agent before it runs; `argv` without secrets."""
    return AgentInfo(
        name=spec.agent.name,
        argv=argv,
        env_keys=tuple(sorted(applied.launch.env)),
        plugins=applied.applied,
        behavior_mode=applied.behavior_mode,
    )


def plugin_attributes(spec: CellSpec, applied: Applied, extra_args: tuple[str, ...]) -> dict[str, Any]:
    """The seed page's `applied_plugins`: names of environment keys, never their values; `extra_args` without secrets."""
    return {
        sc.TUI: spec.agent.name,
        sc.PLUGINS_COUNT: len(spec.plugins),
        sc.PLUGINS_APPLIED: list(applied.applied),
        sc.PLUGINS_SKIPPED: [f"{name}: {reason}" for name, reason in applied.skipped],
        sc.ENV_KEYS: sorted(applied.launch.env),
        sc.EXTRA_ARGS: list(extra_args),
        sc.PLUGINS_APPLIED_COUNT: len(applied.applied),
        sc.PLUGINS_SKIPPED_COUNT: len(applied.skipped),
    }


def container_attributes(spec: CellSpec, facts: SandboxFacts, argv: tuple[str, ...]) -> dict[str, Any]:
    """What the agent runs in."""
    attributes: dict[str, Any] = {
        sc.SANDBOX: spec.sandbox,
        sc.TIMEOUT_S: spec.time_limit_s,
        sc.SANDBOX_OPEN: list(facts.left_open),
        sc.PROCESS_ARGS: list(argv),
        sc.PROCESS_EXECUTABLE: PurePath(argv[0]).name if argv else "",
        sc.OPENINFERENCE_KIND: "CHAIN",
        **facts.attributes,
    }
    if facts.image:
        attributes[sc.CONTAINER_IMAGE_NAME] = facts.image
    return attributes


def end_container(span: Span, ending: Ending, duration_s: float) -> dict[str, str]:
    """Sets how it ended; hands back the error to end the span with, if any."""
    span.set_attributes({sc.DURATION_S: duration_s, sc.TIMED_OUT: ending.timed_out})
    if ending.exit_code is not None:
        span.set_attributes({sc.EXIT_CODE: ending.exit_code, sc.PROCESS_EXIT_CODE: ending.exit_code})
    if ending.cancelled:
        return {"error": "cancelled", "message": "stopped before the agent was done"}
    if ending.timed_out:
        return {"error": "timeout", "message": "stopped at its time limit"}
    if ending.exit_code:
        return {"error": str(ending.exit_code), "message": f"the agent ended with exit code {ending.exit_code}"}
    return {}
