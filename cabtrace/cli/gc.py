"""`cabtrace gc`."""

from __future__ import annotations

from pathlib import Path

import click

from cabtrace.cli.options import json_option, store_option


@click.command("gc")
@store_option
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@json_option
def command(store: Path, dry_run: bool, as_json: bool) -> None:
    """Remove what killed runs left behind: containers, networks, processes, scratch folders, attempts without a record.

    Runs are never removed.
    """
    from cabtrace.cli import out
    from cabtrace.runner.leftovers import find_leftovers, remove
    from cabtrace.store.layout import default_scratch
    from cabtrace.store.stillborn import find_stillborn, remove_stillborn

    rows = []
    for leftover in find_leftovers(default_scratch()):
        done = not dry_run and remove(leftover)
        rows.append({"kind": leftover.kind, "name": leftover.name, "run_id": leftover.run_id, "removed": done})
    for path in list(find_stillborn(store)):
        done = not dry_run and remove_stillborn(store, path)
        rows.append({"kind": "attempt without a record", "name": str(path), "run_id": "", "removed": done})
    if as_json:
        out.print_json(rows)
    elif not rows:
        out.say("Nothing was left behind.")
    for row in rows if not as_json else ():
        word = "would remove" if dry_run else "removed" if row["removed"] else "could not remove"
        out.say(f"{word} {row['kind']} {row['name']}")
