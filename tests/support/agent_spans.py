"""Traces as the CLIs leave them, written by hand after what they were seen to send."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cabtrace.model import semconv as sc
from cabtrace.model.merge import Adoption
from cabtrace.model.span import SpanEvent, SpanRecord, SpanState

TRACE = "0af7651916cd43dd8448eb211c80319c"
CELL, ADAPTER, CONTAINER = "c" * 16, "a" * 16, "b" * 16
BASE_NS = 1_795_359_140_000_000_000
MS = 1_000_000


def make(
    span_id: str, parent: str | None, name: str, start_ms: float, end_ms: float, trace: str = TRACE, **attributes: Any
) -> SpanRecord:
    """A span; `_` in an attribute's name stands for itself, `__` for a dot."""
    return SpanRecord(
        trace_id=trace,
        span_id=span_id,
        parent_id=parent,
        name=name,
        start_ns=BASE_NS + int(start_ms * MS),
        end_ns=BASE_NS + int(end_ms * MS),
        attributes={k.replace("__", "."): v for k, v in attributes.items()},
    )


def harness(*, cell_state: SpanState = SpanState.RUNNING) -> list[SpanRecord]:
    """Container and adapter_run, ended; the cell, which as a rule still runs when the trace is sealed."""
    cell = replace(make(CELL, None, "cell", 0, 2000, cabtrace__span__kind="cell"), state=cell_state)
    if cell_state is not SpanState.ENDED:
        cell = replace(cell, end_ns=None)
    return [
        make(CONTAINER, ADAPTER, "claude-code:launch", 20, 1900, cabtrace__span__kind="container"),
        make(ADAPTER, CELL, "claude-code:task", 10, 1950, cabtrace__span__kind="adapter_run"),
        cell,
    ]


def proxied(span_id: str, index: int, start_ms: float, end_ms: float, **attributes: Any) -> SpanRecord:
    """The proxy's span of a call."""
    known: dict[str, Any] = {
        sc.SPAN_KIND: sc.SpanKind.MODEL_CALL, sc.GEN_AI_OPERATION: "chat", sc.CALL_INDEX: index,
        sc.GEN_AI_REQUEST_MODEL: "fake-model", sc.GEN_AI_INPUT_TOKENS: 105, sc.GEN_AI_OUTPUT_TOKENS: 20,
    }  # fmt: skip
    span = make(span_id, CONTAINER, "chat fake-model", start_ms, end_ms, **attributes)
    return replace(span, kind=3, attributes={**known, **span.attributes})


def inferred(span_id: str, call_id: str, tool_call_id: str, name: str, start_ms: float, end_ms: float) -> SpanRecord:
    """A tool call as the model's side shows it: an upper bound of its time."""
    span = make(span_id, CONTAINER, f"execute_tool {name}", start_ms, end_ms)
    attributes = {
        sc.SPAN_KIND: sc.SpanKind.TOOL_CALL, sc.GEN_AI_OPERATION: "execute_tool", sc.GEN_AI_TOOL_NAME: name,
        sc.GEN_AI_TOOL_CALL_ID: tool_call_id, sc.GEN_AI_TOOL_ARGUMENTS: '{"command":"ls"}', sc.GEN_AI_TOOL_RESULT: "a.txt",
        sc.TOOL_CALL_SOURCES: ("model_calls",), sc.TOOL_CALL_ASKED_BY: call_id,
    }  # fmt: skip
    return replace(span, attributes=attributes)


def adopted(*spans: SpanRecord) -> list[SpanRecord]:
    """As the receiver's records enter the trace."""
    adoption = Adoption(TRACE, CONTAINER, {CELL, ADAPTER, CONTAINER}.__contains__)
    return [found for span in spans if (found := adoption.span(span)) is not None]


def claude(*, killed: bool = False) -> list[SpanRecord]:
    """Two calls and a tool between them, sent by the agent; killed, its root never arrives."""
    usage = {"input_tokens": 100, "output_tokens": 20, "cache_read_tokens": 5, "cache_creation_tokens": 0, "model": "fake-model"}
    tool = make("3000000000000003", "3000000000000001", "claude_code.tool", 210, 400, tool_name="Bash", tool_use_id="toolu_1",
                gen_ai__tool__call__id="toolu_1")  # fmt: skip
    output = SpanEvent("tool.output", BASE_NS + 390 * MS, {"output": "a.txt"})
    spans = [
        make("3000000000000002", "3000000000000001", "claude_code.llm_request", 100, 205, ttft_ms=22, **usage),
        make("3000000000000004", "3000000000000003", "claude_code.tool.blocked_on_user", 211, 240),
        make("3000000000000005", "3000000000000003", "claude_code.tool.execution", 240, 395, tool_use_id="toolu_1",
             gen_ai__tool__call__id="toolu_1"),
        replace(tool, events=(output,)),
        make("3000000000000006", "3000000000000001", "claude_code.llm_request", 405, 480, ttft_ms=29, **usage),
        make("3000000000000001", CONTAINER, "claude_code.interaction", 90, 500),
    ]  # fmt: skip
    return adopted(*(spans[:-1] if killed else spans))


def claude_calls() -> list[SpanRecord]:
    """The proxy's side of the same."""
    first, second = (f"00-{TRACE}-300000000000000{n}-01" for n in (2, 6))
    return [
        proxied("4000000000000001", 1, 110, 200, cabtrace__call__traceparent=first),
        proxied("4000000000000002", 2, 410, 475, cabtrace__call__traceparent=second),
        inferred("4000000000000003", "4000000000000001", "toolu_1", "Bash", 200, 410),
    ]


def foreign(number: int) -> str:
    """Another trace's id."""
    return f"{number:032x}"
