"""OpenAI chat completions on the wire."""

from __future__ import annotations

from typing import Any

from cabtrace.modelserver.answer import Answer, argument_pieces
from cabtrace.modelserver.wire.common import CREATED_S, event


def document(answer: Answer) -> dict[str, Any]:
    """The answer in one piece."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.calls:
        message["tool_calls"] = [
            {"id": _id(answer, c.suffix), "type": "function", "function": {"name": c.name, "arguments": c.text}}
            for c in answer.calls
        ]
    choice = {"index": 0, "message": message, "finish_reason": _finish(answer)}
    return {**_head(answer, "chat.completion"), "choices": [choice], "usage": _usage(answer)}


def stream(answer: Answer) -> list[bytes]:
    """The answer in chunks; the last one but the end mark holds the usage."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in answer.text_pieces]
    for number, call in enumerate(answer.calls):
        function = {"name": call.name, "arguments": ""}
        begun = {"index": number, "id": _id(answer, call.suffix), "type": "function", "function": function}
        deltas.append({"tool_calls": [begun]})
        for piece in argument_pieces(call):
            deltas.append({"tool_calls": [{"index": number, "function": {"arguments": piece}}]})
    head = _head(answer, "chat.completion.chunk")
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": _finish(answer)}]})
    chunks.append({**head, "choices": [], "usage": _usage(answer)})
    return [*(event(chunk) for chunk in chunks), b"data: [DONE]\n\n"]


def _head(answer: Answer, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{answer.seed}", "object": kind, "created": CREATED_S, "model": answer.model}


def _id(answer: Answer, suffix: str) -> str:
    return f"call_{answer.seed}{suffix}"


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _usage(answer: Answer) -> dict[str, Any]:
    tokens = answer.tokens
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }
