"""The spans of a run as a sequence of which only those that are looked at are in memory."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, overload

from cabtrace.model.span import SpanRecord, SpanState
from cabtrace.store import layout
from cabtrace.store.span_facts import ODD_ID, PENDING, id_number

if TYPE_CHECKING:
    from cabtrace.store.line_filter import LineFilter
    from cabtrace.store.span_records import SpanRecords
    from replay.columns import Columns

_KEPT: Final = 2_048
_LOST_NAME: Final = "(its record cannot be read any more)"


class SpanList(Sequence[SpanRecord]):
    """Spans by start, read from their files; the last few are kept. Safe to use from several threads."""

    def __init__(self, records: SpanRecords, columns: Columns, *, live: bool) -> None:
        """What only began counts as running while `live`, else as aborted."""
        self._records = records
        self._columns = columns
        self._pending_state = SpanState.RUNNING if live else SpanState.ABORTED
        self._kept: dict[int, SpanRecord] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._columns.span_id)

    @overload
    def __getitem__(self, place: int) -> SpanRecord: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[SpanRecord]: ...
    def __getitem__(self, place: int | slice) -> SpanRecord | Sequence[SpanRecord]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        with self._lock:
            span = self._kept.pop(place, None)
            if span is not None:
                self._kept[place] = span
                return span
        span = self._read(place)
        with self._lock:
            self._kept[place] = span
            if len(self._kept) > _KEPT:
                del self._kept[next(iter(self._kept))]
        return span

    def __iter__(self) -> Iterator[SpanRecord]:
        """All of them, without keeping any."""
        return map(self._read, range(len(self)))

    def with_words(self, words: LineFilter, stop: Callable[[], bool] = lambda: False) -> Iterator[tuple[int, SpanRecord]]:
        """Places and spans whose records may hold the words, as they were recorded."""
        c = self._columns
        for name in (layout.TRACE, layout.OPEN):
            for offset in self._records.offsets(name, words, stop):
                wanted = name == layout.OPEN, offset
                at = bisect_left(c.by_place, wanted, key=self._where)
                while at < len(self) and self._where(c.by_place[at]) == wanted:
                    place = c.by_place[at] % len(self)
                    yield place, self._read(place)
                    at += 1

    def _where(self, place: int) -> tuple[bool, int]:
        place %= len(self)
        return bool(self._columns.span_flags[place] & PENDING), self._columns.span_at[place]

    def _read(self, place: int) -> SpanRecord:
        c = self._columns
        pending = bool(c.span_flags[place] & PENDING)
        name = layout.OPEN if pending else layout.TRACE
        span = self._records.read(name, c.span_at[place], c.span_item[place])
        if span is None or id_number(span.span_id) != c.span_id[place]:
            return self._lost(place)
        return replace(span, state=self._pending_state, end_ns=None) if pending else span

    def _lost(self, place: int) -> SpanRecord:
        """The file was changed behind our back, or the index is not telling the truth."""
        c = self._columns
        span_id = "" if c.span_flags[place] & ODD_ID else f"{c.span_id[place]:016x}"
        return SpanRecord("", span_id, None, _LOST_NAME, 0, None, state=SpanState.ABORTED)
