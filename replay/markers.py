"""Instants worth jumping to."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, overload

from cabtrace.model import semconv as sc
from cabtrace.store.span_facts import KIND_CODES, PLUGINS, TOOL

if TYPE_CHECKING:
    from replay.columns import Column


class MarkerKind(StrEnum):
    """What happened."""

    MODEL_CALL = "model call"
    TOOL_CALL = "tool call"
    TEST = "test"
    ERROR = "error"


#: what a column of kinds holds a place in, in the order of markers of the same row and instant
MARKER_KINDS: Final = (MarkerKind.ERROR, MarkerKind.MODEL_CALL, MarkerKind.TEST, MarkerKind.TOOL_CALL)
MARKER_CODES: Final = {kind: code for code, kind in enumerate(MARKER_KINDS)}
_MODEL_CALL = KIND_CODES[sc.SpanKind.MODEL_CALL]
_VERIFIER = KIND_CODES[sc.SpanKind.VERIFIER]
_TOOL_CALL = KIND_CODES[sc.SpanKind.TOOL_CALL]


@dataclass(frozen=True, slots=True, order=True)
class Marker:
    """`offset_ns` from the start of the run; `row` of the timeline."""

    offset_ns: int
    row: int
    kind: MarkerKind


def marker_code(kind: int, flags: int) -> int:
    """What kind of marker the start of a span is, as a place in `MARKER_KINDS`; 0 if it is none. Takes a span's facts."""
    if kind == _MODEL_CALL:
        return MARKER_CODES[MarkerKind.MODEL_CALL]
    if kind == _VERIFIER:
        return MARKER_CODES[MarkerKind.TEST]
    if (kind == _TOOL_CALL and not flags & PLUGINS) or flags & TOOL:
        return MARKER_CODES[MarkerKind.TOOL_CALL]
    return 0


class Markers(Sequence[Marker]):
    """Markers in order, made from columns when they are looked at."""

    def __init__(self, offsets: Column, rows: Column, kinds: Column | None, n_rows: int) -> None:
        """Without `kinds` all are errors. Rows are kept below `n_rows`, whatever the columns hold."""
        self.offsets = offsets
        self._rows = rows
        self._kinds = kinds
        self._n_rows = n_rows

    def __len__(self) -> int:
        return len(self.offsets)

    @overload
    def __getitem__(self, place: int) -> Marker: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Marker]: ...
    def __getitem__(self, place: int | slice) -> Marker | Sequence[Marker]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        kind = self._kinds[place] if self._kinds is not None else 0
        return Marker(self.offsets[place], self._rows[place] % self._n_rows, MARKER_KINDS[kind % len(MARKER_KINDS)])

    def place_of(self, marker: Marker) -> int:
        """Where it is, or would be."""
        low, high = bisect_left(self.offsets, marker.offset_ns), bisect_right(self.offsets, marker.offset_ns)
        low = bisect_left(self._rows, marker.row, low, high)
        while low < high and self[low] < marker:
            low += 1
        return low

    def counts(self, begin: int, end: int) -> dict[MarkerKind, int]:
        """How many there are of each kind from one place up to another."""
        if self._kinds is None:
            return {MarkerKind.ERROR: end - begin} if begin < end else {}
        codes = bytes(self._kinds[begin:end])
        found = ((kind, codes.count(code)) for code, kind in enumerate(MARKER_KINDS))
        return {kind: count for kind, count in found if count}
