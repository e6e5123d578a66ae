"""Anthropic messages, and the counting of their tokens."""

from __future__ import annotations

from typing import Any

from cabtrace.model.model_call import TokenUsage
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
from cabtrace.runner.proxy.apis.sse import Event, looks_like_events, read_events

API = "anthropic.messages"
API_COUNT = "anthropic.count_tokens"
_PARAMS = ("max_tokens", "temperature", "top_p", "top_k", "stop_sequences")
_DELTAS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def matches(method: str, path: str) -> bool:
    """Whether this is a call of this API; `path` has no query."""
    return method == "POST" and path.removesuffix("/count_tokens").endswith("/v1/messages")


def api_name(path: str) -> str:
    """Which of the two calls a matching path is."""
    return API_COUNT if path.endswith("/count_tokens") else API


def request_facts(body: bytes, api: str = API) -> RequestFacts:
    """Reads a request. Never raises."""
    fields = v.mapping(v.load(body))
    system = _content(fields.get("system"))
    messages = [{"role": "system", "parts": system}] if system else []
    tools = (v.mapping(tool) for tool in v.items(fields.get("tools")))
    return RequestFacts(
        api=api,
        request_hash=v.request_hash(body),
        model=v.text(fields.get("model")),
        stream=(v.flag(fields.get("stream")) or False) if fields else None,
        params={key: fields[key] for key in _PARAMS if fields.get(key) is not None},
        messages=(*messages, *(_message(v.mapping(message)) for message in v.items(fields.get("messages")))),
        tools=tuple(name for tool in tools if (name := v.text(tool.get("name")) or v.text(tool.get("type")))),
    )


def response_facts(status: int, content_type: str, body: bytes) -> ResponseFacts:
    """Reads an answer, streamed or not, as far as it came. Never raises."""
    if not 200 <= status < 300:
        return refusal(status, body)
    if looks_like_events(content_type, body):
        return _streamed([*read_events(body)])
    document = v.mapping(v.load(body))
    return _facts(document, v.mapping(document.get("usage")), done=True) if document else ResponseFacts()


def _streamed(events: list[Event]) -> ResponseFacts:
    message: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    blocks: dict[int, dict[str, Any]] = {}
    pieces: dict[int, list[str]] = {}
    done = False
    for event in events:
        data = v.mapping(v.load(event.data))
        kind = v.text(data.get("type")) or event.name
        number = v.index(data.get("index")) or 0
        if kind == "message_start":
            message = dict(v.mapping(data.get("message")))
            # what it says of the output here is an interim count
            usage = {key: value for key, value in v.mapping(message.get("usage")).items() if key != "output_tokens"}
        elif kind == "content_block_start":
            blocks[number] = dict(v.mapping(data.get("content_block")))
        elif kind == "content_block_delta":
            delta = v.mapping(data.get("delta"))
            if piece := v.text(delta.get(_DELTAS.get(str(delta.get("type")), ""))):
                pieces.setdefault(number, []).append(piece)
                blocks.setdefault(number, {"type": "text"})
        elif kind == "message_delta":
            message.update(v.mapping(data.get("delta")))
            usage.update({key: value for key, value in v.mapping(data.get("usage")).items() if value is not None})
        elif kind == "error":
            message["error"] = data.get("error") or data
        done = done or kind == "message_stop"
    message["content"] = [_joined(blocks[number], "".join(pieces.get(number, ()))) for number in sorted(blocks)]
    return _facts(message, usage, done=done)


def _joined(block: dict[str, Any], text: str) -> dict[str, Any]:
    kind = str(block.get("type"))
    if not text:
        return block
    if kind.endswith("tool_use"):
        return {**block, "input": v.arguments(text)}
    key = "thinking" if kind == "thinking" else "text"
    return {**block, key: (v.text(block.get(key)) or "") + text}


def _facts(message: dict[str, Any], usage: dict[str, Any], *, done: bool) -> ResponseFacts:
    kind, explanation = read_error(message)
    reason = v.text(message.get("stop_reason"))
    content = _content(message.get("content"))
    return ResponseFacts(
        model=v.text(message.get("model")),
        response_id=v.text(message.get("id")),
        usage=_usage(usage),
        finish_reasons=(reason,) if reason else (),
        messages=({"role": v.text(message.get("role")) or "assistant", "parts": content},) if content else (),
        error_type=kind,
        error_message=explanation,
        done=done,
    )


def _usage(usage: dict[str, Any]) -> TokenUsage:
    """This API counts what was cached beside the input; by OpenTelemetry's rule it is part of it."""
    read, written = v.count(usage.get("cache_read_input_tokens")), v.count(usage.get("cache_creation_input_tokens"))
    return TokenUsage(
        input=v.total(v.count(usage.get("input_tokens")), read, written),
        output=v.count(usage.get("output_tokens")),
        cache_read=read,
        cache_write=written,
        reasoning=v.count(v.mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def _message(message: dict[str, Any]) -> Message:
    parts = _content(message.get("content"))
    role = v.text(message.get("role")) or "user"
    if parts and all(part["type"] == "tool_call_response" for part in parts):
        role = "tool"
    return {"role": role, "parts": parts}


def _content(content: object) -> list[Part]:
    if isinstance(content, str):
        return [text_part(content)] if content else []
    return [_part(v.mapping(block)) for block in v.items(content)]


def _part(block: dict[str, Any]) -> Part:
    kind = v.text(block.get("type")) or "unknown"
    if kind == "text":
        return text_part(v.text(block.get("text")) or "")
    if kind == "thinking":
        return reasoning_part(v.text(block.get("thinking")) or "")
    if kind.endswith("tool_use"):
        return tool_call_part(v.text(block.get("id")), v.text(block.get("name")), block.get("input"))
    if kind.endswith("tool_result"):
        texts = _content(block.get("content"))
        plain = all(part["type"] == "text" for part in texts)
        result = "\n".join(part["content"] for part in texts) if texts and plain else block.get("content")
        return tool_response_part(v.text(block.get("tool_use_id")), result)
    return {"type": kind}
