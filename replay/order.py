"""Rows in order of time, for stepping from one to the next."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable


class StartOrder:
    """Rows sorted by start."""

    def __init__(self, rows: Iterable[int], start_ns: Callable[[int], int]) -> None:
        """`start_ns` gives the offset of a row."""
        self.rows = sorted(rows, key=lambda row: (start_ns(row), row))
        self.starts = array("q", map(start_ns, self.rows))

    def step(self, offset_ns: int, selected: int | None, by: int) -> int | None:
        """The row before (`by` -1) or after (1) the selected one, if that starts at the playhead, else the playhead.

        None beyond the ends.
        """
        low, high = bisect_left(self.starts, offset_ns), bisect_right(self.starts, offset_ns)
        here = self.rows[low:high]
        beside = high if by > 0 else low - 1
        place = low + here.index(selected) + by if selected in here else beside
        return self.rows[place] if 0 <= place < len(self.rows) else None
