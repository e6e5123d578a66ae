"""The Messages panel: what the model was told and what it answered, without what it had been told before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from rich.cells import cell_len

from cabtrace.model.model_call import ModelCall
from cabtrace.store.calls import CallBody
from replay import display
from replay.document import Line, Tone, fit, heading, line, paragraphs, words
from replay.panels.calls import finish_words, short_finish
from replay.panels.message_parts import (
    Message,
    Reading,
    folded_line,
    message_lines,
    names_line,
    parts_of,
    pretty,
    role_of,
    size_of,
)
from replay.run import ReplayRun, Snapshot

_PART_CHARS = 32 * 1024
_SYSTEM = frozenset({"system", "developer"})
_TITLE_FROM = 80  # cells that a title in full words needs
_MODEL_CELLS = 12
_TOOLS, _EARLIER = "tools", "earlier"


def messages_panel(
    run: ReplayRun, snapshot: Snapshot, offset_ns: int, reading: Reading | None = None, *, place: int | None = None
) -> Iterator[Line]:
    """The call in flight at the playhead, else the last before it, or the one at a `place` among the calls."""
    index = snapshot.call_at(offset_ns) if place is None else place
    if index is None:
        what = (
            f"{len(snapshot.calls):,} model calls come later; ] goes to the next."
            if snapshot.calls
            else "No model call was recorded."
        )
        yield line(words(what, Tone.DIM))
        return
    reading = reading or Reading()
    call = snapshot.calls[index]
    body = run.call_body(call.call_id)
    before = run.call_body(snapshot.calls[index - 1].call_id) if index else None
    yield _title(snapshot, call, reading.width)
    if call.error:
        yield from paragraphs(f"✗ {call.error}", Tone.BAD, max_chars=4096)
    if body.request is None and body.input_messages is None and body.response_text is None:
        yield line(words("The bodies of this call were not recorded.", Tone.DIM))
        return
    yield from _asked(body, before, snapshot.calls[index - 1].index if index else None, reading)
    yield from _answered(snapshot, call, body, offset_ns, reading)


def _title(snapshot: Snapshot, call: ModelCall, width: int) -> Line:
    """On one row where there is room for the first letters of the model's name."""
    short = width < _TITLE_FROM
    finish, tone = finish_words(call)
    finish, began = short_finish(finish) if short else finish, display.clock(snapshot.call_offset_ns(call))
    number = words(f"◆ call #{call.index}  ", Tone.MODEL)
    rest = (
        words(f"  {began[:-2] if short else began}  ", Tone.DIM),
        words(f"{_tokens(call, short=short)}  ", Tone.DIM),
        words(f"finish {finish}" if finish == display.UNKNOWN else finish, tone),
    )
    model = words(call.response_model or call.request_model or f"model {display.UNKNOWN}")[0]
    room = max(width - sum(cell_len(text) for text, _ in (number, *rest)), _MODEL_CELLS)
    return line(number, (fit(model, room), Tone.STRONG), *rest)


def _tokens(call: ModelCall, *, short: bool) -> str:
    usage = call.usage
    if usage.input is None and usage.output is None:
        return f"tokens {display.UNKNOWN}"
    asked, came = display.count(usage.input), display.count(usage.output)
    return f"{asked}→{came} tok" if short else f"{asked} → {came} tokens"


def _asked(body: CallBody, before: CallBody | None, before_index: int | None, reading: Reading) -> Iterator[Line]:
    messages = message_list(body.input_messages)
    if messages is None:
        yield heading("Request")
        yield from paragraphs(pretty(body.request), max_chars=_PART_CHARS)
        return
    known = messages_known(messages, before)
    if known:
        yield from _earlier(messages[:known], before_index, reading)
    yield from _tools(body, before, reading)
    newest = max((i for i, m in enumerate(messages) if role_of(m) not in _SYSTEM), default=None)
    new = list(enumerate(messages[known:], known))
    if not known:  # what is folded first, so that the newest message and the answer stand together
        new.sort(key=lambda numbered: numbered[0] == newest)
    for place, message in new:
        part = f"message {place}"
        if _was_answered(message, before):
            yield from _folded(message, f"the answer of call #{before_index}", part, reading)
        elif role_of(message) in _SYSTEM or (not known and place != newest):
            yield from _folded(message, role_of(message), part, reading)
        else:
            yield from message_lines(message, reading, part=part)


def _earlier(messages: Sequence[Message], before_index: int | None, reading: Reading) -> Iterator[Line]:
    """What the call before was told too."""
    sign = "▾ " if reading.is_open(_EARLIER) else "▸ "
    what = words(f"{len(messages):,} earlier messages, as in call #{before_index}", Tone.DIM)
    yield line(words(sign, Tone.KEY), what, opens=_EARLIER)
    if reading.is_open(_EARLIER):
        for place, message in enumerate(messages):
            yield from _folded(message, role_of(message), f"message {place}", reading)


def _folded(message: Message, title: str, part: str, reading: Reading) -> Iterator[Line]:
    size, preview = size_of(message)
    yield folded_line(title, size, preview, part, reading)
    if reading.is_open(part):
        yield from message_lines(message, reading)


def _tools(body: CallBody, before: CallBody | None, reading: Reading) -> Iterator[Line]:
    """What tools the model had, where the call before had others."""
    names = [str(name) for name in message_list(body.tool_names) or ()]
    if not names or (before is not None and before.tool_names == body.tool_names):
        return
    definitions = body.request.get("tools") if isinstance(body.request, Mapping) else None
    text = _compact(definitions)
    yield names_line(names, len(text), reading, _TOOLS)
    if reading.is_open(_TOOLS):
        shown = pretty(definitions) if definitions else "\n".join(names)
        yield from paragraphs(shown, Tone.DIM, max_chars=8 * _PART_CHARS, indent=2)


def _compact(value: Any) -> str:
    if value is None:
        return ""
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    except (TypeError, ValueError, RecursionError):
        return ""


def message_list(value: object) -> list[Any] | None:
    """Messages. Bodies are as found on disk: what should be a list may be anything."""
    return list(value) if isinstance(value, list | tuple) else None


def messages_known(messages: Sequence[Message], before: CallBody | None) -> int:
    """How many messages at the start were already part of the call before."""
    known = 0
    for mine, theirs in zip(messages, message_list(before.input_messages if before else None) or (), strict=False):
        if mine != theirs:
            break
        known += 1
    return known


def _was_answered(message: Message, before: CallBody | None) -> bool:
    """Whether that is what the call before gave back."""
    answers = message_list(before.output_messages if before else None) or ()
    return role_of(message) == "assistant" and any(parts_of(message) == parts_of(answer) for answer in answers)


def _answered(snapshot: Snapshot, call: ModelCall, body: CallBody, offset_ns: int, reading: Reading) -> Iterator[Line]:
    note = ""
    if call.ended_ns is not None and (end_ns := call.ended_ns - snapshot.timeline.start_ns) > offset_ns:
        note = f"● on its way; this is as of {display.clock(end_ns)}"
    if messages := message_list(body.output_messages):
        for message in messages:
            yield from message_lines(message, reading, answer=True, note=note)
        note = ""
    elif body.response_text:
        yield heading("Answer, as it came")
        yield from paragraphs(body.response_text, max_chars=_PART_CHARS)
    elif call.ended_ns is None:
        yield line(words("● no answer yet", Tone.WARN))
    else:
        yield line(words("No answer was recorded.", Tone.DIM))
    if note:
        yield line(words(note, Tone.WARN))
    if call.incomplete and call.ended_ns is not None:
        yield line(words("! The answer was cut off here.", Tone.WARN))
