"""The critical path laid over the rows of a timeline: which stretches of which row the run's length hangs on. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from cabtrace.diagnose.critical_path import SHARES, share_of
from cabtrace.store.span_facts import KINDS
from replay.timeline import Timeline
from replay.window import Window

Stretch = tuple[int, int]
_CELLS_KEPT = 512
_ASK_EVERY = 1_000
_MOST_STRETCHES = 10_000


class PathOverlay:
    """Stretches are offsets from the start of the run, in ns."""

    def __init__(self, timeline: Timeline, stop: Callable[[], bool] = lambda: False) -> None:
        """Works it out; takes a while for a large run. Once `stop` says so it is no more than a part."""
        rows, starts, ends = array("i"), array("q"), array("q")
        taken: dict[int, int] = {}
        for row, start, end in _sections(timeline, stop):
            kind = timeline.columns.span_kind[timeline.span_of(row)]
            taken[kind] = taken.get(kind, 0) + end - start
            rows.append(row)
            starts.append(start)
            ends.append(end)
        self.shares = _shares(taken)
        order = sorted(range(len(rows)), key=starts.__getitem__)
        self._rows = array("i", map(rows.__getitem__, order))
        self._starts = array("q", map(starts.__getitem__, order))
        self._ends = array("q", map(ends.__getitem__, order))
        self._by_row = array("i", sorted(range(len(rows)), key=self._rows.__getitem__))
        self._cells: dict[tuple[int, int, int, Window], tuple[set[int], set[int]]] = {}

    @property
    def in_time(self) -> list[tuple[int, int, int]]:
        """Start, end and row of each stretch, by start."""
        return list(zip(self._starts, self._ends, self._rows, strict=True))

    def of(self, row: int, end_row: int) -> list[Stretch]:
        """The stretches of the rows from `row` up to `end_row`."""
        return [(self._starts[place], self._ends[place]) for place in self._places(row, end_row)]

    def _places(self, row: int, end_row: int) -> Sequence[int]:
        first = bisect_left(self._by_row, row, key=self._rows.__getitem__)
        last = bisect_left(self._by_row, end_row, key=self._rows.__getitem__)
        return self._by_row[first:last]

    def cells(self, row: int, end_row: int, width: int, window: Window) -> tuple[set[int], set[int]]:
        """The cells of the rows' stretches, as `cells` has them; kept, as a closed row may stand for very many.

        Of more than some ten thousand only so many are looked at, each for those beside it.
        """
        key = row, end_row, width, window
        if key not in self._cells:
            if len(self._cells) >= _CELLS_KEPT:
                self._cells.clear()
            places = self._places(row, end_row)
            each = len(places) // _MOST_STRETCHES + 1
            stretches = [(self._starts[place], self._ends[place]) for place in places[::each]]
            self._cells[key] = cells(stretches, window, width, each=each)
        return self._cells[key]

    def row_at(self, offset_ns: int) -> int | None:
        """The row that the path is on at an instant."""
        place = bisect_right(self._starts, offset_ns) - 1
        return self._rows[place] if place >= 0 and offset_ns < self._ends[place] else None


def _shares(taken: Mapping[int, int]) -> dict[str, float]:
    """As `cabtrace.diagnose.critical_path.shares`, of nanoseconds by code of a kind."""
    by_share = dict.fromkeys(SHARES, 0)
    for code, taken_ns in taken.items():
        by_share[share_of(KINDS[code % len(KINDS)])] += taken_ns
    total = sum(by_share.values())
    return {share: part / total for share, part in by_share.items()} if total else {}


def _sections(timeline: Timeline, stop: Callable[[], bool]) -> Iterator[tuple[int, int, int]]:
    """Row, start and end of each, by the rules of `cabtrace.diagnose.critical_path`, but from columns: no span is looked at."""
    starts, stops = timeline.columns.row_start, timeline.columns.row_stop
    root = min(timeline.roots(), key=lambda row: (starts[row], row), default=None)
    stack = [] if root is None else [(root, starts[root], stops[root])]
    while stack:
        row, low, high = stack.pop()
        cursor = high
        # Sorted by end: from the last one backwards, each must end before its successor starts.
        for seen, child in enumerate(_last_first(timeline, row, stop)):
            if seen % _ASK_EVERY == 0 and stop():
                return
            start, end = max(starts[child], low), min(stops[child], high)
            if end > cursor or end <= start:
                continue
            if cursor > end:
                yield row, end, cursor
            if timeline.end_row(child) > child + 1:
                stack.append((child, start, end))
            else:
                yield child, start, end
            cursor = start
        if cursor > low:
            yield row, low, cursor


def _last_first(timeline: Timeline, row: int, stop: Callable[[], bool]) -> Sequence[int]:
    """What is below a row, the last to end first; of these, the one that is the later row. Nothing once `stop` says so."""
    below = array("i")
    for child in timeline.children(row):  # a million of them take seconds
        if not len(below) % _ASK_EVERY and stop():
            return ()
        below.append(child)
    below.reverse()
    return sorted(below, key=timeline.columns.row_stop.__getitem__, reverse=True)


def cells(stretches: Sequence[Stretch], window: Window, width: int, *, each: int = 1) -> tuple[set[int], set[int]]:
    """The cells that stretches touch, of `width` for the window, and those of them that they cover by half or more.

    `each`: how many stretches like it one stands for.
    """
    shares: dict[int, int] = {}
    duration_ns = window.length_ns
    if duration_ns <= 0 or width <= 0:
        return set(), set()
    for begin, stop in stretches:
        start, end = max(begin - window.start_ns, 0), min(stop - window.start_ns, duration_ns)
        if end <= start and not window.start_ns <= begin == stop < window.end_ns:
            continue
        first = min(start * width // duration_ns, width - 1)
        last = min(max(-(-end * width // duration_ns), first + 1), width)
        for cell in range(first, last):
            covered = min(end * width, (cell + 1) * duration_ns) - max(start * width, cell * duration_ns)
            shares[cell] = shares.get(cell, 0) + covered
    return set(shares), {cell for cell, share in shares.items() if 2 * each * share >= duration_ns}
