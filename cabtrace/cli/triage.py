"""`cabtrace triage`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cabtrace.cli.options import json_option, store_option

if TYPE_CHECKING:
    from cabtrace.diagnose.triage import Cluster, Failure
    from cabtrace.store.catalog import RunSummary

_MEMBERS_SHOWN = 8


@click.command("triage")
@click.argument("filter_text", metavar="[FILTER]", required=False, default="")
@store_option
@json_option
def command(filter_text: str, store: Path, as_json: bool) -> None:
    """Group the failing cells of the store by cause and signature, the biggest group first.

    FILTER keeps cells whose id contains it, such as the name of a sweep. Of each group one run is shown, and what its nearest
    passing run of the same task did otherwise.
    """
    from cabtrace.cli import out
    from cabtrace.diagnose.triage import cluster, failure_of
    from cabtrace.errors import CabtraceError, NoSuchRunError
    from cabtrace.store.catalog import list_runs
    from cabtrace.store.reader import RunView

    runs = [r for r in list_runs(store) if r.header is not None]
    chosen = [r for r in runs if r.header is not None and filter_text in r.header.cell_id]
    if not chosen:
        what = f"No run in {store} has {filter_text!r} in its id." if filter_text else f"There is no run in {store}."
        raise NoSuchRunError(what, hint="`cabtrace ls` lists them.")
    failing, failures, unreadable = [], [], []
    for run in chosen:
        if not run.failed:
            continue
        try:
            failures.append(failure_of(RunView(run.path)))
            failing.append(run)
        except (CabtraceError, OSError) as error:
            unreadable.append(f"{run.path}: {error}")
    clusters = cluster(failures)
    others = [_otherwise(failing[c.members[0]], runs) for c in clusters]
    if as_json:
        records = [_record(c, failing, failures, other) for c, other in zip(clusters, others, strict=True)]
        out.print_json({"cells": len(chosen), "failing": len(failing), "clusters": records, "unreadable": unreadable})
        return
    for line in _tell(clusters, failing, failures, others, len(chosen)):
        out.say(line)
    for line in unreadable:
        out.say(f"! not readable: {line}")


def _otherwise(run: RunSummary, runs: Sequence[RunSummary]) -> tuple[RunSummary, str] | None:
    """The nearest passing run of the same task, and the first divergence from it in a sentence."""
    from cabtrace.diagnose.diff.divergence import find_divergence
    from cabtrace.diagnose.evidence import Evidence
    from cabtrace.diagnose.nearest import nearest_passing
    from cabtrace.store.reader import RunView

    assert run.header is not None
    path = nearest_passing(run.header, [(r.path, r.header) for r in runs if r.header is not None])
    if path is None:
        return None
    found = find_divergence(Evidence(RunView(run.path)), Evidence(RunView(path)))
    did = f" {found.right.splitlines()[0]}" if found and found.right else ""
    sentence = f"{found.sentence}{did}" if found else "no divergence"
    return next(r for r in runs if r.path == path), sentence


def _tell(
    clusters: Sequence[Cluster],
    failing: Sequence[RunSummary],
    failures: Sequence[Failure],
    others: Sequence[tuple[RunSummary, str] | None],
    total: int,
) -> Iterator[str]:
    yield f"{len(failing)} of {total} cells failed, in {len(clusters)} groups."
    for found, other in zip(clusters, others, strict=True):
        first = found.members[0]
        yield ""
        yield f"{len(found.members):>4} × {found.rule}{f': {found.signature}' if found.signature else ''}"
        yield f"       such as {_name(failing[first])}: {failures[first].diagnosis.cause.sentence}"
        if other is None:
            yield "       no run of this task passed"
        else:
            yield f"       {_name(other[0])} passed: {other[1]}"
        for member in found.members[1:_MEMBERS_SHOWN]:
            yield f"       also {_name(failing[member])}"
        if len(found.members) > _MEMBERS_SHOWN:
            yield f"       and {len(found.members) - _MEMBERS_SHOWN} more"


def _record(
    found: Cluster, failing: Sequence[RunSummary], failures: Sequence[Failure], other: tuple[RunSummary, str] | None
) -> dict[str, Any]:
    first = found.members[0]
    return {
        "cause": found.rule,
        "signature": found.signature or None,
        "size": len(found.members),
        "representative": {
            **_named(failing[first]),
            "sentence": failures[first].diagnosis.cause.sentence,
        },
        "nearest_passing": None if other is None else {**_named(other[0]), "otherwise": other[1]},
        "cells": [_named(failing[m]) for m in found.members],
    }


def _name(run: RunSummary) -> str:
    return run.header.marked(run.header.key) if run.header else str(run.path)


def _named(run: RunSummary) -> dict[str, Any]:
    header = run.header
    return {"cell": header.key if header else "", "path": str(run.path), "provisional": bool(header and header.provisional)}
