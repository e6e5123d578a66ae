"""The span of a tool call, as each source adds to it. Times: telemetry's before the transcript's before the model's side."""

from __future__ import annotations

from dataclasses import replace

from cabtrace.model import semconv as sc
from cabtrace.model.merge.adopt import fresh_id
from cabtrace.model.merge.bounds import Bounds
from cabtrace.model.merge.fill import united
from cabtrace.model.merge.rules import ToolFacts
from cabtrace.model.merge.transcript import ToolCallLike
from cabtrace.model.span import KIND_INTERNAL, STATUS_ERROR, STATUS_UNSET, AttributeValue, SpanRecord

_ORDER = ("telemetry", "transcript", "model_calls")  # of trust in times


def with_telemetry(span: SpanRecord, own: SpanRecord, facts: ToolFacts) -> SpanRecord:
    """A call known from the model's side, with the agent's own span of it."""
    merged = united(span, own)
    attributes = {**merged.attributes, **_filled(merged, facts), **_sources(merged, "telemetry"), sc.TOOL_CALL_TIMES: "telemetry"}
    end_ns = own.end_ns if own.end_ns is not None else merged.end_ns
    return _judged(replace(merged, start_ns=own.start_ns, end_ns=end_ns, attributes=attributes))


def promoted(own: SpanRecord, facts: ToolFacts) -> SpanRecord:
    """A call that only the agent's telemetry tells of: its span, under the name and the attributes of all tool calls."""
    name = f"execute_tool {facts.name or 'unknown'}"
    attributes: dict[str, AttributeValue] = {**own.attributes, **_filled(own, facts)}
    attributes |= {sc.SPAN_KIND: sc.SpanKind.TOOL_CALL, sc.TOOL_CALL_SOURCES: ("telemetry",), sc.TOOL_CALL_TIMES: "telemetry"}
    if own.text(sc.GEN_AI_OPERATION) != "execute_tool":
        attributes[sc.GEN_AI_OPERATION] = "execute_tool"
        if sc.GEN_AI_OPERATION in own.attributes:
            attributes[sc.ORIGINAL + sc.GEN_AI_OPERATION] = own.attributes[sc.GEN_AI_OPERATION]
    if own.name != name:
        attributes.setdefault(sc.ORIGINAL_NAME, own.name)
    return _judged(replace(own, name=name, attributes=attributes))


def with_transcript(span: SpanRecord, call: ToolCallLike, key: str) -> SpanRecord:
    """A call with what the agent's transcript says of it."""
    if call.exit_code is not None:
        span = _without_guess(span)
    facts = ToolFacts(call.tool_call_id, call.name, call.arguments, call.result, call.exit_code)
    attributes: dict[str, AttributeValue] = {
        **span.attributes,
        **_filled(span, facts),
        **_sources(span, "transcript"),
        sc.TOOL_CALL_TRANSCRIPT: key,
    }
    start_ns, end_ns = span.start_ns, span.end_ns
    timed = call.started_ns is not None or call.ended_ns is not None
    if timed and "telemetry" not in _known_sources(span):
        start_ns = span.start_ns if call.started_ns is None else call.started_ns
        end_ns = span.end_ns if call.ended_ns is None else call.ended_ns
        if end_ns is not None and end_ns < start_ns:
            end_ns = start_ns
        attributes[sc.TOOL_CALL_TIMES] = "transcript"
    return _judged(replace(span, start_ns=start_ns, end_ns=end_ns, attributes=attributes), call.error)


def from_transcript(trace_id: str, call: ToolCallLike, key: str, bounds: Bounds | None = None) -> SpanRecord | None:
    """A call that only the transcript tells of; None where nothing says when. It has no parent yet.

    Without a time of its own it lasts as long as it can have lasted: its times are the model calls', an upper bound.
    """
    start_ns = call.ended_ns if call.started_ns is None else call.started_ns
    end_ns = call.ended_ns
    witnesses: dict[str, AttributeValue] = {sc.TOOL_CALL_SOURCES: ("transcript",), sc.TOOL_CALL_TIMES: "transcript"}
    if start_ns is None and bounds is not None:
        start_ns, end_ns = bounds.start_ns, bounds.end_ns
        witnesses = {sc.TOOL_CALL_SOURCES: ("transcript", "model_calls"), sc.TOOL_CALL_TIMES: "model_calls"}
        witnesses[sc.TOOL_CALL_ASKED_BY] = bounds.asked_by
    if start_ns is None:
        return None
    facts = ToolFacts(call.tool_call_id, call.name, call.arguments, call.result, call.exit_code)
    span = SpanRecord(
        trace_id=trace_id,
        span_id=fresh_id(trace_id, "transcript", key),
        parent_id=None,
        name=f"execute_tool {call.name or 'unknown'}",
        start_ns=start_ns,
        end_ns=max(start_ns, start_ns if end_ns is None else end_ns),
        kind=KIND_INTERNAL,
        attributes={
            sc.SPAN_KIND: sc.SpanKind.TOOL_CALL,
            sc.GEN_AI_OPERATION: "execute_tool",
            **witnesses,
            sc.TOOL_CALL_TRANSCRIPT: key,
        },
    )
    return _judged(replace(span, attributes={**span.attributes, **_filled(span, facts)}), call.error)


def _without_guess(span: SpanRecord) -> SpanRecord:
    """Without the exit code that was read from the words of the result, and what followed from it."""
    if sc.TOOL_EXIT_CODE_FROM not in span.attributes:
        return span
    guessed = (sc.PROCESS_EXIT_CODE, sc.TOOL_EXIT_CODE_FROM, sc.ERROR_TYPE)
    attributes = {key: value for key, value in span.attributes.items() if key not in guessed}
    return replace(span, attributes=attributes, status_code=STATUS_UNSET, status_message="")


def _filled(span: SpanRecord, facts: ToolFacts) -> dict[str, AttributeValue]:
    """What `facts` know and the span does not, or holds only emptily."""
    known: dict[str, AttributeValue] = {
        sc.GEN_AI_TOOL_NAME: facts.name,
        sc.GEN_AI_TOOL_CALL_ID: facts.tool_call_id,
        sc.GEN_AI_TOOL_ARGUMENTS: facts.arguments,
        sc.GEN_AI_TOOL_RESULT: facts.result,
        sc.PROCESS_EXIT_CODE: facts.exit_code,
    }
    made_up = span.text(sc.GEN_AI_TOOL_CALL_ID).startswith(f"{span.text(sc.TOOL_CALL_ASKED_BY)}:")
    unknown = (None, "")
    found: dict[str, AttributeValue] = {}
    found |= {k: v for k, v in known.items() if v not in unknown and span.attributes.get(k) in unknown}
    if facts.tool_call_id and made_up and sc.TOOL_CALL_ASKED_BY in span.attributes:
        found[sc.GEN_AI_TOOL_CALL_ID] = facts.tool_call_id
    return found


def _known_sources(span: SpanRecord) -> tuple[str, ...]:
    value = span.attributes.get(sc.TOOL_CALL_SOURCES)
    return tuple(str(v) for v in value) if isinstance(value, list | tuple) else ()


def _sources(span: SpanRecord, new: str) -> dict[str, AttributeValue]:
    known = {*_known_sources(span), new}
    return {sc.TOOL_CALL_SOURCES: tuple(s for s in _ORDER if s in known)}


def _judged(span: SpanRecord, error: str = "") -> SpanRecord:
    """A tool that failed, or a program that ended with a code, is a failed span; an agent that said so itself is believed."""
    if span.failed:
        return span
    code = span.integer(sc.PROCESS_EXIT_CODE)
    if error:
        kind = str(code) if code else "tool_error"
        message = error
    elif code:
        kind, message = str(code), f"ended with exit code {code}"
    else:
        return span
    attributes = span.attributes if sc.ERROR_TYPE in span.attributes else {**span.attributes, sc.ERROR_TYPE: kind}
    return replace(span, status_code=STATUS_ERROR, status_message=message, attributes=attributes)
