"""What the search looks through, taken from a run: messages, log records, the terminal's screen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cabtrace.store.line_filter import line_filter
from replay import display
from replay.panels.messages import message_list, messages_known
from replay.run import ReplayRun, Snapshot
from replay.screen import TerminalTape
from replay.search import Said, Where

_LEAVES_PER_MESSAGE = 10_000


def spoken(run: ReplayRun, snapshot: Snapshot, query: str = "", stop: Callable[[], bool] = lambda: False) -> Iterator[Said]:
    """Messages when they were first sent or answered, then log records. Calls that cannot hold `query` may be left out."""
    timeline, calls = snapshot.timeline, snapshot.calls
    wanted = run.calls_with(line_filter(query), stop) if query else None
    before, before_place = None, -1
    for place in range(len(calls)):
        if wanted is not None and calls.call_id(place) not in wanted:
            continue
        if stop():
            return
        call = calls[place]
        if place and before_place != place - 1:
            before = run.call_body(calls.call_id(place - 1))
        body = run.call_body(call.call_id)
        row, asked_ns = calls.row(place), snapshot.call_offset_ns(call)
        answered_ns = asked_ns if call.ended_ns is None else min(max(call.ended_ns - timeline.start_ns, 0), timeline.duration_ns)
        messages = message_list(body.input_messages) or []
        for message in messages[messages_known(messages, before) :]:
            yield from (Said(asked_ns, row, Where.MESSAGE, text) for text in texts(message))
        answers = message_list(body.output_messages)
        for message in answers if answers else [body.response_text or ""]:
            yield from (Said(answered_ns, row, Where.MESSAGE, text) for text in texts(message))
        before, before_place = body, place
    for log in run.logs():
        offset_ns = min(max((log.time_ns or log.observed_ns) - timeline.start_ns, 0), timeline.duration_ns)
        text = f"{log.event_name} {display.value_text(log.body)} {log.severity_text}".strip()
        fields = "\n".join(f"{key} = {display.value_text(value)}" for key, value in log.attributes.items())
        at = timeline.find((log.span_id, False)) if log.span_id else None
        yield Said(offset_ns, at, Where.LOG, f"{text}\n{fields}")


class LateScreen:
    """What the terminal showed, gone through only when the search comes to it."""

    def __init__(self, run: ReplayRun, stop: Callable[[], bool]) -> None:
        self._run = run
        self._stop = stop
        self._tape: TerminalTape | None = None

    @property
    def full(self) -> bool:
        """Not all of it is kept."""
        return self._tape is not None and self._tape.full

    def find(self, query: str) -> Iterable[tuple[int, str, re.Match[str]]]:
        """Offset, the text that holds the words, where in that; in order of time."""
        if self._tape is None:
            self._tape = on_screen(self._run, self._stop)
        return self._tape.find(query)


def on_screen(run: ReplayRun, stop: Callable[[], bool] = lambda: False) -> TerminalTape:
    """What the terminal showed. Goes through a recording that nobody has gone through, unless `stop` says so."""
    tape, _ = run.tape()
    while not tape.index() and not stop():
        pass
    return tape


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
