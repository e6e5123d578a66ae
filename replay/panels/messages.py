"""The Messages panel: what the model was told and what it answered, without what it had been told before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from cabtrace.model.model_call import ModelCall
from cabtrace.store.calls import CallBody
from replay import display
from replay.document import Line, Tone, heading, line, paragraphs, words
from replay.panels.calls import finish_words
from replay.run import ReplayRun, Snapshot

_PART_CHARS = 32 * 1024
_Message = Mapping[str, Any]


def messages_panel(run: ReplayRun, snapshot: Snapshot, offset_ns: int) -> Iterator[Line]:
    """The call in flight at the playhead, else the last before it."""
    index = snapshot.call_at(offset_ns)
    if index is None:
        what = (
            f"{len(snapshot.calls):,} model calls come later; ] goes to the next."
            if snapshot.calls
            else "No model call was recorded."
        )
        yield line(words(what, Tone.DIM))
        return
    call = snapshot.calls[index]
    body = run.call_body(call.call_id)
    before = run.call_body(snapshot.calls[index - 1].call_id) if index else None
    yield _title(snapshot, call)
    if call.error:
        yield from paragraphs(f"✗ {call.error}", Tone.BAD, max_chars=4096)
    if body.request is None and body.input_messages is None and body.response_text is None:
        yield line(words("The bodies of this call were not recorded.", Tone.DIM))
        return
    yield Line()
    yield from _asked(body, before, snapshot.calls[index - 1].index if index else None)
    yield from _answered(call, body)


def _title(snapshot: Snapshot, call: ModelCall) -> Line:
    finish, tone = finish_words(call)
    return line(
        words(f"◆ call #{call.index}  ", Tone.MODEL),
        words(call.response_model or call.request_model or display.UNKNOWN, Tone.STRONG),
        words(f"  {display.clock(snapshot.call_offset_ns(call))}  ", Tone.DIM),
        words(f"{display.count(call.usage.input)} → {display.count(call.usage.output)} tokens  ", Tone.DIM),
        words(finish, tone),
    )


def _asked(body: CallBody, before: CallBody | None, before_index: int | None) -> Iterator[Line]:
    messages = message_list(body.input_messages)
    if messages is None:
        yield heading("Request")
        yield from paragraphs(pretty(body.request), max_chars=_PART_CHARS)
        return
    known = messages_known(messages, before)
    if known:
        yield line(words(f"{known:,} earlier messages, as in call #{before_index}", Tone.DIM))
        yield Line()
    for message in messages[known:]:
        yield from message_lines(message)
    if tools := message_list(body.tool_names):
        yield line(words("tools  ", Tone.KEY), words(", ".join(map(str, tools))[:2000], Tone.DIM), indent=7)
        yield Line()


def message_list(value: object) -> list[Any] | None:
    """Messages. Bodies are as found on disk: what should be a list may be anything."""
    return list(value) if isinstance(value, list | tuple) else None


def messages_known(messages: Sequence[_Message], before: CallBody | None) -> int:
    """How many messages at the start were already part of the call before or its answer."""
    known = 0
    for mine, theirs in zip(messages, message_list(before.input_messages if before else None) or (), strict=False):
        if mine != theirs:
            break
        known += 1
    return known


def _answered(call: ModelCall, body: CallBody) -> Iterator[Line]:
    if messages := message_list(body.output_messages):
        for message in messages:
            yield from message_lines(message, answer=True)
    elif body.response_text:
        yield heading("Answer, as it came")
        yield from paragraphs(body.response_text, max_chars=_PART_CHARS)
    elif call.ended_ns is None:
        yield line(words("⏺ no answer yet", Tone.WARN))
    else:
        yield line(words("No answer was recorded.", Tone.DIM))
    if call.incomplete and call.ended_ns is not None:
        yield line(words("! The answer was cut off here.", Tone.WARN))


def message_lines(message: _Message, *, answer: bool = False) -> Iterator[Line]:
    """A message: its role, then its parts."""
    role = str(message.get("role", "?")) if isinstance(message, Mapping) else "?"
    tone = Tone.MODEL if answer or role == "assistant" else Tone.TOOL if role == "tool" else Tone.HARNESS
    yield line(words(("◀ " if answer else "▌ ") + role, tone))
    parts = message.get("parts") if isinstance(message, Mapping) else message
    for part in parts if isinstance(parts, list | tuple) else [parts]:
        yield from _part_lines(part)
    yield Line()


def _part_lines(part: Any) -> Iterator[Line]:
    if not isinstance(part, Mapping):
        yield from paragraphs(part if isinstance(part, str) else pretty(part), max_chars=_PART_CHARS, indent=2)
        return
    match part.get("type"):
        case "text":
            yield from paragraphs(str(part.get("content", "")), max_chars=_PART_CHARS, indent=2)
        case "reasoning" | "thinking":
            yield from paragraphs(str(part.get("content", "")), Tone.DIM, max_chars=_PART_CHARS, indent=2)
        case "tool_call":
            yield line(words("  ⚙ "), words(str(part.get("name", "?")), Tone.TOOL), words(f"  {part.get('id', '')}", Tone.DIM))
            yield from paragraphs(pretty(part.get("arguments")), max_chars=_PART_CHARS, indent=4)
        case "tool_call_response":
            result = part.get("response", part.get("result"))
            yield line(words("  ↩ "), words(str(part.get("id", "")), Tone.DIM))
            yield from paragraphs(result if isinstance(result, str) else pretty(result), max_chars=_PART_CHARS, indent=4)
        case _:
            yield from paragraphs(pretty(part), Tone.DIM, max_chars=_PART_CHARS, indent=2)


def pretty(value: Any) -> str:
    """JSON as people read it; text that is JSON itself is laid out too."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return str(value)
        if not isinstance(value, dict | list):
            return str(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS, default=str).decode()
    except (TypeError, ValueError, RecursionError):
        return str(type(value).__name__)
