"""`cabtrace run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cabtrace.cli.export_after import export_options
from cabtrace.cli.options import json_option, report_option, store_option

if TYPE_CHECKING:
    from cabtrace.cli.export_after import Exported
    from cabtrace.runner.spec import CellResult, CellSpec


_LONGEST_S = 30 * 24 * 3600.0


def _finite(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and value != value:
        raise click.BadParameter("nan is no number of seconds.")
    return value


@click.command("run", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--task", "task_dir", required=True, type=click.Path(path_type=Path), metavar="DIR", help="The task's folder.")
@click.option("--agent", required=True, metavar="NAME", help="Which agent; `cabtrace doctor` lists them.")
@click.option("--model", default="", metavar="ID", help="Model id, as the endpoint knows it.")
@click.option("--sandbox", type=click.Choice(["docker", "local"]), default="docker", show_default=True)
@click.option("--image", default="", metavar="IMAGE", help="Container image, where the task names none or another is wanted.")
@click.option(
    "--endpoint",
    envvar=["CABTRACE_ENDPOINT", "OPENAI_BASE_URL"],
    default="",
    metavar="URL",
    help="The model's base URL [env: CABTRACE_ENDPOINT, OPENAI_BASE_URL]. The key comes from CABTRACE_API_KEY or OPENAI_API_KEY.",
)
@store_option
@click.option("--sweep", default="adhoc", show_default=True, metavar="NAME", help="What this run belongs to.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True, max=_LONGEST_S),
    callback=_finite,
    metavar="S",
    help="Seconds for the agent [default: the task's].",
)
@click.option(
    "--bodies/--no-bodies", default=True, show_default=True, help="Record what was asked and answered, secrets removed."
)
@click.option(
    "--plugin",
    "plugin_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Plugins to apply, in order: named sets of environment, arguments and files (TOML). May be repeated.",
)
@click.option("--watch", is_flag=True, help="Follow the run in this terminal while it records.")
@export_options
@report_option
@json_option
@click.argument("agent_argv", metavar="[-- ARGV...]", nargs=-1, type=click.UNPROCESSED)
def command(
    task_dir: Path,
    agent: str,
    model: str,
    sandbox: str,
    image: str,
    endpoint: str,
    store: Path,
    sweep: str,
    timeout: float | None,
    bodies: bool,
    plugin_files: tuple[Path, ...],
    watch: bool,
    export_to: str,
    export_content: bool,
    report_file: Path | None,
    as_json: bool,
    agent_argv: tuple[str, ...],
) -> int:
    """Run one cell and record it. What stands after -- goes to the agent; for `--agent command` it is the whole command line."""
    from cabtrace.agents.plugins import load_plugins
    from cabtrace.agents.registry import find_agent
    from cabtrace.cli.export_after import after_cell, hand_down
    from cabtrace.cli.progress import progress_for
    from cabtrace.cli.signals import cancel_on_signals
    from cabtrace.errors import UsageError
    from cabtrace.runner.cell import run_cell
    from cabtrace.runner.spec import CellSpec
    from cabtrace.runner.task import load_task
    from cabtrace.store.layout import default_scratch

    spec = CellSpec(
        task=load_task(task_dir),
        agent=find_agent(agent),
        model=model,
        store=store,
        scratch=default_scratch(),
        sandbox=sandbox,
        image=image,
        endpoint=endpoint,
        api_key=api_key(),
        agent_argv=agent_argv,
        sweep=sweep,
        timeout_s=timeout,
        bodies=bodies,
        plugins=tuple(plugin for file in plugin_files for plugin in load_plugins(file)),
    )
    check(spec)
    after = after_cell(export_to, store, content=export_content)
    if watch:
        from cabtrace.cli.watch import watch_cell

        if as_json:
            raise UsageError("--watch and --json exclude each other.")
        hand_down(export_to, content=export_content)
        return watch_cell(spec, task_dir, plugin_files)
    with cancel_on_signals() as cancel, progress_for(spec.time_limit_s, report_file, as_json=as_json) as progress:
        result = run_cell(spec, progress, cancel)
    return report(result, store, after.send(result.path) if after else None, as_json=as_json)


def api_key() -> str:
    """The endpoint's key, from the environment only: an argument would show in `ps` and in shell histories."""
    import os

    return os.environ.get("CABTRACE_API_KEY") or os.environ.get("OPENAI_API_KEY") or ""


def check(spec: CellSpec) -> None:
    """What can be known to be wrong before anything is made. Raises CabtraceError."""
    from cabtrace.errors import UsageError
    from cabtrace.runner.preflight import check_endpoint, check_launch

    if spec.agent.capabilities.uses_model and spec.agent.name != "command":
        if not spec.model:
            raise UsageError(f"--agent {spec.agent.name} needs --model.", hint="Name the model as the endpoint knows it.")
        if not spec.endpoint:
            raise UsageError(
                f"--agent {spec.agent.name} needs a model endpoint.", hint="Give --endpoint URL, or set CABTRACE_ENDPOINT."
            )
    check_launch(spec)
    if spec.endpoint:
        check_endpoint(spec.endpoint, spec.api_key)


def report(result: CellResult, store: Path, exported: Exported | None = None, *, as_json: bool) -> int:
    """The verdict and the next command to type; hands back the exit code."""
    import shlex

    from cabtrace.cli import out, words
    from cabtrace.model.outcome import ENDINGS, PROVISIONAL_NOTE
    from cabtrace.store.layout import default_store

    ending = ENDINGS[result.cause]
    if as_json:
        out.print_json(
            {
                "path": str(result.path),
                **result.header.identity(),
                "verdict": result.verdict,
                "cause": result.cause,
                "cause_detail": result.detail,
                "exit_code": ending.exit_code,
                "duration_s": result.header.duration_s,
                "scores": {name: s.get("value") for name, s in result.header.scores.items()},
                "lost_records": result.lost_records,
                **({"export": exported.as_json()} if exported else {}),
            }
        )
        return ending.exit_code
    why = f": {result.detail}" if result.detail else "" if result.cause == "passed" else f": {ending.meaning}"
    out.say(f"{words.SIGNS[result.verdict]} {result.verdict.value} ({result.cause.value}){why}")
    wall = words.seconds(result.header.duration_s)
    out.say(f"  wall {wall}, composite {result.header.composite_words}, recorded in {result.path}")
    if result.header.provisional:
        out.say(f"  {PROVISIONAL_NOTE}")
    for warning in result.header.warnings:
        out.say(f"  note: {warning}")
    if result.lost_records:
        first = result.header.completeness.lost.first_error
        out.say(f"  warning: {result.lost_records} records could not be written ({first}); the result above is not affected.")
    if exported:
        out.say(f"  {exported.line}")
    where = [] if store == default_store() else ["--store", str(store)]
    out.say(f"Next: {shlex.join(['cabtrace', 'replay', *where, result.header.key])}")
    return ending.exit_code
