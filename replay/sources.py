"""What the search looks through, taken from a run: messages, log records, terminal output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from replay import display
from replay.panels.messages import message_list, messages_known
from replay.run import ReplayRun, Snapshot
from replay.search import Said, Where

_LEAVES_PER_MESSAGE = 10_000


def spoken(run: ReplayRun, snapshot: Snapshot) -> Iterator[Said]:
    """Messages when they were first sent or answered, then log records."""
    timeline = snapshot.timeline
    rows = {timeline.row(m.row).span.span_id: m.row for m in timeline.markers}
    before = None
    for call in snapshot.calls:
        body = run.call_body(call.call_id)
        row, asked_ns = rows.get(call.call_id), snapshot.call_offset_ns(call)
        answered_ns = asked_ns if call.ended_ns is None else min(max(call.ended_ns - timeline.start_ns, 0), timeline.duration_ns)
        messages = message_list(body.input_messages) or []
        for message in messages[messages_known(messages, before) :]:
            yield from (Said(asked_ns, row, Where.MESSAGE, text) for text in texts(message))
        answers = message_list(body.output_messages)
        for message in answers if answers else [body.response_text or ""]:
            yield from (Said(answered_ns, row, Where.MESSAGE, text) for text in texts(message))
        before = body
    by_span = None
    for log in run.logs():
        if by_span is None:
            by_span = {timeline.key(row)[0]: row for row in range(len(timeline))}
        offset_ns = min(max((log.time_ns or log.observed_ns) - timeline.start_ns, 0), timeline.duration_ns)
        text = f"{log.event_name} {display.value_text(log.body)} {log.severity_text}".strip()
        fields = "\n".join(f"{key} = {display.value_text(value)}" for key, value in log.attributes.items())
        yield Said(offset_ns, by_span.get(log.span_id), Where.LOG, f"{text}\n{fields}")


def output(run: ReplayRun) -> Sequence[tuple[int, str]]:
    """Terminal output as (offset, data)."""
    events, _, _, start_ns = run.terminal()
    return [(start_ns + round(event.time_s * 1e9), event.data) for event in events if event.code == "o"]


def texts(message: Any) -> Iterator[str]:
    """Every text in a message, keys left out; without recursion, as a message may nest as it likes."""
    stack, seen = [message], 0
    while stack and seen < _LEAVES_PER_MESSAGE:
        value = stack.pop()
        seen += 1
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            stack.extend(reversed([v for k, v in value.items() if k not in ("role", "type")]))
        elif isinstance(value, list | tuple):
            stack.extend(reversed(value))
