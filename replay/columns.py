"""A timeline as columns of numbers: what it is made of in memory, and what is kept of it in a run's index."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import Any, Final, Literal

import orjson

Column = Sequence[int]
_Code = Literal["B", "H", "i", "q", "Q"]
_SUMMARY: Final = "summary"
_MOST_SENTENCES: Final = 100
#: the columns that are of one length, and what each is an array of
_SHAPES: Final[Mapping[str, Mapping[str, _Code]]] = {
    "spans": {
        "span_id": "Q",
        "span_at": "q",
        "span_item": "i",
        "span_kind": "B",
        "span_flags": "H",
        "span_row": "i",
        "by_place": "i",
    },
    "rows": {
        "row_span": "i",
        "row_depth": "i",
        "row_parent": "i",
        "row_end": "i",
        "row_group": "i",
        "row_mark": "B",
        "row_start": "q",
        "row_stop": "q",
        "by_start": "i",
        "row_rank": "i",
    },
    "tree": {"latest": "q"},
    "groups": {"groups": "i"},
    "closed": {"closed": "i"},
    "steps": {"steps": "i"},
    "marks": {"mark_at": "q", "mark_row": "i", "mark_kind": "B"},
    "errors": {"error_at": "q", "error_row": "i"},
    "calls": {"call_span": "i", "call_number": "q", "call_start": "q"},
    "call_tree": {"call_latest": "q"},
    "events": {"event_at": "q", "event_span": "i", "event_item": "i"},
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What is no column. Unix ns; `first_ns` and `last_ns` are the instants that spans tell of, whatever the axis covers.

    `warnings` are about the spans, `reading` about the files they come from. Tokens are None where no call knows any.
    """

    start_ns: int
    end_ns: int
    warnings: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    first_ns: int | None = None
    last_ns: int | None = None
    container_ns: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    unknown_calls: int = 0


@dataclass(frozen=True, slots=True)
class Columns:
    """Offsets are ns from the start of the run. Numbers that came from an index may be any: check them where they are used."""

    # spans by start: id, where the record is (the byte its line begins at, which of that line), what it is, its row
    span_id: Column
    span_at: Column
    span_item: Column
    span_kind: Column
    span_flags: Column
    span_row: Column
    by_place: Column  # spans as their records follow each other
    # rows in tree order
    row_span: Column
    row_depth: Column
    row_parent: Column
    row_end: Column
    row_group: Column
    row_mark: Column
    row_start: Column
    row_stop: Column
    # rows by start, the place of each row among them, and the tree of latest ends above them
    by_start: Column
    row_rank: Column
    latest: Column
    # rows: those for several spans, those that start closed (groups among them), those that a marker tells of
    groups: Column
    closed: Column
    steps: Column
    # markers by time, those of errors among them
    mark_at: Column
    mark_row: Column
    mark_kind: Column
    error_at: Column
    error_row: Column
    # model calls by start (Unix ns), and the tree of latest ends above them
    call_span: Column
    call_number: Column
    call_start: Column
    call_latest: Column
    # events by time (Unix ns)
    event_at: Column
    event_span: Column
    event_item: Column


def to_blobs(columns: Columns, summary: Summary) -> dict[str, bytes | memoryview]:
    """As the index keeps them."""
    blobs: dict[str, bytes | memoryview] = {}
    for name in chain.from_iterable(_SHAPES.values()):
        column = getattr(columns, name)
        blobs[name] = memoryview(column).cast("B") if len(column) else b""  # an empty view cannot be cast
    blobs[_SUMMARY] = orjson.dumps({"byteorder": sys.byteorder, **asdict(summary)})
    return blobs


def from_blobs(blobs: Mapping[str, bytes]) -> tuple[Columns, Summary] | None:
    """The inverse; None where the lengths or the summary are not what they must be. The numbers themselves may be any."""
    try:
        raw = orjson.loads(blobs[_SUMMARY])
        if raw.pop("byteorder") != sys.byteorder:
            return None
        summary = _summary(raw)
        found: dict[str, memoryview] = {}
        counts: dict[str, int] = {}
        for count, names in _SHAPES.items():
            for name, code in names.items():
                column = found[name] = memoryview(blobs[name]).cast(code) if blobs[name] else memoryview(array(code))
                if counts.setdefault(count, len(column)) != len(column):
                    return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    spans, rows = counts["spans"], counts["rows"]
    whole = counts["tree"] == tree_size(rows) and counts["call_tree"] == tree_size(counts["calls"])
    possible = max(spans, counts["groups"], counts["closed"], counts["steps"]) <= rows and bool(spans) == bool(rows)
    return (Columns(**found), summary) if whole and possible else None


def tree_size(leaves: int) -> int:
    """Nodes of a binary tree with so many leaves, node 0 included."""
    return 2 << max(leaves - 1, 0).bit_length()


def _summary(raw: Mapping[str, Any]) -> Summary:
    texts: dict[str, Any] = {name: tuple(raw[name])[:_MOST_SENTENCES] for name in ("warnings", "reading")}
    numbers = {f.name: raw[f.name] for f in fields(Summary) if f.name not in texts}
    if not all(type(number) is int or number is None for number in numbers.values()):
        raise ValueError("no number")
    if not all(isinstance(sentence, str) for sentences in texts.values() for sentence in sentences):
        raise ValueError("no sentences")
    if not numbers["start_ns"] <= numbers["end_ns"] or numbers["unknown_calls"] is None:
        raise ValueError("no axis")
    return Summary(**texts, **numbers)
