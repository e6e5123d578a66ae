"""Search over everything that a run recorded, in order of time. Pure: what is searched is handed in. Bounded, and says so."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from cabtrace.model.span import SpanRecord
from replay import display
from replay.timeline import Timeline

MOST_HITS = 10_000
QUERY_CHARS = 200
_EXCERPT_BEFORE, _EXCERPT_AFTER = 24, 96
_VALUE_CHARS = 256 * 1024
_OUTPUT_CHARS = 64 * 1024 * 1024
# What a terminal swallows. A sequence that is cut off at the end of the output runs to that end.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x1b\x07\x9c]*(?:\x1b\\|\x07|\x9c|$)?|\x1b[ -/]*[0-~]|[\x00-\x09\x0b-\x1f\x7f-\x9f]"
)


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
    """Hits by time. `more`: there were too many, and the search stopped."""

    query: str
    hits: tuple[Hit, ...] = ()
    more: bool = False

    def count_words(self) -> str:
        """`3 hits`, `10,000+ hits`."""
        return f"{len(self.hits):,}{'+' if self.more else ''} hit{'s' * (len(self.hits) != 1)}"

    def step(self, offset_ns: int, by: int, current: int | None) -> int | None:
        """The hit after (`by` 1) or before (-1) an instant; `current` tells apart those of the same instant. None at the ends."""
        if current is not None and self.hits[current].offset_ns == offset_ns:
            place = current + by
        else:
            later = bisect_right(self.hits, offset_ns, key=lambda hit: hit.offset_ns)
            place = later if by > 0 else later - 1
        return place if 0 <= place < len(self.hits) else None


def search(
    query: str,
    timeline: Timeline,
    said: Iterable[Said],
    output: Sequence[tuple[int, str]],
    *,
    most: int = MOST_HITS,
    stop: Callable[[], bool] = lambda: False,
) -> Results:
    """Every place of `query`, whatever its case: spans, what was `said`, and terminal `output` as (offset, data) in order.

    One hit a span and a text; of the same line printed again and again the first. `stop` ends it early.
    """
    needle = re.compile(re.escape(query[:QUERY_CHARS]), re.IGNORECASE)
    hits: list[Hit] = []
    if not query:
        return Results(query)
    for hit in chain(_in_spans(needle, timeline), _in_texts(needle, said), _in_output(needle, output)):
        if len(hits) >= most or stop():
            return Results(query, _in_order(hits), more=True)
        hits.append(hit)
    return Results(query, _in_order(hits))


def _in_order(hits: list[Hit]) -> tuple[Hit, ...]:
    return tuple(sorted(hits, key=lambda hit: hit.offset_ns))


def _in_spans(needle: re.Pattern[str], timeline: Timeline) -> Iterator[Hit]:
    for row in map(timeline.row, range(len(timeline))):
        if row.group:
            continue
        for where, text, at_ns in _span_texts(row.span):
            if match := needle.search(text):
                offset_ns = row.start_ns if at_ns is None else min(max(at_ns - timeline.start_ns, row.start_ns), row.end_ns)
                yield Hit(offset_ns, row.index, where, excerpt(text, match))
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


def _in_output(needle: re.Pattern[str], output: Sequence[tuple[int, str]]) -> Iterator[Hit]:
    """Text that reached the screen, at the instant when the last of it did. A match never goes over the end of a line."""
    ends, size, kept = [], 0, []
    for _, data in output:
        if size > _OUTPUT_CHARS:
            break
        size += len(data)
        ends.append(size)
        kept.append(data)
    shown, origins, sources = _without_escapes("".join(kept))
    known: set[str] = set()
    for match in needle.finditer(shown):
        line = excerpt(shown, match)
        if line in known:
            continue
        known.add(line)
        last = match.end() - 1
        piece = bisect_right(origins, last) - 1
        source = sources[piece] + last - origins[piece]
        yield Hit(output[bisect_right(ends, source)][0], None, Where.SCREEN, line)


def _without_escapes(text: str) -> tuple[str, list[int], list[int]]:
    """What remains, and for each piece of it where it begins there and where it came from."""
    pieces: list[str] = []
    origins, sources = [], []
    position = length = 0
    for match in chain(_ESCAPES.finditer(text), (None,)):
        start = match.start() if match else len(text)
        if start > position:
            pieces.append(text[position:start])
            origins.append(length)
            sources.append(position)
            length += start - position
        position = match.end() if match else start
    return "".join(pieces), origins, sources


def excerpt(text: str, match: re.Match[str]) -> str:
    """The words with some of their line around them."""
    start = max(text.rfind("\n", 0, match.start()) + 1, match.start() - _EXCERPT_BEFORE)
    end = text.find("\n", match.end())
    end = min(len(text) if end < 0 else end, match.end() + _EXCERPT_AFTER)
    return text[start:end].strip()
