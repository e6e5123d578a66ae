"""A run with everything in it, made by the real writer from fixed ids and times: the same bytes every time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId
from cabtrace.model.otlp import ValueEncoder, encode_attributes, span_to_otlp
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, Clock, Completeness, RunHeader, SandboxInfo, TaskInfo
from cabtrace.model.span import KIND_CLIENT, STATUS_ERROR, STATUS_OK, SpanEvent, SpanRecord
from cabtrace.store.cast import CastHeader
from cabtrace.store.clock import iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt
from tests.support.sample_text import INSTRUCTION, PATCH, TURNS, VERIFIER_FAIL, VERIFIER_PASS, Turn

START_NS = 1_781_663_488_314_919_000
DURATION_NS = 48_263_925_000
TRACE_ID = "58818d09495649df80e6d5be93fbfeca"
MODEL = "stepfun-ai/step-3.5-flash"
TASK = "polyglot/rust-error-handling"
AGENT = "reference"
LAUNCH_MS = 31
TURN_MS = 7_800
COLUMNS, ROWS = 100, 30


class _Recorder:
    """Numbers spans and writes them with their bodies."""

    def __init__(self, writer: RunWriter, turns: tuple[Turn, ...]) -> None:
        self.writer = writer
        self.turns = turns
        self._next = 0

    def new_id(self) -> str:
        self._next += 1
        return f"{0xB0_0000_0000 + self._next:016x}"

    def span(
        self,
        name: str,
        kind: str,
        start_ms: float,
        end_ms: float,
        *,
        parent: str | None,
        attributes: Mapping[str, Any] | None = None,
        events: tuple[SpanEvent, ...] = (),
        error: str = "",
        span_id: str = "",
        client: bool = False,
    ) -> str:
        span_id = span_id or self.new_id()
        record = SpanRecord(
            trace_id=TRACE_ID,
            span_id=span_id,
            parent_id=parent,
            name=name,
            start_ns=at(start_ms),
            end_ns=at(end_ms),
            kind=KIND_CLIENT if client else 1,
            status_code=STATUS_ERROR if error else STATUS_OK,
            status_message=error,
            attributes={sc.SPAN_KIND: kind, **(attributes or {})} if kind else dict(attributes or {}),
            events=events,
        )
        write_span(self.writer, record)
        return span_id


def at(ms: float) -> int:
    """Unix nanoseconds, so many milliseconds into the run."""
    return START_NS + round(ms * 1e6)


def write_span(writer: RunWriter, span: SpanRecord, resource: Mapping[str, Any] | None = None, *, log: str = "trace") -> None:
    """One line of trace.jsonl, or of open.jsonl."""
    attributes = encode_attributes(resource or {sc.SERVICE_NAME: "cabtrace"}, ValueEncoder(), [])
    scope_spans = [{"scope": {"name": "cabtrace", "version": "0.1.0"}, "spans": [span_to_otlp(span)]}]
    line = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": scope_spans}]}
    writer.append(log, orjson.dumps(line) + b"\n")


def build_sample_run(store: Path, *, failing: bool = True, turns: tuple[Turn, ...] = TURNS) -> Path:
    """Six model calls, five tool calls, a coloured terminal, a patch, scores and a verifier; failing, or passing."""
    cell = CellId("demo", AGENT, MODEL, TASK)
    path, attempt = allocate_attempt(store, cell)
    writer = RunWriter(path, _header(cell, attempt))
    recorder = _Recorder(writer, turns)
    root, adapter, container = (recorder.new_id() for _ in range(3))
    recorder.span(f"prepare:{TASK}", "task_setup", 0.4, 12.4, parent=root, attributes=_SETUP)
    recorder.span("applied_plugins", "tool_call", 14, 14.1, parent=adapter, attributes={sc.TUI: AGENT, sc.PLUGINS_COUNT: 0})
    writer.start_terminal(CastHeader(COLUMNS, ROWS, START_NS // 10**9, "cabtrace-agent"), at(LAUNCH_MS))
    call_events = tuple(_turn(recorder, container, index, turn) for index, turn in enumerate(turns, 1))
    _chatter(recorder, container)
    end_ms = LAUNCH_MS + len(turns) * TURN_MS
    recorder.span(f"{AGENT}:launch", "container", LAUNCH_MS, end_ms, parent=adapter, span_id=container, attributes=_CONTAINER)
    recorder.span(
        f"{AGENT}:{TASK}",
        "adapter_run",
        13,
        end_ms + 2,
        parent=root,
        span_id=adapter,
        events=call_events,
        attributes={sc.TIMEOUT_S: 600.0, sc.PLUGIN_STACK: [], sc.EXIT_CODE: 0},
    )
    _finish(recorder, root, end_ms, failing=failing)
    verdict, cause = (Verdict.FAILED, Cause.TESTS_FAILED) if failing else (Verdict.PASSED, Cause.PASSED)
    duration_ms = DURATION_NS / 1e6
    recorder.span(
        f"cell {AGENT} {TASK}",
        "cell",
        0,
        duration_ms,
        parent=None,
        span_id=root,
        error="2 of 5 tests failed" if failing else "",
        attributes={
            sc.CELL_ID: str(cell),
            sc.SWEEP: "demo",
            sc.VERDICT: verdict.value,
            sc.CAUSE: cause.value,
            sc.ATTEMPT: attempt,
        },
    )
    writer.close(
        status="finished",
        ended_at=iso_utc(START_NS + DURATION_NS),
        duration_s=DURATION_NS / 1e9,
        verdict=verdict,
        cause=cause,
        cause_detail="2 of 5 tests failed: tests::bad_input_reports_index_and_value, tests::empty" if failing else "",
        exit_code=0,
        verifier_exit_code=101 if failing else 0,
        scores=_scores(failing=failing),
        completeness=Completeness(model_calls="complete"),
    )
    return path


def _header(cell: CellId, attempt: int) -> RunHeader:
    return RunHeader(
        cabtrace_version="0.1.0",
        run_id=f"{0x00109B2EE7EE4447B70BD1A3DB41A20D + attempt - 1:032x}",
        cell_id=str(cell),
        sweep_id="demo",
        attempt=attempt,
        task=TaskInfo(
            id=TASK, name="rust-error-handling", category="polyglot", instruction=INSTRUCTION, expected_changes=("src/lib.rs",)
        ),
        agent=AgentInfo(
            name=AGENT, version="0.1.0", argv=("cabtrace-agent", "--prompt", INSTRUCTION), env_keys=("OPENAI_API_KEY",)
        ),
        model=MODEL,
        provider="stepfun",
        endpoint="http://127.0.0.1:8123",
        sandbox=SandboxInfo(kind="local", left_open=("a local sandbox isolates nothing",)),
        trace_id=TRACE_ID,
        started_at=iso_utc(START_NS),
        timeout_s=600.0,
        clock=Clock(wall_ns=START_NS, monotonic_ns=1_000_000_000),
    )


def _turn(recorder: _Recorder, container: str, index: int, turn: Turn) -> SpanEvent:
    """A model call, its bodies, the tool call that it asked for, and what the terminal showed."""
    start_ms = LAUNCH_MS + 120 + (index - 1) * TURN_MS
    latency_ms = turn.latency_ms
    call_id = recorder.new_id()
    request_hash = f"{index:x}f{index * 7919:06x}9c1e3b7a" * 4
    finish = "tool_calls" if turn.command else "stop"
    attributes: dict[str, Any] = {
        sc.GEN_AI_OPERATION: "chat",
        sc.GEN_AI_PROVIDER: "stepfun",
        sc.GEN_AI_REQUEST_MODEL: MODEL,
        sc.GEN_AI_RESPONSE_MODEL: MODEL,
        sc.CALL_INDEX: index,
        sc.CALL_API: "openai.chat",
        sc.CALL_REQUEST_HASH: request_hash,
        sc.GEN_AI_INPUT_TOKENS: turn.prompt_tokens,
        sc.GEN_AI_OUTPUT_TOKENS: turn.completion_tokens,
        sc.GEN_AI_CACHE_READ_TOKENS: turn.prompt_tokens // 2 if index > 1 else 0,
        sc.GEN_AI_FINISH_REASONS: [finish],
        sc.GEN_AI_TTFT_S: round(latency_ms * 0.3 / 1e3, 3),
        sc.GEN_AI_REQUEST_STREAM: True,
        sc.HTTP_STATUS: 200,
    }
    end_ms = start_ms + latency_ms
    _bodies(recorder, call_id, index, start_ms, end_ms)
    _type(recorder.writer, start_ms + latency_ms * 0.3, end_ms, turn.said)
    recorder.span(
        f"chat {MODEL}", "model_call", start_ms, end_ms, parent=container, attributes=attributes, span_id=call_id, client=True
    )
    if turn.command:
        tool_end_ms = end_ms + turn.tool_ms
        recorder.writer.terminal(at(end_ms + 20), "o", f"\x1b[1;36m▸ shell\x1b[0m \x1b[2m{turn.command}\x1b[0m\r\n")
        recorder.writer.terminal(at(tool_end_ms - 5), "o", turn.output)
        recorder.span(
            "execute_tool shell",
            "tool_call",
            end_ms + 15,
            tool_end_ms,
            parent=container,
            error="exit code 101" if turn.exit_code else "",
            attributes={
                sc.GEN_AI_OPERATION: "execute_tool",
                sc.GEN_AI_TOOL_NAME: "shell",
                sc.GEN_AI_TOOL_CALL_ID: f"call_{index}",
                sc.GEN_AI_TOOL_ARGUMENTS: orjson.dumps({"command": turn.command}).decode(),
                sc.EXIT_CODE: turn.exit_code,
            },
        )
    return SpanEvent(sc.MODEL_CALL_EVENT, at(end_ms), {sc.CALL_INDEX: index, sc.CALL_REQUEST_HASH: request_hash})


def _type(writer: RunWriter, start_ms: float, end_ms: float, said: str) -> None:
    """The model's words as a stream."""
    words = said.split(" ")
    for i, word in enumerate(words):
        writer.terminal(at(start_ms + (end_ms - start_ms) * i / len(words)), "o", word + " ")
    writer.terminal(at(end_ms), "o", "\r\n")


def _bodies(recorder: _Recorder, call_id: str, index: int, start_ms: float, end_ms: float) -> None:
    messages = [
        {"role": "system", "parts": [{"type": "text", "content": "You are a careful engineer. Use the shell tool."}]},
        {"role": "user", "parts": [{"type": "text", "content": INSTRUCTION}]},
    ]
    for number, turn in enumerate(recorder.turns[: index - 1], 1):
        messages += [_answer(number, turn), _tool_result(number, turn)]
    answer = _answer(index, recorder.turns[index - 1])
    for record in (
        {
            "call_id": call_id,
            "type": "request",
            "t_ns": at(start_ms),
            "index": index,
            "path": "/v1/chat/completions",
            "tool_names": ["shell"],
            "input_messages": messages,
            "body": {"model": MODEL, "stream": True, "messages": len(messages)},
        },
        {"call_id": call_id, "type": "data", "chunks": [[at(end_ms), 12]], "text": "data: [DONE]"},
        {"call_id": call_id, "type": "response", "t_ns": at(end_ms), "status": 200, "output_messages": [answer]},
    ):
        recorder.writer.append("calls", orjson.dumps(record) + b"\n")


def _answer(index: int, turn: Turn) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "content": turn.said}]
    if turn.command:
        parts.append({"type": "tool_call", "id": f"call_{index}", "name": "shell", "arguments": {"command": turn.command}})
    return {"role": "assistant", "parts": parts, "finish_reason": "tool_calls" if turn.command else "stop"}


def _tool_result(index: int, turn: Turn) -> dict[str, Any]:
    from cabtrace.store.plaintext import plain_text

    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": f"call_{index}", "response": plain_text(turn.output)}]}


def _chatter(recorder: _Recorder, container: str) -> None:
    """An agent's own spans: a session with a dozen database look-ups in it."""
    session = recorder.new_id()
    for i in range(12):
        start_ms = LAUNCH_MS + 40 + i * 4
        recorder.span("SELECT sessions", "", start_ms, start_ms + 1.5, parent=session, attributes={"db.system.name": "sqlite"})
    recorder.span("agent.session", "agent", LAUNCH_MS + 35, LAUNCH_MS + 95, parent=container, span_id=session)


def _finish(recorder: _Recorder, root: str, end_ms: float, *, failing: bool) -> None:
    writer = recorder.writer
    verifier = VERIFIER_FAIL if failing else VERIFIER_PASS
    writer.write_file("workspace.patch", PATCH.encode())
    changes = {
        "added": ["notes.txt"],
        "removed": [],
        "modified": ["src/lib.rs"],
        "extra_git_dir": False,
        "cut": False,
        "notes": [],
    }
    writer.write_file("artifacts/changes.json", orjson.dumps(changes))
    writer.write_file("artifacts/verifier.json", orjson.dumps(verifier))
    recorder.span(
        f"verify:{TASK}",
        "verifier",
        end_ms + 10,
        end_ms + 1_210,
        parent=root,
        error="the tests failed" if failing else "",
        attributes={sc.EXIT_CODE: verifier["exit_code"]},
    )
    for i, (axis, result) in enumerate(_scores(failing=failing).items()):
        start_ms = end_ms + 1_215 + i * 2
        event = SpanEvent(
            sc.EVALUATION_EVENT,
            at(start_ms + 0.5),
            {
                sc.GEN_AI_EVALUATION_NAME: axis,
                sc.GEN_AI_EVALUATION_SCORE: result["value"] if result["value"] is not None else "unknown",
            },
        )
        recorder.span(f"score:{axis}", "score", start_ms, start_ms + 1, parent=root, events=(event,))
    last_ms = DURATION_NS / 1e6
    recorder.span(f"cleanup:{AGENT}", "cleanup", last_ms - 3, last_ms - 0.5, parent=root, attributes={sc.REMOVED: ["workdir"]})


def _scores(*, failing: bool) -> dict[str, dict[str, Any]]:
    passed = 0 if failing else 1
    prompt, completion = sum(t.prompt_tokens for t in TURNS), sum(t.completion_tokens for t in TURNS)
    values: dict[str, tuple[float | None, dict[str, Any]]] = {
        "pass_rate": (
            float(passed),
            {"pass": passed, "exit_code": 101 if failing else 0, "timed_out": False, "partial_score": None},
        ),
        "tokens": (
            None if failing else float(prompt + completion),
            {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "model_calls": len(TURNS),
            },
        ),
        "latency": (48_263.925, {"wall_clock_ms": 48_263.925, "container_active_ms": 46_800.0}),
        "blast_radius": (
            0.5,
            {"blast_radius": 0.5, "unexpected_changes": ["notes.txt"], "expected_changes": ["src/lib.rs"], "total_changes": 2},
        ),
        "refusal": (None, {"refusal": None, "not_applicable": True, "expected_refusal": False}),
        "integrity": (1.0, {"integrity": 1, "not_applicable": False, "task_id": TASK}),
        "composite": (
            0.335 if failing else 0.885,
            {"weights": {"pass_rate": 0.4, "integrity": 0.2, "cost": 0.15, "latency": 0.15, "blast_radius": 0.1}},
        ),
    }
    return {axis: {"version": "1", "value": value, "values": more, "inputs": {}} for axis, (value, more) in values.items()}


_SETUP = {sc.WORKDIR: "<scratch>/workdir", sc.TASK_CATEGORY: "polyglot", sc.PLUGIN_STACK: [], sc.BEHAVIOR_MODE: "factory"}
_CONTAINER = {
    sc.SANDBOX: "local",
    sc.PROCESS_ARGS: ["cabtrace-agent", "--prompt", INSTRUCTION],
    sc.TIMEOUT_S: 600.0,
    sc.EXIT_CODE: 0,
    sc.PROCESS_PID: 4242,
    sc.TIMED_OUT: False,
}
