"""A run whose every string is an attack. Each field gets another payload, behind a tag that says which one it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId
from cabtrace.model.otlp import clean_text
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, Clock, Completeness, Losses, RunHeader, SandboxInfo, TaskInfo
from cabtrace.model.span import STATUS_ERROR, SpanEvent, SpanLink, SpanRecord, SpanState
from cabtrace.store.cast import CastHeader
from cabtrace.store.writer import RunWriter, allocate_attempt
from tests.security.escapes_corpus import payloads
from tests.support.sample_run import START_NS, TRACE_ID, at, write_span


class Payloads:
    """Hands out payloads in turn, from a given one on; remembers which field got which."""

    def __init__(self, first: int) -> None:
        self._all = payloads()
        self._next = first
        self.given: list[tuple[str, str]] = []  # (tag, payload)

    def __call__(self) -> str:
        _, payload = self._all[self._next % len(self._all)]
        self._next += 1
        payload = clean_text(payload)  # a lone surrogate cannot be recorded at all
        tag = f"q{len(self.given):03d}"
        self.given.append((tag, payload))
        return tag + payload

    def many(self, count: int) -> Iterator[str]:
        """Several at once."""
        return (self() for _ in range(count))


def build_hostile_run(store: Path, first: int = 0) -> tuple[Path, list[tuple[str, str]]]:
    """The run, and the (tag, payload) of every string in it; `first` rotates the payloads through the fields."""
    bad = Payloads(first)
    path, attempt = allocate_attempt(store, CellId("hostile", "a", "m", "t"))
    writer = RunWriter(path, _header(bad, attempt))
    root, container = "00000000000000a1", "00000000000000a2"
    writer.start_terminal(CastHeader(80, 24, START_NS // 10**9, bad(), bad(), {"TERM": bad()}), at(5))
    for i, payload in enumerate(payloads()):
        writer.terminal(at(6 + i), "o", f"{clean_text(payload[1])}\r\n")
    writer.terminal(at(200), "r", bad())
    _spans(writer, bad, root, container)
    _files(writer, bad)
    writer.close(
        status="finished",
        ended_at=bad(),
        duration_s=1.0,
        verdict=Verdict.FAILED,
        cause=Cause.TESTS_FAILED,
        cause_detail=bad(),
        scores={
            bad(): {"version": bad(), "value": None, "values": {bad(): bad(), "more": [bad(), {bad(): bad()}]}},
            **_scores(bad),
        },
        completeness=Completeness(lost=Losses(trace=1, first_error=bad())),
        warnings=(bad(), bad()),
    )
    return path, bad.given


def _header(bad: Payloads, attempt: int) -> RunHeader:
    return RunHeader(
        cabtrace_version=bad(),
        run_id=bad(),
        cell_id=bad(),
        sweep_id=bad(),
        attempt=attempt,
        task=TaskInfo(id=bad(), name=bad(), category=bad(), instruction=bad(), expected_changes=(bad(),)),
        agent=AgentInfo(name=bad(), version=bad(), argv=(bad(),), env_keys=(bad(),)),
        model=bad(),
        provider=bad(),
        endpoint=bad(),
        sandbox=SandboxInfo(kind="local", image=bad(), image_digest=bad(), left_open=(bad(),)),
        trace_id=TRACE_ID,
        started_at=bad(),
        clock=Clock(wall_ns=START_NS, monotonic_ns=1),
    )


def _scores(bad: Payloads) -> dict[str, Any]:
    return {
        "blast_radius": {"version": "1", "value": 1.0, "values": {"unexpected_changes": [bad()]}},
        "tokens": {"version": "1", "value": None, "values": {"total_tokens": bad()}},
    }


def _spans(writer: RunWriter, bad: Payloads, root: str, container: str) -> None:
    def write(span_id: str, parent: str | None, kind: str, start_ms: int, end_ms: int, more: Mapping[str, Any]) -> None:
        attributes = {sc.SPAN_KIND: kind, bad(): bad(), bad(): [bad(), {bad(): bad()}], **more} if kind else {bad(): bad()}
        event = SpanEvent(bad(), at(start_ms), {bad(): bad(), "exception.message": bad()})
        record = SpanRecord(
            trace_id=TRACE_ID,
            span_id=span_id,
            parent_id=parent,
            name=bad(),
            start_ns=at(start_ms),
            end_ns=at(end_ms),
            status_code=STATUS_ERROR if kind in ("tool_call", "verifier") else 0,
            status_message=bad(),
            attributes=attributes,
            events=(event, SpanEvent("exception", at(start_ms), {"exception.message": bad()})) if kind else (),
            links=(SpanLink(bad(), bad(), {bad(): bad()}),),
            state=SpanState.ENDED,
            scope=bad(),
        )
        write_span(writer, record, {bad(): bad()})

    write(root, None, "cell", 0, 1000, {})
    write(container, root, "container", 5, 900, {})
    call = {
        sc.CALL_INDEX: 1,
        sc.CALL_REQUEST_HASH: bad(),
        sc.GEN_AI_REQUEST_MODEL: bad(),
        sc.GEN_AI_FINISH_REASONS: [bad()],
        sc.ERROR_TYPE: bad(),
    }
    write("00000000000000c1", container, "model_call", 10, 20, call)
    write("00000000000000c2", container, "model_call", 30, 40, {sc.CALL_INDEX: 2, sc.GEN_AI_RESPONSE_MODEL: bad()})
    tool = {sc.GEN_AI_TOOL_NAME: bad(), sc.GEN_AI_TOOL_ARGUMENTS: orjson.dumps({"command": bad()}).decode()}
    write("00000000000000d1", container, "tool_call", 50, 60, tool)
    write("00000000000000d2", container, bad(), 61, 62, {})
    write("00000000000000d3", bad(), "verifier", 63, 64, {})
    for i in range(8):
        write(f"00000000000000e{i:x}", container, "", 70 + i, 71 + i, {})


def _files(writer: RunWriter, bad: Payloads) -> None:
    message = {
        "role": bad(),
        "parts": [
            {"type": "text", "content": bad()},
            {"type": "tool_call", "id": bad(), "name": bad(), "arguments": {bad(): bad()}},
        ],
    }
    answer = {
        "role": bad(),
        "parts": [{"type": "tool_call_response", "id": bad(), "response": bad()}, {"type": bad(), "x": bad()}, bad()],
    }
    for call_id, parsed in (("00000000000000c1", True), ("00000000000000c2", False)):
        request = {"call_id": call_id, "type": "request", "path": bad(), "body": {bad(): bad()}, "tool_names": [bad()]}
        if parsed:
            request["input_messages"] = [message]
        writer.append("calls", orjson.dumps(request) + b"\n")
        writer.append("calls", orjson.dumps({"call_id": call_id, "type": "data", "chunks": [[1, 1]], "text": bad()}) + b"\n")
        response = {"call_id": call_id, "type": "response", "error": bad(), "headers": {bad(): bad()}}
        if parsed:
            response["output_messages"] = [answer]
        writer.append("calls", orjson.dumps(response) + b"\n")
    writer.append("trace", b'{"not a span": "' + b"\\u001b]0;owned" + b'"}\n')
    patch = "\n".join(f"{sign}{payload}" for sign, payload in zip("+-@ +-@ ", bad.many(8), strict=True))
    writer.write_file("workspace.patch", f"diff --git {bad()} {bad()}\n{patch}\n".encode())
    writer.write_file("artifacts/changes.json", orjson.dumps({"added": [bad()], "removed": [bad()], "modified": [bad()]}))
    verifier = {
        "exit_code": 1,
        "stdout_tail": bad(),
        "stderr_tail": bad(),
        "problem": bad(),
        "tests": [{"name": bad(), "passed": False}, {"name": bad(), "passed": [bad()]}],
    }
    writer.write_file("artifacts/verifier.json", orjson.dumps(verifier))
    _notes(writer, bad)


def _notes(writer: RunWriter, bad: Payloads) -> None:
    """Log records, and bookmarks that somebody else set."""
    for number in range(3):
        record = {
            "timeUnixNano": str(at(40 + number)),
            "severityText": bad(),
            "eventName": bad(),
            "body": {"stringValue": bad()},
            "attributes": [{"key": bad(), "value": {"stringValue": bad()}}],
        }
        line = {"resourceLogs": [{"scopeLogs": [{"scope": {"name": bad()}, "logRecords": [record]}]}]}
        writer.append("logs", orjson.dumps(line) + b"\n")
    marks = [{"time_unix_nano": at(100 * number), "note": bad()} for number in range(1, 6)]
    bookmarks = {"format": "cabtrace.bookmarks", "version": 1, "bookmarks": marks}
    (writer.path / "bookmarks.json").write_bytes(orjson.dumps(bookmarks))
