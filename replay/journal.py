"""What was noted while a run went on, in one order of time: events of spans, log records of the agent, bookmarks of the user."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, overload

from cabtrace.model import semconv as sc
from cabtrace.model.log import LogRecord
from cabtrace.model.span import Attributes, SpanEvent, SpanRecord
from replay import display

if TYPE_CHECKING:
    from replay.bookmarks import Bookmark
    from replay.timeline import Timeline

_TEXT_KEYS = ("exception.message", "message", "body", sc.GEN_AI_EVALUATION_EXPLANATION)
_EVENT_NAME = "event.name"  # where it stood before records had a field for it
_TOLD = frozenset({_EVENT_NAME, "event.timestamp"})  # by the line itself
_WARN, _ERROR = 13, 17  # OpenTelemetry's severity numbers
_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """`grade` is "", "warn", "bad" or "mark". Texts are as recorded, hence hostile. `time_ns` is Unix time, 0 when unknown.

    `body` is what it says in words, "" where `text` is made of its attributes.
    """

    time_ns: int
    title: str
    source: str
    text: str
    grade: str = ""
    attributes: Attributes = field(default_factory=dict)
    body: str = ""


def journal(timeline: Timeline, logs: Iterable[LogRecord], bookmarks: Iterable[Bookmark]) -> Sequence[Entry]:
    """All of it by time. Events are read from their spans when they are looked at."""
    entries = [*map(_of_log, logs), *(Entry(mark.time_ns, "bookmark", "", mark.note, "mark") for mark in bookmarks)]
    return _Journal(timeline, sorted(entries, key=lambda entry: entry.time_ns))


class _Journal(Sequence[Entry]):
    def __init__(self, timeline: Timeline, others: Sequence[Entry]) -> None:
        """`others`: what is no event, by time. Of one instant they come after the events."""
        self._timeline = timeline
        self._others = others
        times = timeline.columns.event_at
        self._places = [bisect_right(times, entry.time_ns) + before for before, entry in enumerate(others)]

    def __len__(self) -> int:
        return len(self._timeline.columns.event_at) + len(self._others)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Entry]: ...
    def __getitem__(self, place: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        before = bisect_left(self._places, place)
        if before < len(self._places) and self._places[before] == place:
            return self._others[before]
        return self._event(place - before)

    def _event(self, place: int) -> Entry:
        columns, spans = self._timeline.columns, self._timeline.spans
        span, item = spans[columns.event_span[place] % len(spans)], columns.event_item[place]
        if 0 <= item < len(span.events):
            return _of_event(span, span.events[item])
        return Entry(columns.event_at[place], "event", span.name, "")


def _of_event(span: SpanRecord, event: SpanEvent) -> Entry:
    text = next((str(event.attributes[key]) for key in _TEXT_KEYS if event.attributes.get(key)), "")
    shown = text or "  ".join(_pairs(event.attributes.items()))
    grade = "bad" if event.name == "exception" else ""
    named = event.attributes.get(_EVENT_NAME)
    title = named if isinstance(named, str) and named else event.name
    return Entry(event.time_ns, title, span.name, shown[:_CHARS], grade, event.attributes, text[:_CHARS])


def _of_log(log: LogRecord) -> Entry:
    text = "" if log.body is None else display.value_text(log.body)[:_CHARS]
    more = "  ".join(_pairs(log.attributes.items()))
    number = log.severity_number
    grade = "bad" if number >= _ERROR else "warn" if number >= _WARN else ""
    name = log.attributes.get(_EVENT_NAME)
    event_name = name if isinstance(name, str) and name else log.event_name
    title, shown = log.severity_text or event_name or "log", f"{text}  {more}".strip()[:_CHARS]
    return Entry(log.time_ns or log.observed_ns, title, event_name or log.scope, shown, grade, log.attributes, text)


def _pairs(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    telling = ((key, value) for key, value in items if key not in _TOLD)
    for key, value in islice(telling, 6):
        yield f"{key}={display.value_text(value)[:80]}"  # type: ignore[arg-type]  # attribute values, by construction
