"""Model and tool calls among anyone's spans: by OpenTelemetry's GenAI names, OpenInference's, and those of older libraries.

What a span says under another name is added under OpenTelemetry's; nothing that it says is taken away, and
`cabtrace.import.derived` names what was added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cabtrace.model import semconv as sc
from cabtrace.model.span import Attributes, AttributeValue, SpanRecord

_OURS: Final = frozenset(value for name, value in vars(sc.SpanKind).items() if name.isupper())
_OPERATIONS: Final[Mapping[str, str]] = {
    "chat": sc.SpanKind.MODEL_CALL,
    "text_completion": sc.SpanKind.MODEL_CALL,
    "generate_content": sc.SpanKind.MODEL_CALL,
    "embeddings": sc.SpanKind.MODEL_CALL,
    "execute_tool": sc.SpanKind.TOOL_CALL,
    "invoke_agent": sc.SpanKind.AGENT,
    "create_agent": sc.SpanKind.AGENT,
    "invoke_workflow": sc.SpanKind.AGENT,
}
_OPENINFERENCE: Final[Mapping[str, str]] = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
}
_TRACELOOP: Final[Mapping[str, str]] = {"tool": "execute_tool", "agent": "invoke_agent", "workflow": "invoke_workflow"}
_LLM_REQUEST_TYPES: Final = frozenset({"chat", "completion", "embedding"})

_MODEL_NAMES: Final[Mapping[str, Sequence[str]]] = {
    sc.GEN_AI_REQUEST_MODEL: ("llm.model_name", "embedding.model_name", "llm.request.model", "ai.model.id"),
    sc.GEN_AI_RESPONSE_MODEL: ("llm.response.model", "ai.response.model"),
    sc.GEN_AI_PROVIDER: ("gen_ai.system", "llm.provider", "llm.system", "ai.model.provider"),
    sc.GEN_AI_INPUT_TOKENS: (
        "gen_ai.usage.prompt_tokens", "llm.token_count.prompt", "llm.usage.prompt_tokens", "ai.usage.inputTokens",
        "ai.usage.promptTokens",
    ),
    sc.GEN_AI_OUTPUT_TOKENS: (
        "gen_ai.usage.completion_tokens", "llm.token_count.completion", "llm.usage.completion_tokens", "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    sc.GEN_AI_CACHE_READ_TOKENS: ("llm.token_count.prompt_details.cache_read", "gen_ai.usage.cache_read_input_tokens"),
    sc.GEN_AI_CACHE_WRITE_TOKENS: ("llm.token_count.prompt_details.cache_write", "gen_ai.usage.cache_creation_input_tokens"),
    sc.GEN_AI_REASONING_TOKENS: ("llm.token_count.completion_details.reasoning",),
    sc.GEN_AI_FINISH_REASONS: ("llm.finish_reason", "gen_ai.response.finish_reason", "ai.response.finishReason"),
}  # fmt: skip
_TOOL_NAMES: Final[Mapping[str, Sequence[str]]] = {
    sc.GEN_AI_TOOL_NAME: ("tool.name", "tool_call.function.name", "ai.toolCall.name", "traceloop.entity.name"),
    sc.GEN_AI_TOOL_CALL_ID: ("tool_call.id", "tool.id", "ai.toolCall.id"),
    sc.GEN_AI_TOOL_ARGUMENTS: (
        "input.value", "tool_call.function.arguments", "tool.parameters", "ai.toolCall.args", "traceloop.entity.input",
    ),
    sc.GEN_AI_TOOL_RESULT: ("output.value", "ai.toolCall.result", "traceloop.entity.output"),
}  # fmt: skip
_NUMBERS: Final = frozenset(key for key in _MODEL_NAMES if key.startswith("gen_ai.usage."))


def own_kind(span: SpanRecord) -> str:
    """The kind that cabtrace gave the span; "" for anyone else's."""
    kind = span.text(sc.SPAN_KIND)
    return kind if kind in _OURS else ""


def operation(attributes: Attributes) -> str:
    """The span's `gen_ai.operation.name`, or what it would be; "" where nothing tells."""
    if isinstance(said := attributes.get(sc.GEN_AI_OPERATION), str) and said:
        return said
    if isinstance(kind := attributes.get(sc.OPENINFERENCE_KIND), str) and (found := _OPENINFERENCE.get(kind.upper())):
        return found
    if isinstance(kind := attributes.get("traceloop.span.kind"), str) and (found := _TRACELOOP.get(kind)):
        return found
    if attributes.get("llm.request.type") in _LLM_REQUEST_TYPES:
        return "embeddings" if attributes["llm.request.type"] == "embedding" else "chat"
    return "execute_tool" if sc.GEN_AI_TOOL_NAME in attributes else ""


def kind_of(span: SpanRecord) -> str:
    """One of `SpanKind`, or "" where nothing says what the span is."""
    return own_kind(span) or _OPERATIONS.get(operation(span.attributes), "")


def recognised(attributes: Attributes, kind: str) -> dict[str, AttributeValue]:
    """What is to be added so that the span is read as a `kind`; empty where it says all that itself."""
    added: dict[str, AttributeValue] = {}
    if not isinstance(attributes.get(sc.GEN_AI_OPERATION), str) and (said := operation(attributes)):
        added[sc.GEN_AI_OPERATION] = said
    names = _MODEL_NAMES if kind == sc.SpanKind.MODEL_CALL else _TOOL_NAMES if kind == sc.SpanKind.TOOL_CALL else {}
    for key, others in names.items():
        if key in attributes:
            continue
        for other in others:
            if (value := _usable(key, attributes.get(other))) is not None:
                added[key] = value
                break
    added[sc.SPAN_KIND] = kind
    added[sc.IMPORT_DERIVED] = sorted(added)
    return added


def _usable(key: str, value: AttributeValue) -> AttributeValue:
    """The value where it is of the kind that the name stands for, else None: what is unknown stays so."""
    if value is None or value == "":
        return None
    if key in _NUMBERS:
        whole = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 2**63 and value == int(value)
        return int(value) if whole and isinstance(value, int | float) else None
    if key == sc.GEN_AI_FINISH_REASONS:
        return (value,) if isinstance(value, str) else value if isinstance(value, list | tuple) else None
    if key in (sc.GEN_AI_TOOL_ARGUMENTS, sc.GEN_AI_TOOL_RESULT):
        return value
    return value if isinstance(value, str) else None
