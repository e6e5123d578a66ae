"""Which of many intervals contain an instant, without looking at all of them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Column = array[int]


def latest_ends(ends: Iterable[int]) -> Column:
    """The tree that `IntervalIndex` looks through: node 1 is its root, the leaves hold the ends, no other end is that late."""
    leaves = array("q", ends)
    size = 1 << max(len(leaves) - 1, 0).bit_length()
    tree = array("q", [-1]) * (2 * size)
    tree[size : size + len(leaves)] = leaves
    del leaves  # of a large run this is when the most is in memory
    while size > 1:
        level = array("q", map(max, tree[size : 2 * size : 2], tree[size + 1 : 2 * size : 2]))
        size //= 2
        tree[size : 2 * size] = level
    return tree


class IntervalIndex:
    """Half-open intervals sorted by start, under a binary tree of latest ends. One that ends before it begins is never found."""

    def __init__(self, starts: Sequence[int], latest: Sequence[int]) -> None:
        """`starts` never decrease; `latest` comes from `latest_ends`. Instants of any kind, if of one kind."""
        self._starts = starts
        self._latest = latest
        self._size = len(latest) // 2

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
