"""From an answer to the reply of the API that was asked: pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cabtrace.modelserver.answer import Answer
from cabtrace.modelserver.wire import anthropic_messages, gemini, openai_chat, openai_responses

_EVENTS = "text/event-stream; charset=utf-8"
_JSON = "application/json"
_STATUS_WORDS = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_ERROR_TYPES = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, a content type and the body in the chunks that it is sent in."""

    status: int
    content_type: str
    chunks: tuple[bytes, ...]
    streamed: bool = False


def reply(api: str, answer: Answer, *, stream: bool, events: bool) -> Reply:
    """The reply to a request; `events` is Gemini's `alt=sse`."""
    if api.endswith("count_tokens"):
        counted = gemini.count(answer) if api.startswith("gemini") else anthropic_messages.count(answer)
        return plain(200, counted)
    if api == "gemini.generate_content":
        if not stream:
            return plain(200, gemini.document(answer))
        if not events:
            return Reply(200, _JSON, tuple(gemini.array(answer)), streamed=True)
        return Reply(200, _EVENTS, tuple(gemini.stream(answer)), streamed=True)
    wire = {
        "openai.chat": openai_chat,
        "openai.responses": openai_responses,
        "anthropic.messages": anthropic_messages,
    }[api]
    if stream:
        return Reply(200, _EVENTS, tuple(wire.stream(answer)), streamed=True)
    return plain(200, wire.document(answer))


def plain(status: int, document: Mapping[str, Any]) -> Reply:
    """A JSON document."""
    return Reply(status, _JSON, (json.dumps(document, ensure_ascii=False).encode(),))


def refusal(api: str, status: int, message: str) -> Reply:
    """An error in the shape of the API."""
    kind = _ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    if api.startswith("anthropic"):
        return plain(status, {"type": "error", "error": {"type": kind, "message": message}})
    if api.startswith("gemini"):
        word = _STATUS_WORDS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
        return plain(status, {"error": {"code": status, "message": message, "status": word}})
    return plain(status, {"error": {"message": message, "type": kind, "param": None, "code": None}})


def garbage(reply: Reply) -> Reply:
    """The same with a body that no parser takes: cut inside a character, inside a string."""
    return Reply(reply.status, reply.content_type, (b'data: {"choices": [{"delta": {"content": "\xe2\x82', b"\x00\xff<html>"))
