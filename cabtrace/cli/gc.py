"""`cabtrace gc`."""

from __future__ import annotations

import click

from cabtrace.cli.options import json_option


@click.command("gc")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def command(dry_run: bool, as_json: bool) -> None:
    """Remove what killed runs left behind: containers, networks, processes and scratch folders. Runs are never removed."""
    from cabtrace.cli import out
    from cabtrace.runner.leftovers import find_leftovers, remove
    from cabtrace.store.layout import default_scratch

    found = find_leftovers(default_scratch())
    rows = []
    for leftover in found:
        if not dry_run:
            remove(leftover)
        rows.append({"kind": leftover.kind, "name": leftover.name, "run_id": leftover.run_id})
    if as_json:
        out.print_json(rows)
    elif not rows:
        out.say("Nothing was left behind.")
    else:
        for row in rows:
            out.say(f"{'would remove' if dry_run else 'removed'} {row['kind']} {row['name']}")
