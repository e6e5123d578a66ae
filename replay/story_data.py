"""The story of a run as data, for programs: `cabtrace replay --json`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from cabtrace.diagnose.finding import Diagnosis, Finding
from cabtrace.model.model_call import ModelCall
from cabtrace.model.span import SpanState
from replay import display
from replay.cause import find_cause
from replay.places import Found
from replay.run import ReplayRun, Snapshot
from replay.timeline import Row

if TYPE_CHECKING:
    from cabtrace.model.run import RunHeader

VERSION = 1
_RUNNING_MOST = 1_000
_ABOVE_MOST = 200


def as_data(run: ReplayRun, *, found: Found | None = None) -> dict[str, Any]:
    """What `replay.story.tell` tells, as JSON takes it. Unknown is None; strings are as recorded, hence hostile.

    Seconds (`*_s`) count from the start of the run. `docs/replay.md` has the shape, `version` changes with it.
    """
    snapshot = run.snapshot
    return {
        "version": VERSION,
        "path": str(run.path),
        **snapshot.header.identity(),
        **_about(snapshot),
        **_why(snapshot, find_cause(run, snapshot)),
        "scores": {name: result.get("value") for name, result in snapshot.header.scores.items()},
        "at": None if found is None else _moment(snapshot, found),
        "calls": [_call(snapshot, call) for call in snapshot.calls],
        "markers": list(_markers(snapshot)),
        "tests": dict(run.verification()) or None,
        "changes": dict(run.changes()) or None,
        "warnings": list(snapshot.warnings),
    }


def _about(snapshot: Snapshot) -> dict[str, Any]:
    header: RunHeader = snapshot.header
    return {
        "title": header.title,
        "agent": {"name": header.agent.name, "version": header.agent.version or None},
        "model": header.model or None,
        "task": {"id": header.task.id, "instruction": header.task.instruction or None},
        "sandbox": header.sandbox.kind,
        "state": "running" if snapshot.live else "aborted" if snapshot.aborted else header.status,
        "verdict": header.verdict,
        "recorded_cause": header.cause,
        "cause_detail": header.cause_detail or None,
        "exit_code": header.exit_code,
        "started_at": header.started_at,
        "ended_at": header.ended_at or None,
        "duration_s": header.duration_s,
        "length_s": _seconds(snapshot.timeline.duration_ns),
        "start_unix_nano": snapshot.timeline.start_ns,
        "spans": len(snapshot.timeline.spans),
        "model_calls_recorded": header.completeness.model_calls,
        "records_lost": header.completeness.lost.total,
    }


def _why(snapshot: Snapshot, diagnosis: Diagnosis | str) -> dict[str, Any]:
    if isinstance(diagnosis, str):
        return {"cause": None, "cause_unknown": diagnosis, "evidence": [], "critical_path": None}
    return {
        "cause": _finding(snapshot, diagnosis.cause),
        "cause_unknown": None,
        "evidence": [_finding(snapshot, finding) for finding in diagnosis.findings if finding != diagnosis.cause],
        "critical_path": diagnosis.shares or None,
    }


def _finding(snapshot: Snapshot, finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "at_s": None if finding.time_ns is None else _seconds(finding.time_ns - snapshot.timeline.start_ns),
        "span_id": finding.span_id or None,
        "sentence": finding.sentence,
        "detail": finding.detail or None,
    }


def _moment(snapshot: Snapshot, found: Found) -> dict[str, Any]:
    """The place that was asked for: its span with those above it, all that ran at that instant, and the call in flight."""
    timeline, at_ns = snapshot.timeline, found.offset_ns
    focus = timeline.focus_at(at_ns) if found.row is None else found.row
    path = [] if focus is None else [focus, *islice(timeline.ancestors(focus), _ABOVE_MOST)]
    running = timeline.active_at(at_ns)
    index = snapshot.call_at(at_ns)
    return {
        "at_s": _seconds(at_ns),
        "time_unix_nano": timeline.start_ns + at_ns,
        "link": display.at_words(at_ns),
        "path": [_span(timeline.row(row), at_ns) for row in reversed(path)],
        "running": [_span(timeline.row(row), at_ns) for row in running[:_RUNNING_MOST]],
        "running_in_all": len(running),
        "call": None if index is None else snapshot.calls[index].index,
    }


def _span(row: Row, at_ns: int) -> dict[str, Any]:
    """A span as it was at an instant."""
    span = row.span
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "title": display.title(span),
        "kind": display.kind(span),
        "depth": row.depth,
        "state": _state(row, at_ns),
        "start_s": _seconds(row.start_ns),
        "end_s": None if span.end_ns is None else _seconds(row.end_ns),
    }


def _state(row: Row, at_ns: int) -> str:
    if at_ns < row.start_ns:
        return "not begun"
    if at_ns < row.end_ns or row.span.state is SpanState.RUNNING:
        return "running"
    if row.span.state is SpanState.ABORTED:
        return "never ended"
    return "failed" if row.span.failed else "ended"


def _call(snapshot: Snapshot, call: ModelCall) -> dict[str, Any]:
    usage = call.usage
    return {
        "index": call.index,
        "span_id": call.call_id,
        "start_s": _seconds(snapshot.call_offset_ns(call)),
        "latency_ms": call.latency_ms,
        "time_to_first_token_s": call.time_to_first_chunk_s,
        "request_hash": call.request_hash or None,
        "model": call.response_model or call.request_model or None,
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "cached_tokens": usage.cache_read,
        "reasoning_tokens": usage.reasoning,
        "finish_reasons": list(call.finish_reasons),
        "http_status": call.http_status,
        "error": call.error or None,
        "incomplete": call.incomplete,
    }


def _markers(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """Where the bracket keys of the replay go, in order of time."""
    timeline = snapshot.timeline
    for marker in timeline.markers:
        row = timeline.row(marker.row)
        yield {
            "kind": marker.kind.value,
            "at_s": _seconds(marker.offset_ns),
            "span_id": row.span.span_id,
            "title": display.title(row.span),
        }


def _seconds(offset_ns: int) -> float:
    return round(offset_ns / 1e9, 6)
