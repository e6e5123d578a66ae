"""Anthropic messages on the wire."""

from __future__ import annotations

from typing import Any

from cabtrace.modelserver.answer import Answer, argument_pieces
from cabtrace.modelserver.wire.common import event


def document(answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    for call in answer.calls:
        identity = f"toolu_{answer.seed}{call.suffix}"
        content.append({"type": "tool_use", "id": identity, "name": call.name, "input": dict(call.arguments)})
    reason = "tool_use" if answer.calls else "end_turn"
    return {**_head(answer), "content": content, "stop_reason": reason, "usage": _usage(answer, answer.tokens.output)}


def stream(answer: Answer) -> list[bytes]:
    """The answer as its events. As with the real one, the output is counted only at the end."""
    whole = document(answer)
    begun = {**_head(answer), "content": [], "stop_reason": None, "usage": _usage(answer, 1)}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
    pieces = [
        *([_text_deltas(answer)] if answer.text else []),
        *(_json_deltas(argument_pieces(c)) for c in answer.calls),
    ]
    for number, (block, deltas) in enumerate(zip(whole["content"], pieces, strict=True)):
        empty: dict[str, Any] = {"text": ""} if block["type"] == "text" else {"input": {}}
        events.append({"type": "content_block_start", "index": number, "content_block": {**block, **empty}})
        events += ({"type": "content_block_delta", "index": number, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", "index": number})
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    events.append({"type": "message_delta", "delta": stop, "usage": whole["usage"]})
    events.append({"type": "message_stop"})
    return [event(one, named=True) for one in events]


def count(answer: Answer) -> dict[str, Any]:
    """The answer to a request that only wants its tokens counted."""
    return {"input_tokens": answer.tokens.input}


def _head(answer: Answer) -> dict[str, Any]:
    identity = f"msg_{answer.seed}"
    return {"id": identity, "type": "message", "role": "assistant", "model": answer.model, "stop_sequence": None}


def _text_deltas(answer: Answer) -> list[dict[str, Any]]:
    return [{"type": "text_delta", "text": piece} for piece in answer.text_pieces]


def _json_deltas(pieces: list[str]) -> list[dict[str, Any]]:
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def _usage(answer: Answer, output: int) -> dict[str, Any]:
    return {
        "input_tokens": max(0, answer.tokens.input - answer.tokens.cached),
        "cache_read_input_tokens": answer.tokens.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": output,
    }
