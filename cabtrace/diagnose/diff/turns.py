"""A run as a conversation: what was new in each question, what was answered, in a form that two runs can be compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.normal import normal_text
from cabtrace.diagnose.tools import canonical, text_of, tool_parts
from cabtrace.model.model_call import ModelCall

# What the agent was told where the endpoint gave no answer at all.
_PROXY_STATUS = {"connect_error": 502, "timeout": 504}


@dataclass(frozen=True, slots=True)
class Turn:
    """One model call. Texts are normalised; `asked` and `said` are None where bodies were not recorded.

    `asked`: the messages after the model's own last one, as (role, text). `does`: what the answer does, as tool calls in
    canonical form. `failure`: how the call failed, or "".
    """

    call: ModelCall
    asked: tuple[tuple[str, str], ...] | None
    said: str | None
    does: tuple[str, ...] | None
    failure: str


def turn_of(run: Evidence, call: ModelCall) -> Turn:
    """Reads a call's bodies."""
    body = run.body(call.call_id)
    messages = body.output_messages
    return Turn(
        call=call,
        asked=None if body.input_messages is None else new_messages(body.input_messages),
        said=None if messages is None else normal_text(" ".join(_texts(messages).split())),
        does=None if messages is None else tuple(doing(part) for part in tool_parts(messages)),
        failure=failure_of(call),
    )


def failure_of(call: ModelCall) -> str:
    """How a call failed, in words that two runs share."""
    if not call.error:
        return ""
    if call.http_status is None and call.error in _PROXY_STATUS:
        return f"HTTP {_PROXY_STATUS[call.error]}"
    return f"HTTP {call.http_status}" if call.http_status and call.http_status >= 400 else call.error


def doing(part: Mapping[str, Any]) -> str:
    """A tool call as one line: its name and its arguments in canonical form."""
    return f"{part.get('name') or 'unknown'} {normal_text(canonical(text_of(part.get('arguments'))))}"


def new_messages(messages: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """What was not yet said: everything after the last message of the model; all of it where there is none."""
    last = max((i for i, m in enumerate(messages) if m.get("role") in ("assistant", "model")), default=-1)
    return tuple((str(m.get("role", "")), normal_text(_content(m))) for m in messages[last + 1 :])


def _content(message: Mapping[str, Any]) -> str:
    pieces = []
    for part in message.get("parts") or ():
        kind = part.get("type")
        if kind == "text":
            pieces.append(str(part.get("content", "")))
        elif kind == "tool_call_response":
            pieces.append(text_of(part.get("result")))
        elif kind != "reasoning":
            pieces.append(f"<{kind}>")
    return "\n".join(pieces)


def _texts(messages: Sequence[Mapping[str, Any]]) -> str:
    return " ".join(
        str(p.get("content", ""))
        for m in messages
        for p in m.get("parts") or ()
        if isinstance(p, Mapping) and p.get("type") == "text"
    )
