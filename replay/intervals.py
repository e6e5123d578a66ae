"""Which of many intervals contain an instant, without looking at all of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence


class IntervalIndex:
    """Half-open intervals sorted by start, under a binary tree of latest ends. An empty one contains its own start."""

    def __init__(self, starts: Sequence[int], ends: Sequence[int]) -> None:
        """Both in nanoseconds, of equal length; `starts` never decrease, no end is before its start."""
        self._starts = starts
        size = 1
        while size < max(len(starts), 1):
            size *= 2
        self._size = size
        # An empty interval counts as one nanosecond long, so that it is found at its instant.
        latest = [-1] * (2 * size)
        latest[size : size + len(ends)] = [max(end, start + 1) for start, end in zip(starts, ends, strict=True)]
        for node in range(size - 1, 0, -1):
            latest[node] = max(latest[2 * node], latest[2 * node + 1])
        self._latest = latest

    def stab(self, instant: int) -> Iterator[int]:
        """Places of the intervals that contain `instant`, in order: O(found x log n)."""
        started = bisect_right(self._starts, instant)
        stack = [(1, 0, self._size)]
        while stack:
            node, low, high = stack.pop()
            if low >= started or self._latest[node] <= instant:
                continue
            if node >= self._size:
                yield low
                continue
            middle = (low + high) // 2
            stack += [(2 * node + 1, middle, high), (2 * node, low, middle)]

    def last_at(self, instant: int) -> int | None:
        """The last to start of those that contain `instant`: O(log n)."""
        started = bisect_right(self._starts, instant)
        stack = [(1, 0, self._size)]
        while stack:
            node, low, high = stack.pop()
            if low >= started or self._latest[node] <= instant:
                continue
            if node >= self._size:
                return low
            middle = (low + high) // 2
            stack += [(2 * node, low, middle), (2 * node + 1, middle, high)]
        return None
