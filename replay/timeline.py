"""The timeline of a run: rows in tree order on one axis of nanoseconds from the start of the run. Pure, and never changed."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cabtrace.model.span import SpanRecord, SpanState
from replay.forest import Forest, Mark, build_forest
from replay.intervals import IntervalIndex
from replay.markers import Marker, MarkerKind, error_time_ns, marker_kind
from replay.order import StartOrder

_BEFORE_NS = 3_600 * 10**9
_AFTER_NS = 7 * 24 * 3_600 * 10**9


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

    def __init__(self, spans: Sequence[SpanRecord], *, until_ns: int | None = None, since_ns: int | None = None) -> None:
        """Takes spans sorted by start. The axis also covers `since_ns` and `until_ns` (Unix), as far as they are believable."""
        self.spans = spans
        self._forest = build_forest(spans)
        self.start_ns, self.end_ns, self._strays = _axis(spans, self._forest, since_ns, until_ns)
        self.warnings: tuple[str, ...] = ()
        self._starts, self._ends = array("q"), array("q")
        self._place()
        self._order = self.order(self._span_rows())
        self._running = IntervalIndex(self._order.starts, array("q", (self._ends[row] for row in self._order.rows)))
        self.markers: tuple[Marker, ...] = tuple(sorted(self._markers()))
        self.errors: tuple[Marker, ...] = tuple(m for m in self.markers if m.kind is MarkerKind.ERROR)

    @property
    def duration_ns(self) -> int:
        """Length of the axis."""
        return self.end_ns - self.start_ns

    def __len__(self) -> int:
        return len(self._forest.span)

    def row(self, index: int) -> Row:
        """One row. Raises IndexError."""
        forest = self._forest
        return Row(
            index=index,
            span=self.spans[forest.span[index]],
            depth=forest.depth[index],
            parent=forest.parent[index],
            end_row=forest.end[index],
            group=forest.group[index],
            start_ns=self._starts[index],
            end_ns=self._ends[index],
            mark=forest.marks.get(index),
        )

    def key(self, row: int) -> tuple[str, bool]:
        """What names a row in every snapshot of a run that grows."""
        return self.spans[self._forest.span[row]].span_id, bool(self._forest.group[row])

    def groups(self) -> Iterator[int]:
        """Rows that stand for several quiet spans; they are folded at first."""
        return (row for row, size in enumerate(self._forest.group) if size)

    def visible(self, folded: Collection[int]) -> list[int]:
        """Rows that are shown while those in `folded` are closed."""
        rows, row, total, ends = [], 0, len(self), self._forest.end
        while row < total:
            rows.append(row)
            row = ends[row] if row in folded else row + 1
        return rows

    def ancestors(self, row: int) -> Iterator[int]:
        """The rows above, nearest first."""
        while (row := self._forest.parent[row]) >= 0:
            yield row

    def is_active(self, row: int, offset_ns: int) -> bool:
        """Whether the row was running at that instant; one without any length is for that instant."""
        return self._starts[row] <= offset_ns and (offset_ns < self._ends[row] or offset_ns == self._starts[row])

    def active_at(self, offset_ns: int) -> list[int]:
        """Span rows running at that instant, by start."""
        return [self._order.rows[rank] for rank in self._running.stab(offset_ns)]

    def focus_at(self, offset_ns: int) -> int | None:
        """The span that started last of those running, i.e. what was going on; else the last that had started."""
        if (rank := self._running.last_at(offset_ns)) is not None:
            return self._order.rows[rank]
        rank = bisect_right(self._order.starts, offset_ns) - 1
        return self._order.rows[rank] if rank >= 0 else None

    def order(self, rows: Iterable[int]) -> StartOrder:
        """Some rows by start."""
        return StartOrder(rows, self._starts.__getitem__)

    def next_marker(self, offset_ns: int, by: int, *, errors_only: bool = False, current: Marker | None = None) -> Marker | None:
        """The marker after (`by` 1) or before (-1) an instant; `current` tells apart those of the same instant."""
        markers = self.errors if errors_only else self.markers
        if current is not None and current.offset_ns == offset_ns:
            place = bisect_left(markers, current) + by
        elif by > 0:
            place = bisect_right(markers, offset_ns, key=lambda m: m.offset_ns)
        else:
            place = bisect_left(markers, offset_ns, key=lambda m: m.offset_ns) - 1
        return markers[place] if 0 <= place < len(markers) else None

    def _span_rows(self) -> Iterator[int]:
        return (row for row, size in enumerate(self._forest.group) if not size)

    def _markers(self) -> Iterator[Marker]:
        for row in self._span_rows():
            span = self.spans[self._forest.span[row]]
            if kind := marker_kind(span):
                yield Marker(self._starts[row], row, kind)
            if span.failed:
                at = error_time_ns(span)
                offset = self._ends[row] if at is None else min(max(at - self.start_ns, self._starts[row]), self._ends[row])
                yield Marker(offset, row, MarkerKind.ERROR)

    def _place(self) -> None:
        forest, backwards = self._forest, 0
        for index in forest.span:
            span = self.spans[index]
            start = self._offset(span.start_ns)
            end = self.duration_ns if span.end_ns is None else self._offset(span.end_ns)
            if span.end_ns is not None and span.end_ns < span.start_ns:
                backwards += 1
            self._starts.append(start)
            self._ends.append(max(start, end))
        for row, size in enumerate(forest.group):
            if size:
                self._ends[row] = max(self._ends[row : forest.end[row]])
        self.warnings = tuple(self._sentences(backwards))

    def _offset(self, time_ns: int) -> int:
        return min(max(time_ns, self.start_ns), self.end_ns) - self.start_ns

    def _sentences(self, backwards: int) -> Iterator[str]:
        marks = list(self._forest.marks.values())
        if count := marks.count(Mark.ORPHAN):
            yield f"{count} spans name a parent that was not recorded; they are shown under the root."
        if count := marks.count(Mark.CYCLE):
            yield f"{count} spans are their own ancestors; the circle is cut and shown under the root."
        if count := marks.count(Mark.DUPLICATE):
            yield f"{count} spans have the id of another span."
        if self._forest.roots > 1:
            yield f"The trace has {self._forest.roots} roots instead of one."
        if backwards:
            yield f"{backwards} spans end before they start; they are shown without a length."
        if self._strays:
            yield f"{self._strays} spans lie far outside of the run's time; they are shown at its edge."
        if count := sum(s.state is SpanState.ABORTED for s in self.spans):
            yield f"{count} spans never ended, because the recorder died."


def _axis(spans: Sequence[SpanRecord], forest: Forest, since_ns: int | None, until_ns: int | None) -> tuple[int, int, int]:
    """Start and end of the axis in Unix ns, and how many spans lie out of all reason, an hour before or a week after."""
    if not forest.span:
        start = since_ns or 0
        return start, max(start, until_ns or start), 0
    anchor = since_ns if since_ns else spans[forest.span[0]].start_ns
    low, high = anchor - _BEFORE_NS, anchor + _AFTER_NS
    starts = [s.start_ns for s in spans if low <= s.start_ns <= high]
    if since_ns is not None:
        starts.append(since_ns)
    ends = [e for s in spans if (e := s.end_ns) is not None and low <= e <= high]
    strays = sum(not (low <= s.start_ns <= high and (s.end_ns is None or low <= s.end_ns <= high)) for s in spans)
    if until_ns is not None and low <= until_ns <= high:
        ends.append(until_ns)
    start = min(starts, default=anchor)
    return start, max([start, *starts, *ends]), strays
