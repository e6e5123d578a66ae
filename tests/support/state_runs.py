"""Runs in states that a finished, well-recorded one does not show: imported, provisional, cut off, hardly known, under way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from cabtrace.importers.header import notices
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import Imported
from cabtrace.store.cast import CastHeader
from cabtrace.store.writer import RunWriter, allocate_attempt
from tests.support.sample_run import START_NS, _header, at, build_sample_run, write_span
from tests.support.spans import span

ROOT = "f" * 16
CAME_FROM: dict[str, Any] = {
    "kind": "jaeger",
    "where": "http://127.0.0.1:16686",
    "imported_at": "2026-06-17T02:40:00Z",
    "spans": 30,
    "duplicates": 2,
    "rejected": 1,
    "missing": ("terminal, changed files, tests' output, the agent's transcript and logs",),
}
LOSSES = {"lost": {"trace": 3, "first_error": "No space left on device"}, "model_calls": "partial"}


def changed(run: Path, **fields: Any) -> Path:
    """The run, with other fields in its run.json."""
    header = run / "run.json"
    header.write_bytes(orjson.dumps({**orjson.loads(header.read_bytes()), **fields}))
    return run


def imported_run(store: Path) -> Path:
    """A run as it comes back from a trace backend: spans, no more."""
    run = changed(build_sample_run(store), imported=CAME_FROM, warnings=notices(Imported(**CAME_FROM)))
    for name in ("terminal.cast", "calls.jsonl", "workspace.patch", "artifacts/changes.json", "artifacts/verifier.json"):
        (run / name).unlink()
    return run


def _begun(store: Path, task: str) -> RunWriter:
    cell = CellId("demo", "agent", "model", task)
    path, attempt = allocate_attempt(store, cell)
    writer = RunWriter(path, _header(cell, attempt))
    root = replace(span(ROOT, kind="cell", name=f"cell agent {task}"), start_ns=START_NS)
    write_span(writer, root, log="open")
    return writer


def sparse_run(store: Path) -> Path:
    """Two model calls without a token count, a body or an end of a kind; no terminal, no scores, no workspace."""
    writer = _begun(store, "sparse")
    for number in (1, 2):
        record = span(f"{number:016x}", parent=ROOT, kind="model_call", name="chat model", **{sc.CALL_INDEX: number})
        write_span(writer, replace(record, start_ns=at(number * 100), end_ns=at(number * 100 + 50)))
    write_span(writer, replace(span(ROOT, kind="cell", name="cell agent sparse"), start_ns=START_NS, end_ns=at(400)))
    detail = "the endpoint did not answer"
    writer.close(status="finished", verdict=Verdict.ERROR, cause=Cause.MODEL_FAILED, cause_detail=detail)
    return writer.path


@contextmanager
def under_way(store: Path, *, open_call: bool) -> Iterator[RunWriter]:
    """A run that is being recorded: one answered call, what it printed, and, with `open_call`, one without an answer yet."""
    writer = _begun(store, "live")
    writer.start_terminal(CastHeader(60, 12), START_NS)
    writer.terminal(at(150), "o", "\x1b[1mI will look at the tests first.\x1b[0m\r\n$ cargo test\r\n")
    call = span(f"{1:016x}", parent=ROOT, kind="model_call", name="chat model", **{sc.CALL_INDEX: 1})
    write_span(writer, replace(call, start_ns=at(100), end_ns=at(1_150)))
    if open_call:
        hung = span(f"{2:016x}", parent=ROOT, kind="model_call", name="chat model", **{sc.CALL_INDEX: 2})
        write_span(writer, replace(hung, start_ns=at(1_200), end_ns=None), log="open")
    try:
        yield writer
    finally:
        writer.close()


def cut_off_run(store: Path) -> Path:
    """One whose recorder was killed: what was running has no end."""
    with under_way(store, open_call=True) as writer:
        path = writer.path
        kept = (path / "run.json").read_bytes()
    (path / "run.json").write_bytes(kept)
    (path / "manifest.json").unlink(missing_ok=True)
    return path
