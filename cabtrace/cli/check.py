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
    from cabtrace.cli.byo import make_spec, run_one
    from cabtrace.cli.own_process import close_environment, mask_argument

    if key:
        mask_argument(key)
    close_environment()
    cell = {"store": store, "sweep": "check", "provisional": True}
    return run_one(make_spec(agent, model, task, endpoint=endpoint, timeout=timeout, key=key, **cell), as_json=as_json)
