"""Search over everything that a run recorded, in order of time. Pure: what is searched is handed in. Bounded, and says so."""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain
from typing import Protocol

from cabtrace.model.span import SpanRecord
from replay import display
from replay.candidates import spans_with
from replay.timeline import Timeline

MOST_HITS = 10_000
QUERY_CHARS = 200
_EXCERPT_BEFORE, _EXCERPT_AFTER = 24, 96
_VALUE_CHARS = 256 * 1024
_TELL_NS = 250_000_000


class Where(StrEnum):
    """What the words were found in."""

    NAME = "span"
    ATTRIBUTE = "attribute"
    EVENT = "event"
    MESSAGE = "message"
    LOG = "log"
    SCREEN = "screen"


@dataclass(frozen=True, slots=True)
class Hit:
    """`excerpt` is recorded text around the words, hence hostile; `row` is the timeline's, None where no span is meant."""

    offset_ns: int
    row: int | None
    where: Where
    excerpt: str


@dataclass(frozen=True, slots=True)
class Said:
    """Some text of an instant: a part of a message or a log record."""

    offset_ns: int
    row: int | None
    where: Where
    text: str


@dataclass(frozen=True, slots=True)
class Results:
    """Hits by time. `more`: there are others, as the search stopped or the screen said more than is kept.

    `done` is False while the search still goes on.
    """

    query: str
    hits: tuple[Hit, ...] = ()
    more: bool = False
    done: bool = True

    def count_words(self) -> str:
        """`3`, `10,000+`, `3 so far`."""
        return f"{len(self.hits):,}{'+' if self.more else ''}{'' if self.done else ' so far'}"

    def without_rows(self) -> Results:
        """For a run whose rows have moved since."""
        return replace(self, hits=tuple(replace(hit, row=None) for hit in self.hits))

    def place_of(self, hit: Hit) -> int | None:
        """Where a hit of an earlier state of this search is now."""
        at = bisect_left(self.hits, hit.offset_ns, key=lambda other: other.offset_ns)
        while at < len(self.hits) and self.hits[at].offset_ns == hit.offset_ns:
            if self.hits[at] == hit:
                return at
            at += 1
        return None

    def step(self, offset_ns: int, by: int, current: int | None) -> int | None:
        """The hit after (`by` 1) or before (-1) an instant; `current` tells apart those of the same instant. None at the ends."""
        if current is not None and self.hits[current].offset_ns == offset_ns:
            place = current + by
        else:
            later = bisect_right(self.hits, offset_ns, key=lambda hit: hit.offset_ns)
            place = later if by > 0 else later - 1
        return place if 0 <= place < len(self.hits) else None


class OnScreen(Protocol):
    """What a terminal showed. `full`: not all of it is kept."""

    @property
    def full(self) -> bool: ...

    def find(self, query: str) -> Iterable[tuple[int, str, re.Match[str]]]:
        """Offset, the text that holds the words, where in that; in order of time."""


def search(
    query: str,
    timeline: Timeline,
    said: Iterable[Said],
    screen: OnScreen | None = None,
    *,
    most: int = MOST_HITS,
    stop: Callable[[], bool] = lambda: False,
) -> Results:
    """Every place of `query`, whatever its case: spans, what was `said`, and what was on the terminal's `screen`.

    One hit a span and a text; of the same line printed again and again the first. `stop` ends it early.
    """
    *_, last = searching(query, timeline, said, screen, most=most, stop=stop)
    return last


def searching(
    query: str,
    timeline: Timeline,
    said: Iterable[Said],
    screen: OnScreen | None = None,
    *,
    most: int = MOST_HITS,
    stop: Callable[[], bool] = lambda: False,
    now_ns: Callable[[], int] = time.monotonic_ns,
) -> Iterator[Results]:
    """As `search`, and where that takes long, now and again what is known so far."""
    needle = re.compile(re.escape(query[:QUERY_CHARS]), re.IGNORECASE)
    hits: list[Hit] = []
    more, told_ns = False, now_ns()
    if query:
        asked = query[:QUERY_CHARS]
        for hit in chain(_in_spans(needle, timeline, asked, stop), _in_texts(needle, said), _on_screen(asked, screen)):
            if len(hits) >= most or stop():
                more = True
                break
            hits.append(hit)
            if now_ns() - told_ns >= _TELL_NS:
                yield Results(query, _in_order(hits), done=False)
                told_ns = now_ns()
        more |= screen is not None and screen.full
    yield Results(query, _in_order(hits), more=more)


def _in_order(hits: list[Hit]) -> tuple[Hit, ...]:
    return tuple(sorted(hits, key=lambda hit: hit.offset_ns))


def _in_spans(needle: re.Pattern[str], timeline: Timeline, query: str, stop: Callable[[], bool]) -> Iterator[Hit]:
    for place, span in spans_with(timeline.spans, query, stop):
        for where, text, at_ns in _span_texts(span):
            if match := needle.search(text):
                row = timeline.row_of(place)
                start_ns, end_ns = timeline.columns.row_start[row], timeline.columns.row_stop[row]
                offset_ns = start_ns if at_ns is None else min(max(at_ns - timeline.start_ns, start_ns), end_ns)
                yield Hit(offset_ns, row, where, excerpt(text, match))
                break


def _span_texts(span: SpanRecord) -> Iterator[tuple[Where, str, int | None]]:
    yield Where.NAME, span.name, None
    yield Where.NAME, display.title(span), None
    for key, value in span.attributes.items():
        yield Where.ATTRIBUTE, f"{key} = {display.value_text(value)[:_VALUE_CHARS]}", None
    yield Where.NAME, span.status_message, span.end_ns
    for event in span.events:
        yield Where.EVENT, event.name, event.time_ns
        for key, value in event.attributes.items():
            yield Where.EVENT, f"{key} = {display.value_text(value)[:_VALUE_CHARS]}", event.time_ns


def _in_texts(needle: re.Pattern[str], said: Iterable[Said]) -> Iterator[Hit]:
    for piece in said:
        if match := needle.search(piece.text):
            yield Hit(piece.offset_ns, piece.row, piece.where, excerpt(piece.text, match))


def _on_screen(query: str, screen: OnScreen | None) -> Iterator[Hit]:
    """Of a line that was drawn again and again the first."""
    known: set[str] = set()
    for offset_ns, text, match in screen.find(query) if screen else ():
        line = excerpt(text, match)
        if line not in known:
            known.add(line)
            yield Hit(offset_ns, None, Where.SCREEN, line)


def excerpt(text: str, match: re.Match[str]) -> str:
    """The words with some of their line around them."""
    start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - _EXCERPT_BEFORE)
    end = text.find("\n", match.end())
    end = min(len(text) if end < 0 else end, match.end() + _EXCERPT_AFTER)
    return text[start:end].strip()
