"""OpenAI responses on the wire."""

from __future__ import annotations

from typing import Any

from cabtrace.modelserver.answer import Answer, Called, argument_pieces
from cabtrace.modelserver.wire.common import CREATED_S, event


def document(answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    items = [*([_message(answer, answer.text)] if answer.text else []), *(_call(answer, c) for c in answer.calls)]
    return {**_head(answer), "status": "completed", "output": items, "usage": _usage(answer)}


def stream(answer: Answer) -> list[bytes]:
    """The answer as its events."""
    begun = {**_head(answer), "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    if answer.text:
        events += _message_events(answer)
    for number, call in enumerate(answer.calls, start=1 if answer.text else 0):
        events += _call_events(answer, call, number)
    events.append({"type": "response.completed", "response": document(answer)})
    return [event({**one, "sequence_number": number}, named=True) for number, one in enumerate(events)]


def _message_events(answer: Answer) -> list[dict[str, Any]]:
    where = {"item_id": f"msg_{answer.seed}", "output_index": 0, "content_index": 0}
    whole = _message(answer, answer.text)
    return [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**whole, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **where, "part": {**whole["content"][0], "text": ""}},
        *({"type": "response.output_text.delta", **where, "delta": piece} for piece in answer.text_pieces),
        {"type": "response.output_text.done", **where, "text": answer.text},
        {"type": "response.content_part.done", **where, "part": whole["content"][0]},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
    ]


def _call_events(answer: Answer, call: Called, number: int) -> list[dict[str, Any]]:
    whole = _call(answer, call)
    where = {"item_id": whole["id"], "output_index": number}
    begun = {**whole, "arguments": "", "status": "in_progress"}
    return [
        {"type": "response.output_item.added", "output_index": number, "item": begun},
        *({"type": "response.function_call_arguments.delta", **where, "delta": p} for p in argument_pieces(call)),
        {"type": "response.function_call_arguments.done", **where, "arguments": call.text},
        {"type": "response.output_item.done", "output_index": number, "item": whole},
    ]


def _head(answer: Answer) -> dict[str, Any]:
    return {"id": f"resp_{answer.seed}", "object": "response", "created_at": CREATED_S, "model": answer.model}


def _message(answer: Answer, text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    identity = f"msg_{answer.seed}"
    return {"type": "message", "id": identity, "role": "assistant", "status": "completed", "content": content}


def _call(answer: Answer, call: Called) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{answer.seed}{call.suffix}",
        "call_id": f"call_{answer.seed}{call.suffix}",
        "name": call.name,
        "arguments": call.text,
        "status": "completed",
    }


def _usage(answer: Answer) -> dict[str, Any]:
    tokens = answer.tokens
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }
