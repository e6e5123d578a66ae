"""The items of the responses API as messages: what one side said in a row is one message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cabtrace.runner.proxy.apis import values as v
from cabtrace.runner.proxy.apis.facts import (
    Message,
    Part,
    reasoning_part,
    text_part,
    tool_call_part,
    tool_response_part,
)


def messages_of(items: Iterable[object]) -> list[Message]:
    """Messages, in order."""
    messages: list[Message] = []
    for item in items:
        role, parts = _read(v.mapping(item))
        if messages and messages[-1]["role"] == role == "assistant":
            messages[-1]["parts"].extend(parts)
        else:
            messages.append({"role": role, "parts": parts})
    return messages


def _read(item: dict[str, Any]) -> tuple[str, list[Part]]:
    kind = v.text(item.get("type")) or "message"
    identity = v.text(item.get("call_id")) or v.text(item.get("id"))
    if kind == "message":
        return v.text(item.get("role")) or "assistant", _content(item.get("content"))
    if kind == "reasoning":
        pieces = [*v.items(item.get("summary")), *v.items(item.get("content"))]
        written = "\n".join(text for piece in pieces if (text := v.text(v.mapping(piece).get("text"))))
        return "assistant", [reasoning_part(written)] if written else []
    if kind.endswith("_call_output"):
        return "tool", [tool_response_part(identity, _result(item.get("output")))]
    if kind.endswith("_call"):
        name = v.text(item.get("name")) or kind.removesuffix("_call")
        given = next((item[key] for key in ("arguments", "input", "action") if key in item), None)
        return "assistant", [tool_call_part(identity, name, v.arguments(given))]
    return v.text(item.get("role")) or "assistant", [{"type": kind}]


def _content(content: object) -> list[Part]:
    if isinstance(content, str):
        return [text_part(content)] if content else []
    parts: list[Part] = []
    for entry in v.items(content):
        piece = v.mapping(entry)
        written = v.text(piece.get("text")) or v.text(piece.get("refusal"))
        parts.append(text_part(written) if written else {"type": v.text(piece.get("type")) or "unknown"})
    return parts


def _result(output: object) -> object:
    texts = [v.text(v.mapping(piece).get("text")) for piece in v.items(output)]
    return "\n".join(text for text in texts if text) if texts and all(texts) else output
