"""`cabtrace rerun`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cabtrace.cli.options import json_option, report_option, run_argument, store_option

if TYPE_CHECKING:
    from cabtrace.diagnose.diff.divergence import Divergence
    from cabtrace.modelserver.recorded import RecordedModel, Unanswered
    from cabtrace.runner.spec import Cancel, CellResult, Progress
    from cabtrace.runner.task import Task
    from cabtrace.store.reader import RunView

_FASTEST = 100.0


@click.command("rerun")
@run_argument
@click.option(
    "--task", "task_dir", type=click.Path(path_type=Path), metavar="DIR", help="The task's folder, if it is none of the examples."
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0, max=_FASTEST),
    default=0.0,
    show_default=True,
    help="The recorded waits of the model are multiplied by this; 0 answers at once.",
)
@click.option(
    "--plugins", "plugin_file", type=click.Path(path_type=Path), metavar="FILE", help="The plugins of RUN, if it had any."
)
@click.option("--continue-live", is_flag=True, help="Go on with the real model where the recording has no answer.")
@click.option(
    "--endpoint",
    envvar=["CABTRACE_ENDPOINT", "OPENAI_BASE_URL"],
    default="",
    metavar="URL",
    help="The real model's base URL, for --continue-live.",
)
@store_option
@report_option
@json_option
def command(
    run: str,
    task_dir: Path | None,
    speed: float,
    plugin_file: Path | None,
    continue_live: bool,
    endpoint: str,
    store: Path,
    report_file: Path | None,
    as_json: bool,
) -> int:
    """Run the cell of RUN again on its recorded model answers: offline, free, deterministic.

    The new run is a run like any other, in the sweep `rerun`. Where the agent asks something that the recording has no answer
    for, the rerun stops and shows how the request differs.
    """
    from cabtrace.cli import out
    from cabtrace.cli.diff import divergence_lines
    from cabtrace.cli.progress import progress_for
    from cabtrace.cli.run import report
    from cabtrace.cli.signals import cancel_on_signals
    from cabtrace.diagnose.diff.divergence import find_divergence
    from cabtrace.diagnose.evidence import Evidence
    from cabtrace.errors import UsageError
    from cabtrace.model.outcome import ENDINGS
    from cabtrace.runner.rerun import choose_task
    from cabtrace.runner.spec import DEFAULT_TIMEOUT_S
    from cabtrace.runner.task import load_task
    from cabtrace.store.catalog import find_run
    from cabtrace.store.reader import RunView

    if continue_live and not endpoint:
        raise UsageError("--continue-live needs the real model.", hint="Give --endpoint URL, or set CABTRACE_ENDPOINT.")
    view = RunView(find_run(store, run))
    task, notice = choose_task(view, load_task(task_dir) if task_dir else None, () if task_dir else known_tasks())
    live = endpoint if continue_live else ""
    with (
        cancel_on_signals() as cancel,
        progress_for(view.header.timeout_s or DEFAULT_TIMEOUT_S, report_file, as_json=as_json) as progress,
    ):
        result, model = rerun(view, task, cancel, store=store, speed=speed, live=live, plugins=plugin_file, progress=progress)
    found = find_divergence(Evidence(view), Evidence(RunView(result.path)))
    if as_json:
        out.print_json(_record(view, result, model, found))
        return ENDINGS[result.cause].exit_code
    if notice:
        out.say(notice)
    code = report(result, store, as_json=False)
    for line in _tell(model):
        out.say(line)
    out.say(f"Against {view.header.title}: {found.sentence if found else 'no divergence'}")
    for line in divergence_lines(found) if found and model.unanswered is None else ():
        out.say(line)
    return code


def rerun(
    view: RunView,
    task: Task,
    cancel: Cancel,
    *,
    store: Path,
    speed: float = 0.0,
    live: str = "",
    plugins: Path | None = None,
    scratch: Path | None = None,
    progress: Progress | None = None,
) -> tuple[CellResult, RecordedModel]:
    """The cell of a run again on its recorded answers; `live` is the endpoint that goes on where they end, or "".

    Raises CabtraceError while nothing of the new run exists yet.
    """
    from dataclasses import replace

    from cabtrace.agents.plugins import load_plugins
    from cabtrace.cli.run import api_key, check
    from cabtrace.modelserver.live import LiveModel
    from cabtrace.modelserver.recorded import RecordedModel
    from cabtrace.runner.cell import run_cell
    from cabtrace.runner.preflight import check_endpoint
    from cabtrace.runner.rerun import choose_plugins, read_recording, request_cleaner, rerun_spec
    from cabtrace.store.layout import default_scratch

    key = api_key() if live else ""
    if live:
        check_endpoint(live, key)
    spec = rerun_spec(view, task, store=store, scratch=scratch or default_scratch(), api_key=key)
    spec = replace(spec, plugins=choose_plugins(view, load_plugins(plugins) if plugins else ()))
    recording = read_recording(view, request_cleaner(spec))

    def stop(missing: Unanswered) -> None:
        cancel.set("unanswered", missing.sentence)

    model = RecordedModel(recording, speed=speed, live=LiveModel(live) if live else None, on_unanswered=stop)
    model.start()
    try:
        if view.header.endpoint:
            spec = replace(spec, endpoint=model.url)
        check(spec)
        return run_cell(spec, progress, cancel), model
    finally:
        model.stop()


def known_tasks() -> Iterator[Task]:
    """The example tasks."""
    from cabtrace.errors import TaskError
    from cabtrace.examples import examples_folder
    from cabtrace.runner.task import load_task

    try:
        folder = examples_folder() / "tasks"
    except TaskError:
        return
    for path in sorted(folder.glob("**/task.toml")):
        try:
            yield load_task(path.parent)
        except TaskError:
            continue


def _tell(model: RecordedModel) -> Iterator[str]:
    yield f"{model.served} model calls were answered from the recording; {model.live_requests} went to a real model."
    if model.unanswered is None:
        return
    yield model.unanswered.sentence
    if model.unanswered.difference:
        yield "- recorded, + asked now:"
        for row in model.unanswered.difference.split("\n"):
            yield f"    {row}"


def _record(view: RunView, result: CellResult, model: RecordedModel, found: Divergence | None) -> dict[str, Any]:
    missing = model.unanswered
    return {
        "rerun_of": {"path": str(view.path), "run_id": view.header.run_id},
        "path": str(result.path),
        **result.header.identity(),
        "verdict": result.verdict.value,
        "cause": result.cause.value,
        "cause_detail": result.detail,
        "answered_from_recording": model.served,
        "answered_live": model.live_requests,
        "unanswered": None if missing is None else {"sentence": missing.sentence, "difference": missing.difference},
        "first_divergence": None if found is None else {"kind": found.kind, "sentence": found.sentence, "detail": found.detail},
    }
