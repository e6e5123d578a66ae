"""`cabtrace run-cell`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cabtrace.cli.byo import cell_options


@click.command("run-cell", context_settings={"help_option_names": ["-h", "--help"]})
@cell_options
@click.option("--sweep", default="adhoc", show_default=True, metavar="NAME", help="What this run belongs to.")
def command(
    agent: str, model: str, task: str, endpoint: str, timeout: float | None, store: Path, as_json: bool, sweep: str
) -> int:
    """Run one cell inside an agent's image: the container that this runs in is the sandbox.

    Endpoint and key come from CAB_ENDPOINT and CAB_KEY. Mount a folder at /cabtrace/store to keep the record.
    """
    from cabtrace.cli import out
    from cabtrace.cli.byo import make_spec, run_one
    from cabtrace.cli.own_process import close_environment

    contained = "CABTRACE_IMAGE" in os.environ or any(map(os.path.exists, ("/.dockerenv", "/run/.containerenv")))
    close_environment()  # the key is in it, and the agent is the same user
    image = os.environ.get("CABTRACE_IMAGE", "")  # set by the image itself
    cell = {"store": store, "sweep": sweep, "contained": contained, "image": image}
    spec = make_spec(agent, model, task, endpoint=endpoint, timeout=timeout, key="", **cell)
    code = run_one(spec, as_json=as_json)
    if contained and not as_json and not _mounted(store):
        out.say(f'Nothing is mounted at {store}: the record goes with the container. To keep it: -v "$PWD/runs:{store}".')
    return code


def _mounted(store: Path) -> bool:
    return any(os.path.ismount(folder) for folder in (store, *store.parents) if folder != Path(folder.anchor))
