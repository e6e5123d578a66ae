"""Gemini on the wire."""

from __future__ import annotations

import json
from typing import Any

from cabtrace.modelserver.answer import Answer
from cabtrace.modelserver.wire.common import event


def document(answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    text = [{"text": answer.text}] if answer.text else []
    return _response(answer, [*text, *_calls(answer)], last=True)


def documents(answer: Answer) -> list[dict[str, Any]]:
    """The answer in the documents that it is streamed in; the last one has the finish reason and the usage."""
    parts: list[list[dict[str, Any]]] = [[{"text": piece}] for piece in answer.text_pieces]
    if answer.calls:
        parts.append(_calls(answer))
    return [_response(answer, piece, last=number == len(parts) - 1) for number, piece in enumerate(parts)]


def stream(answer: Answer) -> list[bytes]:
    """As server-sent events (`alt=sse`)."""
    return [event(one) for one in documents(answer)]


def array(answer: Answer) -> list[bytes]:
    """As one JSON array, written element by element: what is streamed without `alt=sse`."""
    chunks = [json.dumps(one, ensure_ascii=False).encode() for one in documents(answer)]
    return [(b"[" if number == 0 else b",\r\n") + chunk for number, chunk in enumerate(chunks)] + [b"]"]


def count(answer: Answer) -> dict[str, Any]:
    """The answer to a request that only wants its tokens counted."""
    return {"totalTokens": answer.tokens.input}


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [{"functionCall": {"name": call.name, "args": dict(call.arguments)}} for call in answer.calls]


def _response(answer: Answer, parts: list[dict[str, Any]], *, last: bool) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
    response: dict[str, Any] = {"candidates": [candidate], "modelVersion": answer.model, "responseId": answer.seed}
    if last:
        tokens = answer.tokens
        candidate["finishReason"] = "STOP"
        response["usageMetadata"] = {
            "promptTokenCount": tokens.input,
            "cachedContentTokenCount": tokens.cached,
            "candidatesTokenCount": max(0, tokens.output - tokens.reasoning),
            "thoughtsTokenCount": tokens.reasoning,
            "totalTokenCount": tokens.input + tokens.output,
        }
    return response
