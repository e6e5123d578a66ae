"""What was noted while a run went on, in one order of time: events of spans, log records of the agent, bookmarks of the user."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cabtrace.model import semconv as sc
from cabtrace.model.log import LogRecord
from cabtrace.model.span import SpanEvent, SpanRecord
from replay import display
from replay.bookmarks import Bookmark

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


def journal(spans: Iterable[SpanRecord], logs: Iterable[LogRecord], bookmarks: Iterable[Bookmark]) -> tuple[Entry, ...]:
    """All of it by time."""
    entries = [_of_event(span, event) for span in spans for event in span.events]
    entries += map(_of_log, logs)
    entries += [Entry(mark.time_ns, "bookmark", "", mark.note, "mark") for mark in bookmarks]
    return tuple(sorted(entries, key=lambda entry: entry.time_ns))


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
