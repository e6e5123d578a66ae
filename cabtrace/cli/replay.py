"""`cabtrace replay`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from cabtrace.cli.options import complete_run, store_option


@click.command("replay")
@click.argument("run", metavar="[RUN]", required=False, shell_complete=complete_run)
@store_option
@click.option("--plain", is_flag=True, help="Print the story as text instead; so does a pipe.")
def command(run: str | None, store: Path, plain: bool) -> int:
    """Replay RUN in the terminal; without RUN, the list of runs."""
    from cabtrace.store.catalog import find_run

    path = find_run(store, run) if run else None
    if plain or not (sys.stdout.isatty() and sys.stdin.isatty()):
        from cabtrace.errors import UsageError
        from replay.run import ReplayRun
        from replay.story import tell

        if path is None:
            raise UsageError("Without a terminal, RUN must be named.", hint="`cabtrace ls` lists them; @last is the latest.")
        for line in tell(ReplayRun(path), width=shutil.get_terminal_size((120, 40)).columns):
            sys.stdout.write(line + "\n")
        return 0
    from replay.tui.app import run_app

    return run_app(store, path)
