"""`cabtrace recover`."""

from __future__ import annotations

from pathlib import Path

import click

from cabtrace.cli.options import json_option, run_argument, store_option


@click.command("recover")
@run_argument
@store_option
@json_option
def command(run: str, store: Path, as_json: bool) -> None:
    """Close RUN, whose recorder was killed: torn tails are cut, spans that never ended are ended as aborted.

    The agent's transcript is fetched from its home or its container where that is still there: before `cabtrace gc`.
    """
    from cabtrace.cli import out
    from cabtrace.runner.recovering import recover_run
    from cabtrace.store.catalog import find_run
    from cabtrace.store.layout import default_scratch

    path = find_run(store, run)
    result = recover_run(path, default_scratch())
    found = result.found
    if as_json:
        out.print_json(
            {
                "path": str(path),
                "already_closed": result.already_closed,
                "closed_spans": result.closed_spans,
                "cut_bytes": result.cut_bytes,
                "transcript_files": found.files,
                "transcript_tool_calls": found.tool_calls,
                "warnings": found.warnings,
            }
        )
    elif result.already_closed:
        out.say(f"{path} was closed already; nothing to do.")
    else:
        cut = ", ".join(f"{size} torn bytes of {name}" for name, size in result.cut_bytes.items()) or "no torn record"
        out.say(f"Recovered {path}: {result.closed_spans} spans closed as aborted, {cut}.")
        if found.files:
            out.say(f"The agent's transcript was kept (files: {found.files}, tool calls: {found.tool_calls}).")
        for warning in found.warnings:
            out.say(warning)
        out.say(f"Next: cabtrace replay {path}")
