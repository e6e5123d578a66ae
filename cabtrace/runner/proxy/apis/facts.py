"""What a parser finds out about a call. Unknown is None; messages have OpenTelemetry's GenAI shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cabtrace.model.model_call import TokenUsage

# {"role": str, "parts": [...]}, a part being {"type": "text", "content"}, {"type": "reasoning", "content"},
# {"type": "tool_call", "id", "name", "arguments"}, {"type": "tool_call_response", "id", "result"}, or for anything else
# (images, the API's own items) {"type": <the API's word for it>}
Message = dict[str, Any]
Part = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """`params` has the sampling parameters that were given, by OpenTelemetry's names (`max_tokens`, `top_p`, ...)."""

    api: str
    request_hash: str
    model: str | None = None
    stream: bool | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResponseFacts:
    """`done` says whether the answer reached its proper end: the stream's last event, or the whole JSON document."""

    model: str | None = None
    response_id: str | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)
    finish_reasons: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    error_type: str | None = None
    error_message: str | None = None
    done: bool = False


def text_part(content: str) -> Part:
    """A piece of text."""
    return {"type": "text", "content": content}


def reasoning_part(content: str) -> Part:
    """A piece of what the model thought."""
    return {"type": "reasoning", "content": content}


def tool_call_part(call_id: str | None, name: str | None, arguments: Any) -> Part:
    """A tool that the model wants called; `arguments` is an object, or the text as far as it came."""
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}


def tool_response_part(call_id: str | None, result: Any) -> Part:
    """What a tool gave back."""
    return {"type": "tool_call_response", "id": call_id, "result": result}
