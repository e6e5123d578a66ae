"""`cabtrace ls`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cabtrace.cli.options import json_option, store_option


@click.command("ls")
@store_option
@click.option("--failed", is_flag=True, help="Only runs that did not pass.")
@json_option
def command(store: Path, failed: bool, as_json: bool) -> None:
    """List the runs of the store, oldest first."""
    from cabtrace.cli import out, words
    from cabtrace.model.outcome import PROVISIONAL_NOTE
    from cabtrace.store.catalog import list_runs

    runs = [r for r in list_runs(store) if r.failed or r.header is None or not failed]
    if as_json:
        out.print_json([_as_json(r) for r in runs])
        return
    if not runs:
        out.say(f"No {'failed ' if failed else ''}run in {store}. `cabtrace demo` makes two.")
        return
    rows = []
    for run in runs:
        header = run.header
        if header is None:
            rows.append([out.cell(words.status_word(run), "yellow"), *[out.cell("")] * 7, out.cell(run.error)])
            continue
        values = header.scores.get("tokens", {}).get("values")
        tokens = values.get("total_tokens") if isinstance(values, dict) else None
        rows.append(
            [
                out.cell(f"{words.status_word(run)}{' *' * header.provisional}", words.status_style(run)),
                out.cell(f"{header.sweep_id} #{header.attempt}"),
                out.cell(header.agent.name),
                out.cell(header.model),
                out.cell(header.task.id),
                out.cell(words.seconds(header.duration_s)),
                out.cell(words.count(words.number(tokens))),
                out.cell(header.composite_words),
                out.cell(header.cause.value if header.cause else ""),
            ]
        )
    names = ("status", "sweep", "agent", "model", "task", "wall", "tokens", "composite", "cause")
    out.print_table(names, rows, right=(5, 6, 7))
    if any(run.header and run.header.provisional for run in runs):
        out.say(f"* {PROVISIONAL_NOTE}")


def _as_json(run: Any) -> dict[str, Any]:
    header = run.header
    if header is None:
        return {"path": str(run.path), "status": "unreadable", "error": run.error}
    status = "running" if run.live else "aborted" if run.aborted else header.status
    return {
        "path": str(run.path),
        "status": status,
        **header.identity(),
        "agent": header.agent.name,
        "model": header.model,
        "task": header.task.id,
        "verdict": header.verdict,
        "cause": header.cause,
        "cause_detail": header.cause_detail,
        "started_at": header.started_at,
        "duration_s": header.duration_s,
        "lost_records": header.completeness.lost.total,
        "scores": {name: s.get("value") for name, s in header.scores.items()},
    }
