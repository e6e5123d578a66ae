"""What was noted while a run went on, in one order of time: events of spans, log records of the agent, bookmarks of the user."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from cabtrace.model import semconv as sc
from cabtrace.model.log import LogRecord
from cabtrace.model.span import SpanEvent, SpanRecord
from replay import display
from replay.bookmarks import Bookmark

if TYPE_CHECKING:
    from replay.timeline import Timeline

_TEXT_KEYS = ("exception.message", "message", "body", sc.GEN_AI_EVALUATION_EXPLANATION)
_WARN, _ERROR = 13, 17  # OpenTelemetry's severity numbers
_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Entry:
    """`grade` is "", "warn", "bad" or "mark". Texts are as recorded, hence hostile. `time_ns` is Unix time, 0 when unknown."""

    time_ns: int
    title: str
    source: str
    text: str
    grade: str = ""


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
    text = text or "  ".join(_pairs(event.attributes.items()))
    return Entry(event.time_ns, event.name, span.name, text[:_CHARS], "bad" if event.name == "exception" else "")


def _of_log(log: LogRecord) -> Entry:
    text = "" if log.body is None else display.value_text(log.body)[:_CHARS]
    more = "  ".join(_pairs(log.attributes.items()))
    number = log.severity_number
    grade = "bad" if number >= _ERROR else "warn" if number >= _WARN else ""
    title = log.severity_text or log.event_name or "log"
    return Entry(log.time_ns or log.observed_ns, title, log.event_name or log.scope, f"{text}  {more}".strip()[:_CHARS], grade)


def _pairs(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    for place, (key, value) in enumerate(items):
        if place == 6:
            return
        yield f"{key}={display.value_text(value)[:80]}"  # type: ignore[arg-type]  # attribute values, by construction
