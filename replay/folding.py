"""Which rows of a tree are closed, and what can be seen then. A key costs what it changes, not what there is."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import accumulate, chain, islice
from operator import lt, sub
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.timeline import Timeline

_REDO_FROM = 20_000  # rows that change at once, from which on all is worked out again instead
_LOOK_AT = 500  # rows in order of time, one by one, before all of them are told apart


class Visible(Sequence[int]):
    """Rows that are shown, by place from top to bottom: all but those below a closed one."""

    def __init__(self, n_rows: int, tops: Sequence[int], hidden: Iterable[int]) -> None:
        """`tops`: closed rows that are shown, by number; `hidden`: how many rows each of them hides."""
        self._n_rows = n_rows
        self._tops = tops
        self._before = array("q", accumulate(hidden, initial=0))
        self._places = array("q", map(sub, tops, self._before))

    def __len__(self) -> int:
        return self._n_rows - self._before[-1]

    def __getitem__(self, place: int) -> int:  # type: ignore[override]  # a part of it is of no use
        place = range(len(self))[place]
        return place + self._before[bisect_left(self._places, place)]

    def __contains__(self, row: object) -> bool:
        return isinstance(row, int) and self.place_of(row) is not None

    def place_of(self, row: int) -> int | None:
        """Where a row is; None when it is not shown."""
        if not 0 <= row < self._n_rows:
            return None
        above = bisect_left(self._tops, row)
        if above and row - self._tops[above - 1] <= self._before[above] - self._before[above - 1]:
            return None
        return row - self._before[above]


class Folding(Set[int]):
    """The closed rows of a timeline. `visible` is another object after each change."""

    def __init__(self, timeline: Timeline, closed: Iterable[int] = ()) -> None:
        """Closes some rows."""
        self._timeline = timeline
        self._closed = _ascending(closed, len(timeline))
        # Columns, not lists: the collector need not look through them.
        self._tops = array("q", self._outermost(0, len(timeline)))
        self._sizes = self._hides(self._tops, len(timeline))
        self._hidden: bytearray | None = None
        self._show()

    def __contains__(self, row: object) -> bool:
        if not isinstance(row, int):
            return False
        place = bisect_left(self._closed, row)
        return place < len(self._closed) and self._closed[place] == row

    def __iter__(self) -> Iterator[int]:
        return iter(self._closed)

    def __len__(self) -> int:
        return len(self._closed)

    def toggle(self, row: int) -> None:
        """Opens what is closed, closes what is open."""
        self._change(row)
        self._show()

    def reveal(self, row: int) -> bool:
        """Opens whatever hides a row; whether there was anything."""
        if row in self.visible:
            return False
        for above in self._timeline.ancestors(row):
            if above in self:
                self._change(above)
        self._show()
        return True

    def shown(self, row: int) -> int:
        """The row itself, or the closed one that hides it."""
        above = bisect_left(self._tops, row)
        return row if self._is_shown(row) else self._tops[above - 1]

    def step(self, offset_ns: int, selected: int | None, by: int) -> int | None:
        """The row shown before (`by` -1) or after (1) the selected one in order of time, if that starts there, else the instant.

        None beyond the ends.
        """
        return step_in_time(self._timeline, self._is_shown, self._mask, offset_ns, selected, by)

    def _mask(self) -> bytearray:
        """Of each row in order of time whether it is hidden (1)."""
        if self._hidden is None:
            timeline = self._timeline
            rows = bytearray(len(timeline))
            for top, size in zip(self._tops, self._sizes, strict=True):
                rows[top + 1 : top + 1 + size] = b"\1" * size
            try:
                self._hidden = bytearray(map(rows.__getitem__, timeline.columns.by_start))
            except IndexError:  # of an index that someone tampered with
                self._hidden = bytearray(rows[timeline.ranked(rank)] for rank in range(len(timeline)))
        return self._hidden

    def _outermost(self, begin: int, end: int) -> Iterator[int]:
        """Closed rows of a range that no other in it hides."""
        place = bisect_left(self._closed, begin)
        while place < len(self._closed) and (row := self._closed[place]) < end:
            yield row
            place = bisect_left(self._closed, self._timeline.end_row(row), place + 1)

    def _hides(self, tops: Sequence[int], limit: int) -> array[int]:
        """How many rows each of them hides: none at or behind the next one, or `limit`, whatever a tampered index claims."""
        ends = map(min, map(self._timeline.end_row, tops), chain(islice(tops, 1, None), (limit,)))
        return array("q", (end - top - 1 for top, end in zip(tops, ends, strict=True)))

    def _change(self, row: int) -> None:
        end = self._timeline.end_row(row)
        shown = self._is_shown(row)
        place = bisect_left(self._closed, row)
        opening = place < len(self._closed) and self._closed[place] == row
        if opening:
            del self._closed[place]
        else:
            self._closed.insert(place, row)
        if not shown:
            return
        low, high = bisect_left(self._tops, row), bisect_left(self._tops, end)
        tops = array("q", self._outermost(row, end) if opening else (row,))
        limit = self._tops[high] if high < len(self._tops) else len(self._timeline)
        self._tops[low:high], self._sizes[low:high] = tops, self._hides(tops, limit)
        self._rehide(row, end)

    def _is_shown(self, row: int) -> bool:
        above = bisect_left(self._tops, row)
        return not above or self._timeline.end_row(self._tops[above - 1]) <= row

    def _rehide(self, row: int, end: int) -> None:
        """What is hidden below a row may have changed."""
        if self._hidden is None:
            return
        if end - row > _REDO_FROM:
            self._hidden = None
            return
        rows = bytearray(end - row)
        low, high = bisect_left(self._tops, row), bisect_left(self._tops, end)
        for top, size in zip(self._tops[low:high], self._sizes[low:high], strict=True):
            rows[top + 1 - row : top + 1 - row + size] = b"\1" * size
        for below, hidden in enumerate(rows, row):
            self._hidden[self._timeline.rank(below)] = hidden

    def _show(self) -> None:
        self.visible = Visible(len(self._timeline), self._tops[:], self._sizes)


def step_in_time(
    timeline: Timeline,
    is_shown: Callable[[int], bool],
    mask: Callable[[], bytearray],
    offset_ns: int,
    selected: int | None,
    by: int,
) -> int | None:
    """See `Folding.step`. `mask` tells of each row in order of time whether it is hidden (1)."""
    if selected is not None and timeline.start_of(selected) == offset_ns and is_shown(selected):
        rank = timeline.rank(selected) + by
    else:
        rank = bisect_right(timeline.starts, offset_ns) if by > 0 else bisect_left(timeline.starts, offset_ns) - 1
    for _ in range(_LOOK_AT):  # what comes next is mostly shown
        if not 0 <= rank < len(timeline):
            return None
        if is_shown(row := timeline.ranked(rank)):
            return row
        rank += by
    hidden = mask()
    found = hidden.find(0, rank) if by > 0 else hidden.rfind(0, 0, rank + 1)
    return None if found < 0 else timeline.ranked(found)


def _ascending(rows: Iterable[int], size: int) -> array[int]:
    found = array("q", rows)
    if all(map(lt, found, islice(found, 1, None))) and (not found or 0 <= found[0] <= found[-1] < size):
        return found
    return array("q", sorted({row for row in found if 0 <= row < size}))
