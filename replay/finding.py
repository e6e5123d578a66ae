"""Where the words of a search stand in what is shown: on the rows of a line, in a document, on the terminal's screen. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from replay.document import Line, Piece, Tone
from replay.search import QUERY_CHARS, Hit, Results, excerpt

if TYPE_CHECKING:
    from cabtrace.protocols import Run

Span = tuple[int, int]  # characters: the first, and the one after the last


@dataclass(frozen=True, slots=True)
class Sought:
    """The words of a search. `hit` is the one that the playhead is at; so many before it look the same: `nth`."""

    needle: re.Pattern[str]
    hit: Hit | None = None
    nth: int = 0

    def words_only(self) -> Sought:
        """For what is not where the hit is."""
        return self if self.hit is None else Sought(self.needle)

    def spans(self, text: str) -> list[Span]:
        """Where the words stand in a text."""
        return [match.span() for match in self.needle.finditer(text)]


def sought(results: Results | None, place: int | None) -> Sought | None:
    """What to mark for a search; `place`: of the hit that the playhead is at."""
    if results is None or not results.query:
        return None
    needle = re.compile(re.escape(results.query[:QUERY_CHARS]), re.IGNORECASE)
    if place is None:
        return Sought(needle)
    hit, nth = results.hits[place], 0
    while (place := place - 1) >= 0 and results.hits[place].offset_ns == hit.offset_ns:
        nth += results.hits[place] == hit
    return Sought(needle, hit, nth)


def mark(pieces: Iterable[Piece], spans: Sequence[Span], tone: Tone) -> list[Piece]:
    """Pieces with another tone where the spans of their text are."""
    parts = list(pieces)
    cuts = _cuts([len(text) for text, _ in parts], spans)
    return [(parts[part][0][begin:end], tone if found else parts[part][1]) for part, begin, end, found in cuts]


def mark_runs(runs: Sequence[Run], spans: Sequence[Span]) -> list[tuple[Run, bool]]:
    """A row of a screen, cut where spans begin and end; whether each part is within one."""
    cuts = _cuts([len(run.text) for run in runs], spans)
    return [(replace(runs[part], text=runs[part].text[begin:end]), found) for part, begin, end, found in cuts]


def _cuts(lengths: Iterable[int], spans: Sequence[Span]) -> Iterator[tuple[int, int, int, bool]]:
    """Of texts side by side: which one, from where, to where, whether within a span. Spans are in order and apart."""
    start, number = 0, 0
    for part, length in enumerate(lengths):
        at, end = start, start + length
        while at < end:
            while number < len(spans) and spans[number][1] <= at:
                number += 1
            first, last = spans[number] if number < len(spans) else (end, end)
            found = first <= at
            until = min(last if found else first, end)
            yield part, at - start, until - start, found
            at = until
        start = end


def row_spans(text: str, rows: Sequence[str], spans: Sequence[Span]) -> list[list[Span]]:
    """Of a line that was wrapped into rows: where on each of them the spans of the line are."""
    found, at = [], 0
    for number, row in enumerate(rows):
        body = row.lstrip(" ") if number else row  # the rows that follow are indented, and begin with a word
        lead = len(row) - len(body)
        begin = max(text.find(body, at), at)
        end = at = begin + len(body)
        cut = ((max(first, begin), min(last, end)) for first, last in spans if first < end and last > begin)
        found.append([(first - begin + lead, last - begin + lead) for first, last in cut])
    return found


def line_of(lines: Sequence[Line], wanted: Sought) -> int | None:
    """The line of a document that shows the hit: one with the words around it, else one with the words."""
    if wanted.hit is None:
        return None
    around = _plain(wanted.hit.excerpt)
    some: int | None = None
    same: list[int] = []
    for place, line in enumerate(lines):
        text = line.text
        if wanted.needle.search(text):
            some = place if some is None else some
            if around in _plain(text):
                same.append(place)
                if len(same) > wanted.nth:
                    break
    return same[-1] if same else some


def row_of(rows: Sequence[Sequence[Run]], wanted: Sought) -> tuple[int, Span] | None:
    """The row of a screen that shows the hit, and where on it: the lowest with the words around it, else with the words."""
    if wanted.hit is None:
        return None
    some: tuple[int, Span] | None = None
    for number in range(len(rows) - 1, -1, -1):
        text = "".join(run.text for run in rows[number])
        for match in wanted.needle.finditer(text):
            if excerpt(text, match) == wanted.hit.excerpt:
                return number, match.span()
            some = some or (number, match.span())
    return some


def _plain(text: str) -> str:
    """Without what a panel lays out in its own way: blanks, and the sign between a key and its value."""
    return " ".join(text.replace(" = ", " ").split())
