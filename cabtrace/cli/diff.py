"""`cabtrace diff`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cabtrace.cli.options import complete_run, json_option, store_option

if TYPE_CHECKING:
    from cabtrace.diagnose.diff.compare import Amount, Comparison
    from cabtrace.diagnose.diff.divergence import Divergence
    from cabtrace.model.model_call import ModelCall
    from cabtrace.store.reader import RunView

_TOOLS_SHOWN = 60
_LINES_SHOWN = 120


@click.command("diff")
@click.argument("left", metavar="A", required=False, shell_complete=complete_run)
@click.argument("right", metavar="B", required=False, shell_complete=complete_run)
@click.option("--against-passing", metavar="RUN", default="", help="Compare RUN with the nearest passing run of its task.")
@click.option("--tui", is_flag=True, help="Show both side by side in this terminal, their steps aligned.")
@store_option
@json_option
def command(left: str | None, right: str | None, against_passing: str, tui: bool, store: Path, as_json: bool) -> int:
    """Compare two runs: who ran what, outcome, spans, tool calls, tests, patches, and where they parted.

    Numbers differ only beyond a tolerance: durations by more than 1 ms and 20 %, tokens by more than 5 %.
    """
    from cabtrace.cli import out
    from cabtrace.diagnose.diff.compare import compare
    from cabtrace.errors import UsageError
    from cabtrace.gc_pause import gc_paused
    from cabtrace.store.catalog import find_run
    from cabtrace.store.reader import RunView

    if against_passing and (left or right):
        raise UsageError("--against-passing RUN finds the other run itself.", hint="Leave A and B out.")
    if against_passing:
        one = find_run(store, against_passing)
        other = passing_run(store, RunView(one))
    elif left and right:
        one, other = find_run(store, left), find_run(store, right)
    else:
        raise UsageError("Two runs are needed: A and B.", hint="Or --against-passing RUN.")
    if tui:
        return _show(store, one, other, as_json=as_json)
    a, b = RunView(one), RunView(other)
    with gc_paused(freeze=True):
        comparison = compare(a, b)
        if as_json:
            out.print_json(as_record(a, b, comparison))
        else:
            for line in tell(a, b, comparison, store):
                out.say(line)
    return 0


def _show(store: Path, left: Path, right: Path, *, as_json: bool) -> int:
    """The compare screen. Raises UsageError where there is no terminal for it."""
    import sys

    from cabtrace.errors import UsageError

    if as_json:
        raise UsageError("--tui and --json exclude each other.")
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError("--tui needs a terminal.", hint="Without it the comparison is printed.")
    from replay.start import run_app

    return run_app(store, left, against=right)


def passing_run(store: Path, run: RunView) -> Path:
    """The nearest passing run of the same task. Raises NoSuchRunError."""
    from cabtrace.diagnose.nearest import nearest_passing
    from cabtrace.errors import NoSuchRunError
    from cabtrace.store.catalog import list_runs

    others = [(r.path, r.header) for r in list_runs(store) if r.header is not None]
    found = nearest_passing(run.header, others)
    if found is None:
        raise NoSuchRunError(
            f"No run in {store} passed the task {run.header.task.id}.", hint="`cabtrace run --agent oracle` makes one."
        )
    return found


def tell(a: RunView, b: RunView, found: Comparison, store: Path) -> Iterator[str]:
    """The comparison as lines; what was recorded is made safe by who prints them."""
    yield f"A  {a.header.title}"
    yield f"B  {b.header.title}"
    yield ""
    for name, x, y in (*found.outcome, *found.identity):
        yield f"{name:<16}{x}" if x == y else f"{name:<16}{x}  →  {y}"
    yield ""
    for amount in found.amounts:
        yield _amount_line(amount)
    yield ""
    yield from _divergence(a, b, found.divergence, store)
    yield ""
    yield from _tools(found)
    yield from _tests(found)
    yield from _spans(found)
    yield from _patch(found)


def as_record(a: RunView, b: RunView, found: Comparison) -> dict[str, Any]:
    """The comparison as JSON."""
    from dataclasses import asdict

    spans = found.spans
    return {
        "left": _side(a),
        "right": _side(b),
        "identity": [{"field": n, "left": x, "right": y} for n, x, y in found.identity],
        "outcome": [{"field": n, "left": x, "right": y} for n, x, y in found.outcome],
        "amounts": [asdict(amount) for amount in found.amounts],
        "first_divergence": None if found.divergence is None else _divergence_record(a, b, found.divergence),
        "tools": [asdict(step) for step in found.tools],
        "tests": [{"name": n, "left": x, "right": y} for n, x, y in found.tests],
        "files": [{"path": path, "state": state} for path, state in found.files],
        "patch": found.patch,
        "spans": {
            "matched": spans.matched,
            "modified": spans.modified,
            "only_left": dict(spans.only_left),
            "only_right": dict(spans.only_right),
            "changes": [asdict(change) for change in spans.changes],
        },
    }


def divergence_lines(found: Divergence) -> Iterator[str]:
    """What each side did where they parted."""
    for side, text in (("A", found.left), ("B", found.right)):
        for row in text.split("\n") if text else ():
            yield f"  {side} {row}"
    for row in found.detail.split("\n")[:_LINES_SHOWN] if found.detail else ():
        yield f"    {row}"


def _divergence(a: RunView, b: RunView, found: Divergence | None, store: Path) -> Iterator[str]:
    from cabtrace.cli.why import replay_link

    if found is None:
        yield "First divergence: no divergence"
        return
    yield f"First divergence: {found.sentence}"
    yield from divergence_lines(found)
    for view, call in ((a, found.left_call), (b, found.right_call)):
        if call is not None:
            yield f"  {replay_link(view, _offset_s(view, call), store)}"


def _amount_line(amount: Amount) -> str:
    shown = ["unknown" if v is None else f"{v:,.3f}".rstrip("0").rstrip(".") for v in (amount.left, amount.right)]
    arrow = "=" if amount.signal == "same" else "→"
    note = "" if amount.signal in ("same", "unknown") else f"  ({amount.signal})"
    return f"{amount.name:<22}{shown[0]:>12} {arrow} {shown[1]}{note}"


def _tools(found: Comparison) -> Iterator[str]:
    if not found.tools:
        return
    same = sum(bool(s.left_id and s.right_id) for s in found.tools)
    left, right = (sum(not getattr(s, side) for s in found.tools) for side in ("right_id", "left_id"))
    yield f"Tool calls: {same} in both, {left} only in A, {right} only in B"
    for step in found.tools[:_TOOLS_SHOWN]:
        sign = " " if step.left_id and step.right_id else "-" if step.left_id else "+"
        yield f"  {sign} {step.call[:160]}"
    if len(found.tools) > _TOOLS_SHOWN:
        yield f"  … {len(found.tools) - _TOOLS_SHOWN:,} more; --json has them all"
    yield ""


def _tests(found: Comparison) -> Iterator[str]:
    words = {True: "passed", False: "failed", None: "not run"}
    if found.tests:
        yield f"Tests that changed state: {len(found.tests)}"
        for name, x, y in found.tests[:_LINES_SHOWN]:
            yield f"  {name}: {words[x]} → {words[y]}"
        yield ""


def _spans(found: Comparison) -> Iterator[str]:
    spans = found.spans
    yield (
        f"Spans: {spans.matched:,} aligned, {spans.modified:,} of them differ; "
        f"{spans.only_left.total():,} only in A, {spans.only_right.total():,} only in B"
    )
    for sign, names in (("-", spans.only_left), ("+", spans.only_right)):
        for name, times in names.most_common(10):
            yield f"  {sign} {name} × {times}"
    for change in spans.changes:
        left, right = (_value(change.what, v) for v in (change.left, change.right))
        yield f"  ~ {change.name}: {change.what.removesuffix('_ns')} {left} → {right}"
    yield ""


def _patch(found: Comparison) -> Iterator[str]:
    words = {"same": "the same in both", "differs": "differs", "left": "only in A", "right": "only in B"}
    for path, state in found.files:
        yield f"File {path}: {words[state]}"
    yield from found.patch.split("\n")[:_LINES_SHOWN] if found.patch else ()


def _value(what: str, value: object) -> str:
    from cabtrace.diagnose.words import seconds

    if what == "duration_ns" and isinstance(value, int):
        return seconds(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _side(view: RunView) -> dict[str, Any]:
    return {"path": str(view.path), **view.header.identity()}


def _divergence_record(a: RunView, b: RunView, found: Divergence) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "sentence": found.sentence,
        "left": _call_record(a, found.left_call, found.left),
        "right": _call_record(b, found.right_call, found.right),
        "detail": found.detail or None,
    }


def _call_record(view: RunView, call: ModelCall | None, told: str) -> dict[str, Any] | None:
    if call is None:
        return {"call_id": None, "index": None, "at_s": None, "did": told} if told else None
    return {"call_id": call.call_id, "index": call.index, "at_s": round(_offset_s(view, call), 6), "did": told or None}


def _offset_s(view: RunView, call: ModelCall) -> float:
    return max(0, call.started_ns - view.start_ns) / 1e9
