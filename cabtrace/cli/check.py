"""`cabtrace check`."""

from __future__ import annotations

from pathlib import Path

import click

from cabtrace.cli.byo import cell_options


@click.command("check", context_settings={"help_option_names": ["-h", "--help"]})
@cell_options
@click.option("--key", default="", metavar="KEY", help="The endpoint's key; better given as CAB_KEY.")
def command(agent: str, model: str, task: str, endpoint: str, timeout: float | None, store: Path, as_json: bool, key: str) -> int:
    """Try an agent and a model on one task, here and now: a preview, without Docker. Its result is provisional.

    The agent runs as you do, with your network and files; nothing isolates it.
    """
    from cabtrace.agents.registry import find_agent
    from cabtrace.cli.byo import find_task, key_of_environment, run_one
    from cabtrace.cli.own_process import close_environment, mask_argument
    from cabtrace.runner.spec import CellSpec
    from cabtrace.runner.task import load_task
    from cabtrace.store.layout import default_scratch

    if key:
        mask_argument(key)
    close_environment()
    spec = CellSpec(
        task=load_task(find_task(task)),
        agent=find_agent(agent),
        model=model,
        store=store,
        scratch=default_scratch(),
        sandbox="local",
        endpoint=endpoint,
        api_key=key or key_of_environment(),
        sweep="check",
        timeout_s=timeout,
        provisional=True,
    )
    return run_one(spec, as_json=as_json)
