"""`cabtrace show`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cabtrace.cli.options import json_option, run_argument, store_option

if TYPE_CHECKING:
    from cabtrace.store.reader import RunView


@click.command("show")
@run_argument
@store_option
@json_option
def command(run: str, store: Path, as_json: bool) -> None:
    """Show RUN: verdict, cause, scores, spans and model calls."""
    from cabtrace.cli import out
    from cabtrace.store.catalog import find_run
    from cabtrace.store.reader import RunView
    from replay.run import ReplayRun
    from replay.story import tell

    path = find_run(store, run)
    if as_json:
        out.print_json(as_record(RunView(path)))
        return
    width = shutil.get_terminal_size((120, 40)).columns
    for line in tell(ReplayRun(path), width=width, patch=False):
        out.say(line)


def as_record(view: RunView) -> dict[str, Any]:
    """Everything of a run but its bodies and its terminal."""
    from dataclasses import asdict

    return {
        "path": str(view.path),
        "live": view.live,
        "aborted": view.aborted,
        **asdict(view.header),
        "warnings": list(view.warnings()),
        "verification": dict(view.verification()),
        "changes": dict(view.changes()),
        "spans": [asdict(s) for s in view.spans()],
        "calls": [{**asdict(c), "latency_ms": c.latency_ms} for c in view.calls()],
    }
