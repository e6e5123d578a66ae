"""`cabtrace import otlp`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cabtrace.cli.options import json_option, store_option

if TYPE_CHECKING:
    from cabtrace.importers.otlp import ImportedRun
    from cabtrace.importers.pieces import Source
    from cabtrace.redact import Redactor

_BLOCK_BYTES = 1024 * 1024


@click.command("otlp")
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--from", "backend", type=click.Choice(["jaeger", "tempo"]), help="Read the trace from this backend instead.")
@click.option("--trace", "trace_id", metavar="ID", help="This trace only, 32 hexadecimal digits.")
@click.option("--endpoint", metavar="URL", help="The backend's base URL [default: jaeger http://localhost:16686, tempo :3200].")
@click.option("--sweep", default="imported", show_default=True, metavar="NAME", help="What the runs are filed under.")
@store_option
@json_option
def command(
    file: str | None, backend: str | None, trace_id: str | None, endpoint: str | None, sweep: str, store: Path, as_json: bool
) -> int:
    """Make a run of every trace in FILE, or of a trace that a backend has.

    FILE is OTLP as JSON lines, as one JSON document or as protobuf, or what Jaeger's page downloads; gzip or not; - is
    standard input. What the trace does not tell stays unknown, the verdict first of all. Secrets are removed before anything
    is written. Exit code 1 when spans or lines could not be read or kept.
    """
    from cabtrace.cli.export_otlp import SpanProgress
    from cabtrace.errors import EXIT_FAILED, UsageError
    from cabtrace.importers.otlp import import_traces
    from cabtrace.model.ids import is_hex_id

    if trace_id and not is_hex_id(trace_id, 32):
        raise UsageError(f"{trace_id!r} is no trace id.", hint="It has 32 hexadecimal digits.")
    if bool(file) == bool(backend):
        raise UsageError("Name either a FILE or a backend with --from.")
    if backend and not trace_id:
        raise UsageError(f"--from {backend} needs --trace ID.")
    if endpoint and not backend:
        raise UsageError("--endpoint goes with --from.")
    if not sweep.strip("/"):
        raise UsageError("--sweep needs a name.")
    with _source(file, backend, endpoint, trace_id or "") as source, SpanProgress(source.where) as progress:
        runs = import_traces(source, store, _redactor(), trace_id=(trace_id or "").lower(), sweep=sweep, progress=progress)
    _tell(runs, store, as_json=as_json)
    unread = any(r.header.imported and (r.header.imported.rejected or r.header.imported.bad_lines) for r in runs)
    lost = any(r.header.completeness.lost.total for r in runs)
    return EXIT_FAILED if unread or lost else 0


@contextmanager
def _source(file: str | None, backend: str | None, endpoint: str | None, trace_id: str) -> Iterator[Source]:
    from cabtrace.importers.pieces import in_memory
    from cabtrace.importers.trace_file import file_source

    if backend:
        from exporters.readback.fetch import DEFAULT_URLS, fetch_trace

        spans = fetch_trace(backend, endpoint, trace_id.lower())
        yield in_memory(f"{endpoint or DEFAULT_URLS[backend]} (trace {trace_id.lower()})", backend, spans)
    elif file == "-":
        with _spooled() as path:
            yield file_source(path, "standard input")
    else:
        assert file is not None
        yield file_source(Path(file), file)


@contextmanager
def _spooled() -> Iterator[Path]:
    """Standard input as a file of its own: it is read twice."""
    import sys
    import tempfile

    from cabtrace.errors import UsageError
    from cabtrace.importers.trace_file import FILE_BYTES

    with tempfile.TemporaryDirectory(prefix="cabtrace-import-") as folder:
        path = Path(folder) / "input"
        size = 0
        with path.open("xb") as handle:
            while block := sys.stdin.buffer.read(_BLOCK_BYTES):
                size += len(block)
                if size > FILE_BYTES:
                    raise UsageError(f"Standard input holds more than {FILE_BYTES:,} bytes.")
                handle.write(block)
        yield path


def _redactor() -> Redactor:
    """Knows the secrets of this machine's environment, as the recorder does."""
    import os

    from cabtrace.redact import Redactor
    from cabtrace.runner.secrets import sensitive_values, url_passwords

    return Redactor({**url_passwords(os.environ), **sensitive_values(os.environ)}, paths={str(Path.home()): "~"})


def _tell(runs: list[ImportedRun], store: Path, *, as_json: bool) -> None:
    import shlex

    from cabtrace.cli import out
    from cabtrace.store.layout import default_store

    if as_json:
        out.print_json([_as_json(run) for run in runs])
        return
    for run in runs:
        header = run.header
        assert header.imported is not None
        told = f"{header.imported.spans:,} spans, {run.calls:,} model calls, {run.tool_calls:,} tool calls"
        out.say(f"✓ {header.title}: {told}, verdict {header.verdict.value if header.verdict else 'unknown'}")
        out.say(f"  recorded in {run.path}")
        for warning in header.warnings:
            out.say(f"  note: {warning}")
        if run.problem:
            out.say(f"  unreadable: {run.problem}")
        if lost := header.completeness.lost.total:
            out.say(f"  warning: {lost:,} records could not be written ({header.completeness.lost.first_error})")
    where = [] if store == default_store() else ["--store", str(store)]
    out.say(f"Next: {shlex.join(['cabtrace', 'replay', *where, runs[0].header.key])}")


def _as_json(run: ImportedRun) -> dict[str, object]:
    header = run.header
    return {
        **header.identity(),
        "path": str(run.path),
        "trace_id": header.trace_id,
        "verdict": header.verdict,
        "agent": header.agent.name,
        "model": header.model,
        "model_calls": run.calls,
        "tool_calls": run.tool_calls,
        "imported": asdict(header.imported) if header.imported else None,
        "lost_records": header.completeness.lost.total,
    }
