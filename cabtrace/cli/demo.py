"""`cabtrace demo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cabtrace.cli.options import store_option

TASK = "polyglot/python-error-handling"
MODELS = ("scripted/careful", "scripted/hasty")


@click.command("demo")
@store_option
@click.option(
    "--speed", default=1.0, show_default=True, help="The scripted model's latencies are multiplied by this; 0 answers at once."
)
@click.option("--replay/--no-replay", default=True, help="Open the replay of the failing cell on a terminal.")
def command(store: Path, speed: float, replay: bool) -> int:
    """Run two small cells for real: the reference agent on a scripted model; one passes, one fails."""
    from cabtrace.agents.registry import find_agent
    from cabtrace.cli import out
    from cabtrace.cli.progress import LiveProgress
    from cabtrace.cli.run import report
    from cabtrace.cli.signals import cancel_on_signals
    from cabtrace.errors import EXIT_HARNESS
    from cabtrace.examples import example_script, example_task
    from cabtrace.model.outcome import Verdict
    from cabtrace.modelserver.script import load_script
    from cabtrace.modelserver.server import ModelServer
    from cabtrace.runner.cell import run_cell
    from cabtrace.runner.spec import CellResult, CellSpec
    from cabtrace.runner.task import load_task
    from cabtrace.store.layout import default_scratch, default_store

    task = load_task(example_task(TASK))
    server = ModelServer([load_script(example_script(TASK.rsplit("/", 1)[-1]))], speed=speed)
    server.start()
    results: list[CellResult] = []
    try:
        with cancel_on_signals() as cancel:
            for model in MODELS:
                spec = CellSpec(
                    task=task,
                    agent=find_agent("reference"),
                    model=model,
                    store=store,
                    scratch=default_scratch(),
                    sandbox="local",
                    endpoint=server.url,
                    sweep="demo",
                )
                out.say(f"Cell: reference agent × {model} × {task.id}")
                with LiveProgress(spec.time_limit_s) as progress:
                    results.append(run_cell(spec, progress, cancel))
                report(results[-1], store, as_json=False)
                if cancel.event.is_set():
                    return EXIT_HARNESS
    finally:
        server.stop()
    verdicts = [r.verdict for r in results]
    if verdicts != [Verdict.PASSED, Verdict.FAILED]:
        out.say("This is not what the demo should show; `cabtrace doctor` may say why.")
        return EXIT_HARNESS
    failing = results[-1]
    if replay and sys.stdout.isatty() and sys.stdin.isatty():
        from replay.start import run_app

        run_app(store, failing.path)
    else:
        where = "" if store == default_store() else f" --store {store}"
        out.say(f"One passed, one failed, as they should. Next: cabtrace replay{where} {failing.header.cell_id}")
    return 0
