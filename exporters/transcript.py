"""A run as a conversation: what the model said at each call, which tools it asked for, and what they answered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.model_call import ModelCall
from cabtrace.model.span import SpanRecord

if TYPE_CHECKING:
    from cabtrace.store.reader import RunView


@dataclass(frozen=True, slots=True)
class ToolUse:
    """`arguments` as the model wrote them. `result` is None where it was not recorded."""

    tool_call_id: str
    name: str
    arguments: Any = None
    result: str | None = None
    exit_code: int | None = None
    error: str = ""
    duration_ns: int | None = None

    def arguments_text(self) -> str:
        """As text: a string as it is, anything else as JSON."""
        if isinstance(self.arguments, str):
            return self.arguments
        return "" if self.arguments is None else orjson.dumps(self.arguments, default=str).decode()

    def arguments_object(self) -> dict[str, Any]:
        """As an object; what is none is put below `arguments`."""
        value = self.arguments
        if isinstance(value, str):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                return {"arguments": value} if value else {}
        if isinstance(value, Mapping):
            return {str(k): v for k, v in value.items()}
        return {} if value is None else {"arguments": value}


@dataclass(frozen=True, slots=True)
class Turn:
    """A model call with what came of it; `recorded` is False where bodies were not kept."""

    call: ModelCall
    text: str
    reasoning: str
    tools: tuple[ToolUse, ...]
    recorded: bool


def turns(run: RunView) -> Iterator[Turn]:
    """All model calls in order; bodies are read one at a time."""
    by_id, by_call = _tool_spans(run)
    for call in run.calls():
        messages = run.call_body(call.call_id).output_messages
        parts = [p for m in messages or () for p in m.get("parts") or () if isinstance(p, Mapping)]
        tools = tuple(_tool_use(p, by_id) for p in parts if p.get("type") == "tool_call")
        if messages is None:
            tools = tuple(_from_span(s) for s in by_call.get(call.call_id, ()))
        yield Turn(call, _joined(parts, "text"), _joined(parts, "reasoning"), tools, messages is not None)


def instructions(run: RunView) -> str:
    """What the agent was asked."""
    return run.header.task.instruction


def _tool_spans(run: RunView) -> tuple[dict[str, SpanRecord], dict[str, list[SpanRecord]]]:
    by_id: dict[str, SpanRecord] = {}
    by_call: dict[str, list[SpanRecord]] = {}
    for span in run.spans():
        if span.attributes.get(sc.GEN_AI_OPERATION) != "execute_tool":
            continue
        if call_id := span.text(sc.GEN_AI_TOOL_CALL_ID):
            by_id[call_id] = span
        by_call.setdefault(span.text(sc.TOOL_CALL_ASKED_BY), []).append(span)
    return by_id, by_call


def _joined(parts: list[Mapping[str, Any]], kind: str) -> str:
    return "\n".join(str(p.get("content") or "") for p in parts if p.get("type") == kind)


def _tool_use(part: Mapping[str, Any], spans: Mapping[str, SpanRecord]) -> ToolUse:
    call_id, name = str(part.get("id") or ""), str(part.get("name") or "")
    span = spans.get(call_id)
    if span is None:
        return ToolUse(call_id, name, part.get("arguments"))
    return _from_span(span, part.get("arguments"))


def _from_span(span: SpanRecord, arguments: Any = None) -> ToolUse:
    result = span.attributes.get(sc.GEN_AI_TOOL_RESULT)
    return ToolUse(
        span.text(sc.GEN_AI_TOOL_CALL_ID) or span.span_id,
        span.text(sc.GEN_AI_TOOL_NAME) or span.name,
        span.attributes.get(sc.GEN_AI_TOOL_ARGUMENTS) if arguments is None else arguments,
        None if result is None else str(result),
        span.integer(sc.EXIT_CODE),
        (span.status_message or "error") if span.failed else "",
        None if span.end_ns is None else span.end_ns - span.start_ns,
    )
