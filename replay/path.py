"""The critical path laid over the rows of a timeline: which stretches of which row the run's length hangs on. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from replay.timeline import Timeline

Stretch = tuple[int, int]
_CELLS_KEPT = 512


class PathOverlay:
    """Stretches are offsets from the start of the run, in ns."""

    def __init__(self, timeline: Timeline) -> None:
        """Works it out; takes a while for a large run."""
        self._duration_ns = timeline.duration_ns
        rows, starts, ends = array("i"), array("q"), array("q")
        for row, start, end in _sections(timeline):
            rows.append(row)
            starts.append(start)
            ends.append(end)
        order = sorted(range(len(rows)), key=starts.__getitem__)
        self._rows = array("i", map(rows.__getitem__, order))
        self._starts = array("q", map(starts.__getitem__, order))
        self._ends = array("q", map(ends.__getitem__, order))
        self._by_row = array("i", sorted(range(len(rows)), key=self._rows.__getitem__))
        self._cells: dict[tuple[int, int, int], tuple[set[int], set[int]]] = {}

    @property
    def in_time(self) -> list[tuple[int, int, int]]:
        """Start, end and row of each stretch, by start."""
        return list(zip(self._starts, self._ends, self._rows, strict=True))

    def of(self, row: int, end_row: int) -> list[Stretch]:
        """The stretches of the rows from `row` up to `end_row`."""
        first = bisect_left(self._by_row, row, key=self._rows.__getitem__)
        last = bisect_left(self._by_row, end_row, key=self._rows.__getitem__)
        return [(self._starts[place], self._ends[place]) for place in self._by_row[first:last]]

    def cells(self, row: int, end_row: int, width: int) -> tuple[set[int], set[int]]:
        """The cells of the rows' stretches, as `cells` has them; kept, as a closed row may stand for very many."""
        key = row, end_row, width
        if key not in self._cells:
            if len(self._cells) >= _CELLS_KEPT:
                self._cells.clear()
            self._cells[key] = cells(self.of(row, end_row), self._duration_ns, width)
        return self._cells[key]

    def row_at(self, offset_ns: int) -> int | None:
        """The row that the path is on at an instant."""
        place = bisect_right(self._starts, offset_ns) - 1
        return self._rows[place] if place >= 0 and offset_ns < self._ends[place] else None


def _sections(timeline: Timeline) -> Iterator[tuple[int, int, int]]:
    """Row, start and end of each, by the rules of `cabtrace.diagnose.critical_path`, but from columns: no span is looked at."""
    starts, stops = timeline.columns.row_start, timeline.columns.row_stop
    root = min(timeline.roots(), key=lambda row: (starts[row], row), default=None)
    stack = [] if root is None else [(root, starts[root], stops[root])]
    while stack:
        row, low, high = stack.pop()
        cursor = high
        # Sorted by end: from the last one backwards, each must end before its successor starts.
        for child in sorted(timeline.children(row), key=lambda child: (stops[child], starts[child]), reverse=True):
            start, end = max(starts[child], low), min(stops[child], high)
            if end > cursor or end <= start:
                continue
            if cursor > end:
                yield row, end, cursor
            stack.append((child, start, end))
            cursor = start
        if cursor > low:
            yield row, low, cursor


def cells(stretches: Sequence[Stretch], duration_ns: int, width: int) -> tuple[set[int], set[int]]:
    """The cells that stretches touch, of `width` for the whole run, and those of them that they cover by half or more."""
    shares: dict[int, int] = {}
    if duration_ns <= 0 or width <= 0:
        return set(), set()
    for start, end in stretches:
        first = min(start * width // duration_ns, width - 1)
        last = min(max(-(-end * width // duration_ns), first + 1), width)
        for cell in range(first, last):
            covered = min(end * width, (cell + 1) * duration_ns) - max(start * width, cell * duration_ns)
            shares[cell] = shares.get(cell, 0) + covered
    return set(shares), {cell for cell, share in shares.items() if 2 * share >= duration_ns}
