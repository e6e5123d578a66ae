"""`cabtrace verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from cabtrace.cli.options import json_option, run_argument, store_option


@click.command("verify")
@run_argument
@store_option
@json_option
def command(run: str, store: Path, as_json: bool) -> int:
    """Hold RUN against its manifest and its formats; exit code 1 when anything is damaged."""
    from cabtrace.cli import out
    from cabtrace.errors import EXIT_FAILED
    from cabtrace.store.catalog import find_run
    from cabtrace.store.verify import verify_run

    path = find_run(store, run)
    result = verify_run(path)
    if as_json:
        out.print_json({"path": str(path), **asdict(result)})
    elif result.problems:
        for problem in result.problems:
            out.say(str(problem))
    else:
        sealed = "match the manifest" if result.sealed else "are readable; there is no manifest yet"
        out.say(f"{path}: {result.files} files {sealed}.")
    return EXIT_FAILED if result.problems else 0
