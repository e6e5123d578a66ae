"""`cabtrace why`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cabtrace.cli.options import json_option, run_argument, store_option

if TYPE_CHECKING:
    from cabtrace.diagnose.finding import Diagnosis, Finding
    from cabtrace.store.reader import RunView

_SIGNS = {"error": "✗", "warning": "!", "info": "·"}
_DETAIL_LINES = 24


@click.command("why")
@run_argument
@store_option
@json_option
def command(run: str, store: Path, as_json: bool) -> None:
    """Say why RUN ended as it did: the cause, then the evidence in order of time, each with the moment to replay.

    Rules look at the record; no model is asked.
    """
    from cabtrace.cli import out
    from cabtrace.diagnose.registry import plugin_rules
    from cabtrace.diagnose.why import diagnose
    from cabtrace.gc_pause import gc_paused
    from cabtrace.store.catalog import find_run
    from cabtrace.store.reader import RunView

    view = RunView(find_run(store, run))
    with gc_paused(freeze=True):
        diagnosis = diagnose(view, plugin_rules())
        if as_json:
            out.print_json(as_record(view, diagnosis, store))
            return
        for line in tell(view, diagnosis, store):
            out.say(line)


def tell(view: RunView, diagnosis: Diagnosis, store: Path) -> Iterator[str]:
    """The diagnosis as lines; what was recorded is made safe by who prints them."""
    header = view.header
    state = "aborted" if view.aborted else "running" if view.live else header.verdict.value if header.verdict else "no verdict"
    yield f"{header.title}: {state}{f' ({header.cause.value})' if header.cause else ''}"
    yield ""
    yield f"Cause: {diagnosis.cause.rule}: {diagnosis.cause.sentence}"
    yield from _link(view, diagnosis, diagnosis.cause, store, "  ")
    yield from _detail(diagnosis.cause, "  ")
    if diagnosis.shares:
        yield ""
        yield "Time: " + ", ".join(f"{kind} {share:.0%}" for kind, share in diagnosis.shares.items()) + " of the critical path"
    yield ""
    yield "Evidence"
    for finding in diagnosis.findings:
        offset_s = diagnosis.offset_s(finding)
        when = "        " if offset_s is None else f"{offset_s:7.1f}s"
        yield f"{when}  {_SIGNS[finding.severity.value]} {finding.rule}: {finding.sentence}"
        if finding != diagnosis.cause:
            yield from _detail(finding, " " * 12)
        yield from _link(view, diagnosis, finding, store, " " * 12)


def as_record(view: RunView, diagnosis: Diagnosis, store: Path) -> dict[str, Any]:
    """The diagnosis as JSON."""
    header = view.header
    return {
        "path": str(view.path),
        **header.identity(),
        "verdict": header.verdict,
        "recorded_cause": header.cause,
        "cause": _record(view, diagnosis, diagnosis.cause, store),
        "critical_path": diagnosis.shares or None,
        "evidence": [_record(view, diagnosis, finding, store) for finding in diagnosis.findings],
    }


def replay_link(view: RunView, offset_s: float, store: Path) -> str:
    """The command that opens the replay at that moment."""
    from cabtrace.store.layout import default_store

    header = view.header
    inside = view.path.resolve().is_relative_to(store.resolve())
    words = ["cabtrace", "replay"]
    if inside and store != default_store():
        words += ["--store", str(store)]
    words += [header.key if inside else str(view.path), "--at", at_words(offset_s)]
    return shlex.join(words)


def at_words(offset_s: float) -> str:
    """Seconds as `--at` takes them, to the millisecond: `12.3s`."""
    return f"{offset_s:.3f}".rstrip("0").rstrip(".") + "s"


def _link(view: RunView, diagnosis: Diagnosis, finding: Finding, store: Path, margin: str) -> Iterator[str]:
    offset_s = diagnosis.offset_s(finding)
    if offset_s is not None:
        yield f"{margin}{replay_link(view, offset_s, store)}"


def _detail(finding: Finding, margin: str) -> Iterator[str]:
    for row in finding.detail.split("\n")[:_DETAIL_LINES] if finding.detail else ():
        yield f"{margin}| {row}"


def _record(view: RunView, diagnosis: Diagnosis, finding: Finding, store: Path) -> dict[str, Any]:
    offset_s = diagnosis.offset_s(finding)
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "at_s": None if offset_s is None else round(offset_s, 6),
        "time_unix_nano": finding.time_ns,
        "span_id": finding.span_id or None,
        "sentence": finding.sentence,
        "detail": finding.detail or None,
        "replay": None if offset_s is None else replay_link(view, offset_s, store),
    }
