"""Closes a run whose recorder died: torn tails are cut, spans that never ended get an end that says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from cabtrace.errors import StoreError
from cabtrace.model import semconv as sc
from cabtrace.model.merge import merge_spans
from cabtrace.model.otlp import ValueEncoder, encode_attributes, span_to_otlp
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.span import STATUS_ERROR, SpanRecord, SpanState
from cabtrace.store import layout
from cabtrace.store.appendlog import AppendLog
from cabtrace.store.clock import iso_utc
from cabtrace.store.files import Files, remove_temporaries, replace_file
from cabtrace.store.lock import RunLock
from cabtrace.store.manifest import build_manifest
from cabtrace.store.reader import RunView
from cabtrace.store.seal import Merge, seal_trace

_LOGS = (layout.TRACE, layout.OPEN, layout.LOGS, layout.TERMINAL, layout.CALLS)


@dataclass(frozen=True, slots=True)
class Found:
    """What the agent left outside of the run: how it goes into the trace, what to say of it, how much of it was kept."""

    merge: Merge = merge_spans
    warnings: tuple[str, ...] = ()
    files: int = 0
    tool_calls: int = 0


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was done. `closed_spans` 0 and `cut_bytes` {} on a run that was whole."""

    already_closed: bool
    closed_spans: int
    cut_bytes: dict[str, int]
    found: Found = Found()


def recover(path: Path, look: Callable[[RunView], Found] | None = None) -> Recovery:
    """Closes the run at `path`.

    Args:
        path: The run's directory.
        look: Called once, with the run's lock held, for a run that was still being recorded when its recorder died; it may put
            files into the run's directory, and must not raise.

    Raises:
        StoreError: It is still being recorded, or cannot be written.
    """
    run = RunView(path)
    if run.header.status != "running" and not (path / layout.LOCK).exists():
        return Recovery(already_closed=True, closed_spans=0, cut_bytes={})
    try:
        lock = RunLock(path)
    except BlockingIOError as error:
        raise StoreError(f"{path} is being recorded right now.", hint="Wait for it, or end its recorder.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error.strerror}).") from error
    try:
        return _recover(run, look) if run.header.status == "running" else _seal(run)
    except OSError as error:
        raise StoreError(f"{path} could not be recovered ({error.strerror}); nothing was lost.") from error
    finally:
        lock.release()


def _seal(run: RunView) -> Recovery:
    """Of a recorder that died between its last run.json and the end of its work: only the seal may be missing."""
    (run.path / layout.RESERVE).unlink(missing_ok=True)
    remove_temporaries(run.path)
    if not (run.path / layout.MANIFEST).exists():
        replace_file(Files(), run.path / layout.MANIFEST, orjson.dumps(build_manifest(run.path)))
    return Recovery(already_closed=False, closed_spans=0, cut_bytes={})


def _recover(run: RunView, look: Callable[[RunView], Found] | None) -> Recovery:
    files, end_ns = Files(), run.end_ns
    found = look(run) if look else Found()
    pending = [s for s in run.spans() if s.state is not SpanState.ENDED]
    cut: dict[str, int] = {}
    for name in _LOGS:
        closing = pending if name == layout.TRACE else []
        if not closing and not (run.path / name).exists():
            continue
        log = AppendLog(run.path / name, files)
        if log.cut_bytes:
            cut[name] = log.cut_bytes
        for span in closing:
            log.append(_closing_line(span, end_ns))
        log.sync()
        log.close()
    warnings = (*run.header.warnings, *found.warnings)
    try:
        warnings += seal_trace(run.path, found.merge).notes
    except OSError as error:
        warnings += (f"The agent's own spans could not be merged into the trace ({error.strerror or error}).",)
    header = replace(
        run.header,
        status="recovered",
        ended_at=iso_utc(end_ns),
        duration_s=max(0, end_ns - run.start_ns) / 1e9,
        verdict=run.header.verdict or Verdict.ERROR,
        cause=run.header.cause or Cause.HARNESS_FAILED,
        warnings=warnings,
        cause_detail=run.header.cause_detail or "the recorder was killed before the cell ended",
    )
    (run.path / layout.RESERVE).unlink(missing_ok=True)
    remove_temporaries(run.path)
    data = orjson.dumps(header, option=orjson.OPT_INDENT_2) + b"\n"
    replace_file(files, run.path / layout.RUN, data)
    replace_file(files, run.path / layout.MANIFEST, orjson.dumps(build_manifest(run.path)))
    return Recovery(already_closed=False, closed_spans=len(pending), cut_bytes=cut, found=found)


def _closing_line(span: SpanRecord, end_ns: int) -> bytes:
    attributes = {**span.attributes, sc.ABORTED: True}
    if span.attributes.get(sc.SPAN_KIND) == sc.SpanKind.MODEL_CALL:
        attributes[sc.CALL_INCOMPLETE] = True
    closed = replace(
        span,
        attributes=attributes,
        end_ns=max(end_ns, span.start_ns),
        status_code=STATUS_ERROR,
        status_message="its end was never recorded; closed by `cabtrace recover`",
    )
    resource = {"attributes": encode_attributes(span.resource, ValueEncoder(), [])}
    scope = {"name": span.scope, "version": span.scope_version}
    scope_spans = [{"scope": scope, "spans": [span_to_otlp(closed)]}]
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scope_spans}]}) + b"\n"
