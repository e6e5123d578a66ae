"""OpenAI chat completions, as most endpoints speak it."""

from __future__ import annotations

from typing import Any

from cabtrace.runner.proxy.apis import values as v
from cabtrace.runner.proxy.apis.errors import read_error, refusal
from cabtrace.runner.proxy.apis.facts import (
    Message,
    Part,
    RequestFacts,
    ResponseFacts,
    reasoning_part,
    text_part,
    tool_call_part,
    tool_response_part,
)
from cabtrace.runner.proxy.apis.openai_chat_stream import ChatStream, read_usage
from cabtrace.runner.proxy.apis.sse import looks_like_events, read_events

API = "openai.chat"
_PARAMS = {
    "max_tokens": "max_tokens", "max_completion_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p",
    "top_k": "top_k", "seed": "seed", "stop": "stop_sequences", "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty", "n": "choice_count", "reasoning_effort": "reasoning_effort",
}  # fmt: skip


def matches(method: str, path: str) -> bool:
    """Whether this is a call of this API; `path` has no query."""
    return method == "POST" and path.endswith("/chat/completions")


def request_facts(body: bytes) -> RequestFacts:
    """Reads a request. Never raises."""
    document = v.load(body)
    fields = v.mapping(document)
    return RequestFacts(
        api=API,
        request_hash=v.request_hash(body),
        model=v.text(fields.get("model")),
        stream=(v.flag(fields.get("stream")) or False) if fields else None,
        params={ours: fields[theirs] for theirs, ours in _PARAMS.items() if fields.get(theirs) is not None},
        messages=tuple(_message(v.mapping(message)) for message in v.items(fields.get("messages"))),
        tools=tuple(name for tool in v.items(fields.get("tools")) if (name := _tool_name(v.mapping(tool)))),
    )


def response_facts(status: int, content_type: str, body: bytes) -> ResponseFacts:
    """Reads an answer, streamed or not, as far as it came. Never raises."""
    if not 200 <= status < 300:
        return refusal(status, body)
    if looks_like_events(content_type, body):
        stream = ChatStream()
        for event in read_events(body):
            stream.feed(event.data)
        return stream.facts()
    document = v.mapping(v.load(body))
    if not document:
        return ResponseFacts()
    choices = [v.mapping(choice) for choice in v.items(document.get("choices"))]
    kind, message = read_error(document)
    return ResponseFacts(
        model=v.text(document.get("model")),
        response_id=v.text(document.get("id")),
        usage=read_usage(document.get("usage")),
        finish_reasons=tuple(reason for choice in choices if (reason := v.text(choice.get("finish_reason")))),
        messages=tuple(_message(v.mapping(choice.get("message"))) for choice in choices if choice.get("message")),
        error_type=kind,
        error_message=message,
        done=True,
    )


def _message(message: dict[str, Any]) -> Message:
    role = v.text(message.get("role")) or "assistant"
    if role in ("tool", "function"):
        identity = v.text(message.get("tool_call_id")) or v.text(message.get("name"))
        return {"role": "tool", "parts": [tool_response_part(identity, _plain(message.get("content")))]}
    parts: list[Part] = []
    if reasoning := v.text(message.get("reasoning_content")) or v.text(message.get("reasoning")):
        parts.append(reasoning_part(reasoning))
    parts += _content(message.get("content"))
    if refused := v.text(message.get("refusal")):
        parts.append(text_part(refused))
    for item in v.items(message.get("tool_calls")):
        call = v.mapping(item)
        function = v.mapping(call.get("function")) or v.mapping(call.get("custom"))
        given = function.get("arguments", function.get("input"))
        parts.append(tool_call_part(v.text(call.get("id")), v.text(function.get("name")), v.arguments(given)))
    if old := v.mapping(message.get("function_call")):
        parts.append(tool_call_part(None, v.text(old.get("name")), v.arguments(old.get("arguments"))))
    return {"role": role, "parts": parts}


def _content(content: object) -> list[Part]:
    if isinstance(content, str):
        return [text_part(content)] if content else []
    parts: list[Part] = []
    for item in v.items(content):
        piece = v.mapping(item)
        written = v.text(piece.get("text")) or v.text(piece.get("refusal"))
        parts.append(text_part(written) if written else {"type": v.text(piece.get("type")) or "unknown"})
    return parts


def _plain(content: object) -> object:
    """A tool's result: text where it is made of text, else as it is."""
    parts = _content(content)
    if parts and all(part["type"] == "text" for part in parts):
        return "\n".join(part["content"] for part in parts)
    return content


def _tool_name(tool: dict[str, Any]) -> str | None:
    inner = v.mapping(tool.get("function")) or v.mapping(tool.get("custom"))
    return v.text(inner.get("name")) or v.text(tool.get("name")) or v.text(tool.get("type"))
