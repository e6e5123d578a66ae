"""The timeline of a run: rows in tree order on one axis of nanoseconds from the start of the run. Pure, and never changed.

It is made of columns (see `replay.columns`): a span is looked up when it is shown, so that their number hardly matters.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from cabtrace.model.span import SpanRecord
from cabtrace.store.span_facts import ABORTED, ODD_ID, PENDING, id_number
from cabtrace.store.span_order import facts_of
from replay.build import build_columns
from replay.columns import Columns, Summary
from replay.folding import Folding, Visible
from replay.forest import MARKS, Mark
from replay.intervals import IntervalIndex
from replay.markers import Marker, Markers

_MOST_WITH_ID = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """A span (or `group` quiet ones) in its place. Times are offsets from the start of the run; no end is before its start."""

    index: int
    span: SpanRecord
    depth: int
    parent: int
    end_row: int
    group: int
    start_ns: int
    end_ns: int
    mark: Mark | None

    @property
    def has_children(self) -> bool:
        """Whether there are rows below."""
        return self.end_row > self.index + 1


class Timeline:
    """Rows by number, and what lies where in time. Offsets are nanoseconds from `start_ns` (Unix)."""

    def __init__(
        self,
        spans: Sequence[SpanRecord],
        *,
        until_ns: int | None = None,
        since_ns: int | None = None,
        columns: tuple[Columns, Summary] | None = None,
    ) -> None:
        """Takes spans sorted by start. The axis also covers `since_ns` and `until_ns` (Unix), as far as they are believable.

        `columns` were made of these spans by `build_columns`, now or earlier.
        """
        self.spans = spans
        self.columns, self.summary = columns or build_columns(facts_of(spans), since_ns=since_ns, until_ns=until_ns)
        self.start_ns, self.end_ns, self.warnings = self.summary.start_ns, self.summary.end_ns, self.summary.warnings
        c = self.columns
        self._running = IntervalIndex(_Mapped(c.row_start, c.by_start, len(self)), c.latest)
        self.markers = Markers(c.mark_at, c.mark_row, c.mark_kind, len(self))
        self.errors = Markers(c.error_at, c.error_row, None, len(self))

    @property
    def duration_ns(self) -> int:
        """Length of the axis."""
        return self.end_ns - self.start_ns

    def __len__(self) -> int:
        return len(self.columns.row_span)

    def row(self, index: int) -> Row:
        """One row. Raises IndexError."""
        c = self.columns
        span = self.spans[self.span_of(index)]
        index = range(len(self))[index]
        start = min(max(c.row_start[index], 0), self.duration_ns)
        return Row(
            index=index,
            span=span,
            depth=max(c.row_depth[index], 0),
            parent=self.parent(index),
            end_row=self.end_row(index),
            group=max(c.row_group[index], 0),
            start_ns=start,
            end_ns=min(max(c.row_stop[index], start), self.duration_ns),
            mark=MARKS[c.row_mark[index] % len(MARKS)],
        )

    def span_of(self, row: int) -> int:
        """The place in `spans` of a row's span."""
        return self.columns.row_span[row] % len(self.spans)

    def row_of(self, span: int) -> int:
        """The row of a place in `spans`."""
        return self.columns.span_row[span] % len(self)

    def parent(self, row: int) -> int:
        """The row above, or -1."""
        parent = self.columns.row_parent[row]
        return parent if 0 <= parent < row else -1

    def end_row(self, row: int) -> int:
        """The row after the last one below."""
        return min(max(self.columns.row_end[row], row + 1), len(self))

    def depth(self, row: int) -> int:
        """How many rows are above."""
        return max(self.columns.row_depth[row], 0)

    def start_of(self, row: int) -> int:
        """Start of a row, without looking at its span."""
        return self.columns.row_start[row]

    def key(self, row: int) -> tuple[str, bool]:
        """What names a row in every snapshot of a run that grows."""
        span, c = self.span_of(row), self.columns
        span_id = self.spans[span].span_id if c.span_flags[span] & ODD_ID else f"{c.span_id[span]:016x}"
        return span_id, c.row_group[row] > 0

    def find(self, key: tuple[str, bool]) -> int | None:
        """The row of a key."""
        span_id, group = key
        wanted, ids = id_number(span_id), self.columns.span_id
        place = bisect_left(self._by_id, wanted, key=ids.__getitem__)
        if place == len(self._by_id) or ids[span := self._by_id[place]] != wanted:
            return None
        row = self.row_of(span)
        if not group:
            return row
        above = self.parent(row)
        return above if above >= 0 and self.columns.row_group[above] > 0 and self.span_of(above) == span else None

    def with_id(self, prefix: str) -> list[int]:
        """The rows of spans whose ids begin so, at most a thousand of them."""
        c = self.columns
        digits = 16 - len(prefix)
        low = int(prefix, 16) << 4 * digits
        span = range(low, low + (1 << 4 * digits))
        found = (
            place
            for place, number in enumerate(c.span_id)
            if (self.spans[place].span_id.startswith(prefix) if c.span_flags[place] & ODD_ID else number in span)
        )
        return [self.row_of(place) for place in islice(found, _MOST_WITH_ID)]

    @cached_property
    def _by_id(self) -> Sequence[int]:
        ids = self.columns.span_id
        return sorted(range(len(ids)), key=ids.__getitem__)

    def groups(self) -> Iterator[int]:
        """Rows that stand for several quiet spans."""
        return iter(self.columns.groups)

    def closed(self) -> Iterator[int]:
        """Rows that are closed at first, from top to bottom: groups, and those below which all is an agent's own chatter."""
        return iter(self.columns.closed)

    @cached_property
    def inner(self) -> Sequence[int]:
        """Rows that have rows both above and below, from top to bottom."""
        return array("i", sorted(set(self.columns.row_parent).difference((-1, *self.roots()))))

    def inside(self, row: int) -> tuple[int, int]:
        """How many spans are below a row, and how many of them are steps: calls, tools, tests, errors."""
        begin, end = row + 1, self.end_row(row)
        groups, steps = (
            bisect_left(column, end) - bisect_left(column, begin) for column in (self.columns.groups, self.columns.steps)
        )
        return max(end - begin - groups, 0), max(steps, 0)

    def visible(self, folded: Collection[int]) -> Visible:
        """Rows that are shown while those in `folded` are closed."""
        return Folding(self, folded).visible

    def roots(self) -> Iterator[int]:
        """Rows that have none above."""
        return self._siblings(0, len(self))

    def children(self, row: int) -> Iterator[int]:
        """The spans right below a row: those of a group one by one, none that is only shown there (see `Mark`)."""
        below, end = row + 1, self.end_row(row)
        while below < end:
            if self.columns.row_group[below] > 0:
                yield from self._siblings(below + 1, self.end_row(below))
            elif MARKS[self.columns.row_mark[below] % len(MARKS)] not in (Mark.ORPHAN, Mark.CYCLE):
                yield below
            below = self.end_row(below)

    def _siblings(self, row: int, end: int) -> Iterator[int]:
        while row < end:
            yield row
            row = self.end_row(row)

    def ancestors(self, row: int) -> Iterator[int]:
        """The rows above, nearest first."""
        while (row := self.parent(row)) >= 0:
            yield row

    def is_active(self, row: int, offset_ns: int) -> bool:
        """Whether the row was running at that instant; one without any length is for that instant."""
        start = self.columns.row_start[row]
        return start <= offset_ns and (offset_ns < self.columns.row_stop[row] or offset_ns == start)

    def active_at(self, offset_ns: int) -> list[int]:
        """Span rows running at that instant, by start."""
        return [self.ranked(rank) for rank in self._running.stab(offset_ns)]

    def last_open(self, kinds: Set[int]) -> int | None:
        """The place of the last span to start, of those of some kinds (see `KIND_CODES`), that has begun and not ended."""
        return next((place for place in reversed(self._open) if self.columns.span_kind[place] in kinds), None)

    @cached_property
    def _open(self) -> Sequence[int]:
        return [place for place, flags in enumerate(self.columns.span_flags) if flags & PENDING and not flags & ABORTED]

    def focus_at(self, offset_ns: int) -> int | None:
        """The span that started last of those running, i.e. what was going on; else the last that had started."""
        rank = self._running.last_at(offset_ns)
        if rank is None:
            rank = bisect_right(self.starts, offset_ns) - 1
        return self.ranked(rank) if rank >= 0 else None

    def ranked(self, rank: int) -> int:
        """The row with a place in order of time."""
        return self.columns.by_start[rank] % len(self)

    def rank(self, row: int) -> int:
        """Where a row is in order of time."""
        return self.columns.row_rank[row] % len(self)

    @property
    def starts(self) -> Sequence[int]:
        """Starts of all rows in order of time."""
        return _Mapped(self.columns.row_start, self.columns.by_start, len(self))

    def next_marker(self, offset_ns: int, by: int, *, errors_only: bool = False, current: Marker | None = None) -> Marker | None:
        """The marker after (`by` 1) or before (-1) an instant; `current` tells apart those of the same instant."""
        markers = self.errors if errors_only else self.markers
        if current is not None and current.offset_ns == offset_ns:
            place = markers.place_of(current) + by
        elif by > 0:
            place = bisect_right(markers.offsets, offset_ns)
        else:
            place = bisect_left(markers.offsets, offset_ns) - 1
        return markers[place] if 0 <= place < len(markers) else None


class _Mapped(Sequence[int]):
    """A column in the order that another one gives."""

    __slots__ = ("_column", "_order", "_size")

    def __init__(self, column: Sequence[int], order: Sequence[int], size: int) -> None:
        self._column = column
        self._order = order
        self._size = size

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, place: int) -> int:  # type: ignore[override]  # a part of it is of no use
        return self._column[self._order[place] % self._size]
