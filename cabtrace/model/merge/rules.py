"""What an agent's own spans say of model calls and tool calls, whatever it calls them. Seen in the CLIs' own exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord

_CALL_OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content", "llm_call"})
_CALL_NAMES: Final = frozenset(
    {
        "claude_code.llm_request",
        "codex.sampling",
        "llm_call",
        "LLM.run",
        "ai.streamText.doStream",
        "ai.generateText.doGenerate",
    }
)
_TOOL_OPERATIONS: Final = frozenset({"execute_tool", "tool_call"})
_TOOL_NAMES: Final = frozenset({"claude_code.tool", "ai.toolCall"})
# most specific first: what several agents use for many things comes last
_MODEL: Final = (sc.GEN_AI_REQUEST_MODEL, sc.GEN_AI_RESPONSE_MODEL, "model", "ai.model.id")
_INPUT: Final = (sc.GEN_AI_INPUT_TOKENS, "input_tokens", "ai.usage.promptTokens", "ai.usage.inputTokens")
_OUTPUT: Final = (sc.GEN_AI_OUTPUT_TOKENS, "output_tokens", "ai.usage.completionTokens", "ai.usage.outputTokens")
_CACHE_READ: Final = (sc.GEN_AI_CACHE_READ_TOKENS, "cache_read_tokens", "ai.usage.cachedInputTokens")
_CACHE_WRITE: Final = (sc.GEN_AI_CACHE_WRITE_TOKENS, "cache_creation_tokens")
_RESPONSE_ID: Final = (sc.GEN_AI_RESPONSE_ID, "ai.response.id", "response_id")
_TOOL_ID: Final = (sc.GEN_AI_TOOL_CALL_ID, "gen_ai.tool.call_id", "tool_use_id", "tool_call_id", "call_id", "ai.toolCall.id")
_TOOL_NAME: Final = (sc.GEN_AI_TOOL_NAME, "tool_name", "tool.name", "ai.toolCall.name")
_TOOL_ARGUMENTS: Final = (sc.GEN_AI_TOOL_ARGUMENTS, "tool_input", "ai.toolCall.args")
_TOOL_RESULT: Final = (sc.GEN_AI_TOOL_RESULT, "ai.toolCall.result")
_EXIT_CODE: Final = (sc.PROCESS_EXIT_CODE, "exit_code")


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What tells a model call from others. `inputs`: what its count of input tokens may mean, with and without cached ones."""

    models: frozenset[str]
    inputs: frozenset[int]
    output: int | None
    response_id: str


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """A tool call as a span tells it; "" and None are unknown."""

    tool_call_id: str
    name: str
    arguments: str
    result: str
    exit_code: int | None


def is_telemetry(span: SpanRecord) -> bool:
    """Whether the agent itself sent it, and it has not become anything else since."""
    attributes = span.attributes
    return (
        attributes.get(sc.SOURCE) == sc.SOURCE_TELEMETRY
        and attributes.get(sc.SPAN_KIND) == sc.SpanKind.AGENT
        and attributes.get(sc.SYNTHETIC) is not True
    )


def is_call(span: SpanRecord) -> bool:
    """Whether an agent's span is one call of a model."""
    return is_telemetry(span) and (span.text(sc.GEN_AI_OPERATION) in _CALL_OPERATIONS or span.name in _CALL_NAMES)


def call_facts(span: SpanRecord) -> CallFacts:
    """Of an agent's span or of the proxy's; the conventions' names are theirs both."""
    sent = _count(span, _INPUT)
    cached, written = _count(span, _CACHE_READ) or 0, _count(span, _CACHE_WRITE) or 0
    inputs = frozenset() if sent is None else frozenset({sent, sent + cached, sent + cached + written})
    models = frozenset(name.rpartition("/")[2].lower() for key in _MODEL if (name := span.text(key)))
    return CallFacts(models, inputs, _count(span, _OUTPUT), _text(span, _RESPONSE_ID))


def usage(span: SpanRecord) -> dict[str, int]:
    """An agent's token counts under the conventions' names, by their rule: input includes cached."""
    sent, read, written = _count(span, _INPUT), _count(span, _CACHE_READ), _count(span, _CACHE_WRITE)
    if sent is not None and sc.GEN_AI_INPUT_TOKENS not in span.attributes and span.name == "claude_code.llm_request":
        sent += (read or 0) + (written or 0)  # Anthropic counts them apart
    found = {
        sc.GEN_AI_INPUT_TOKENS: sent,
        sc.GEN_AI_OUTPUT_TOKENS: _count(span, _OUTPUT),
        sc.GEN_AI_CACHE_READ_TOKENS: read,
        sc.GEN_AI_CACHE_WRITE_TOKENS: written,
    }
    return {key: value for key, value in found.items() if value is not None}


def tool_facts(span: SpanRecord) -> ToolFacts | None:
    """What an agent's span says of a tool call; None where it is none."""
    tool_call_id, name = _text(span, _TOOL_ID), _text(span, _TOOL_NAME)
    named = span.text(sc.GEN_AI_OPERATION) in _TOOL_OPERATIONS or span.name in _TOOL_NAMES
    if not named and not (tool_call_id and name):
        return None
    return ToolFacts(
        tool_call_id,
        name or span.name.removeprefix("execute_tool ").strip(),
        _text(span, _TOOL_ARGUMENTS) or _gemini_arguments(span),
        _text(span, _TOOL_RESULT) or _event_output(span),
        _count(span, _EXIT_CODE),
    )


def tool_id(span: SpanRecord) -> str:
    """The id of the tool call that a span belongs to, be it the call or a part of it; "" for none."""
    return _text(span, _TOOL_ID)


def plain_id(name: str, tool_call_id: str) -> str:
    """The id as the model's side has it: Gemini CLI puts the tool's name before it."""
    return tool_call_id.removeprefix(f"{name}__") or tool_call_id


def canonical(arguments: str) -> str:
    """Arguments that mean the same as the same text."""
    try:
        return orjson.dumps(orjson.loads(arguments), option=orjson.OPT_SORT_KEYS).decode()
    except (ValueError, TypeError):
        return arguments.strip()


def _gemini_arguments(span: SpanRecord) -> str:
    if span.name != "tool_call":
        return ""
    try:
        asked: Any = orjson.loads(span.text("gen_ai.input.messages"))
        return orjson.dumps(asked["args"]).decode()
    except (ValueError, TypeError, KeyError):
        return ""


def _event_output(span: SpanRecord) -> str:
    for event in span.events:
        if event.name == "tool.output" and isinstance(output := event.attributes.get("output"), str):
            return output
    return ""


def _text(span: SpanRecord, keys: Sequence[str]) -> str:
    return next((value for key in keys if isinstance(value := span.attributes.get(key), str) and value), "")


def _count(span: SpanRecord, keys: Sequence[str]) -> int | None:
    for key in keys:
        value = span.attributes.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
            return int(value)
    return None
