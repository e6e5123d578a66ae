"""What `check` and `run-cell` share: an agent, a model, somebody's own endpoint and key, one task; then one cell."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cabtrace.cli.options import json_option, store_option

if TYPE_CHECKING:
    from cabtrace.runner.spec import CellSpec

Function = TypeVar("Function", bound=Callable[..., Any])
_LONGEST_S = 30 * 24 * 3600.0
_ENDPOINT_VARIABLES = ("CAB_ENDPOINT", "CABTRACE_ENDPOINT", "OPENAI_BASE_URL")
_KEY_VARIABLES = ("CAB_KEY", "CABTRACE_API_KEY", "OPENAI_API_KEY")


def cell_options(function: Function) -> Function:
    """`--tui --model --task --endpoint --timeout --store --json`."""
    options = (
        click.option("--tui", "--agent", "agent", required=True, metavar="AGENT", help="Which agent."),
        click.option("--model", default="", metavar="ID", help="Model id, as the endpoint knows it."),
        click.option("--task", required=True, metavar="TASK", help="A task's folder, or the name of an example task."),
        click.option(
            "--endpoint",
            envvar=list(_ENDPOINT_VARIABLES),
            default="",
            metavar="URL",
            help=f"The model's base URL [env: {', '.join(_ENDPOINT_VARIABLES)}].",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True, max=_LONGEST_S),
            metavar="S",
            help="Seconds for the agent [default: the task's].",
        ),
        store_option,
        json_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def key_of_environment() -> str:
    """The endpoint's key: CAB_KEY, else CABTRACE_API_KEY, else OPENAI_API_KEY."""
    return next((value for name in _KEY_VARIABLES if (value := os.environ.get(name))), "")


def find_task(name: str) -> Path:
    """The folder that `name` is, else that of the example task of that name. Raises TaskError."""
    from cabtrace.errors import TaskError
    from cabtrace.examples import examples_folder

    if os.path.lexists(name):
        return Path(name)
    root = examples_folder() / "tasks"
    known = sorted(found.parent.relative_to(root).as_posix() for found in root.glob("*/*/task.toml"))
    if name in known:
        return root / name
    raise TaskError(
        f"{name!r} is neither a task's folder nor a task that cabtrace brings.", hint=f"It brings: {', '.join(known)}."
    )


def make_spec(agent: str, model: str, task: str, *, endpoint: str, timeout: float | None, key: str, **more: Any) -> CellSpec:
    """The cell that the options describe, on this machine; `more` are other fields of it. Raises CabtraceError."""
    from cabtrace.agents.registry import find_agent
    from cabtrace.runner.spec import CellSpec
    from cabtrace.runner.task import load_task
    from cabtrace.store.layout import default_scratch

    return CellSpec(
        task=load_task(find_task(task)),
        agent=find_agent(agent),
        model=model,
        scratch=default_scratch(),
        sandbox="local",
        endpoint=endpoint,
        api_key=key or key_of_environment(),
        timeout_s=timeout,
        **more,
    )


def run_one(spec: CellSpec, *, as_json: bool) -> int:
    """Runs the cell, with progress on a terminal; the exit code."""
    from cabtrace.cli.progress import LiveProgress
    from cabtrace.cli.run import check, report
    from cabtrace.cli.signals import cancel_on_signals
    from cabtrace.runner.cell import run_cell

    check(spec)
    with cancel_on_signals() as cancel:
        if as_json:
            result = run_cell(spec, cancel=cancel)
        else:
            with LiveProgress(spec.time_limit_s) as progress:
                result = run_cell(spec, progress, cancel)
    return report(result, spec.store, as_json=as_json)
