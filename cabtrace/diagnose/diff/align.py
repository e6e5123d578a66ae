"""Pairs of equal items of two sequences, in order of both: a longest common subsequence as far as it can be had cheaply.

Common ends first; then dynamic programming on what is small. What is large is divided by the items that occur once on both
sides, as patience diff does, or else walked through greedily: the cost is bounded, whatever the input.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from itertools import pairwise

_CELLS = 1_000_000  # of all dynamic programming together
_CELLS_AT_ONCE = 250_000

Pair = tuple[int, int]


def align(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[Pair]:
    """(place on the left, place on the right) of items that are equal, both increasing."""
    numbers: dict[Hashable, int] = {}
    a = [numbers.setdefault(item, len(numbers)) for item in left]
    b = [numbers.setdefault(item, len(numbers)) for item in right]
    found: list[Pair] = []
    budget = _CELLS
    stack = [(0, len(a), 0, len(b))]
    while stack:
        low_a, high_a, low_b, high_b = stack.pop()
        while low_a < high_a and low_b < high_b and a[low_a] == b[low_b]:
            found.append((low_a, low_b))
            low_a, low_b = low_a + 1, low_b + 1
        while low_a < high_a and low_b < high_b and a[high_a - 1] == b[high_b - 1]:
            high_a, high_b = high_a - 1, high_b - 1
            found.append((high_a, high_b))
        if low_a == high_a or low_b == high_b:
            continue
        box = (low_a, high_a, low_b, high_b)
        cells = (high_a - low_a) * (high_b - low_b)
        if cells <= min(_CELLS_AT_ONCE, budget):
            budget -= cells
            found += _exact(a, b, box)
        elif anchors := _anchors(a, b, box):
            found += anchors
            edges = [(low_a - 1, low_b - 1), *anchors, (high_a, high_b)]
            stack += [(p + 1, r, q + 1, s) for (p, q), (r, s) in pairwise(edges) if p + 1 < r and q + 1 < s]
        else:
            found += _greedy(a, b, box)
    return sorted(found)


_Box = tuple[int, int, int, int]


def _anchors(a: Sequence[int], b: Sequence[int], box: _Box) -> list[Pair]:
    """The longest increasing run of items that occur exactly once on both sides."""
    low_a, high_a, low_b, high_b = box
    once_a, once_b = _once(a, low_a, high_a), _once(b, low_b, high_b)
    pairs = [(place, once_b[item]) for item, place in once_a.items() if item in once_b]
    tops: list[int] = []
    piles: list[Pair] = []
    before: list[int] = []
    chain: list[int] = []  # index into piles of the top of each pile
    for place, other in pairs:
        pile = bisect_left(tops, other)
        piles.append((place, other))
        before.append(chain[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(other)
            chain.append(len(piles) - 1)
        else:
            tops[pile] = other
            chain[pile] = len(piles) - 1
    found: list[Pair] = []
    at = chain[-1] if chain else -1
    while at >= 0:
        found.append(piles[at])
        at = before[at]
    return found[::-1]


def _once(items: Sequence[int], low: int, high: int) -> dict[int, int]:
    places: dict[int, int] = {}
    twice: set[int] = set()
    for place in range(low, high):
        item = items[place]
        if item in places:
            twice.add(item)
        else:
            places[item] = place
    return {item: place for item, place in places.items() if item not in twice}


def _exact(a: Sequence[int], b: Sequence[int], box: _Box) -> list[Pair]:
    low_a, high_a, low_b, high_b = box
    width = high_b - low_b
    rows = [[0] * (width + 1)]
    for i in range(high_a - 1, low_a - 1, -1):
        below, row = rows[-1], [0] * (width + 1)
        for j in range(width - 1, -1, -1):
            row[j] = below[j + 1] + 1 if a[i] == b[low_b + j] else max(below[j], row[j + 1])
        rows.append(row)
    rows.reverse()
    found: list[Pair] = []
    i, j = 0, 0
    while i < high_a - low_a and j < width:
        if a[low_a + i] == b[low_b + j]:
            found.append((low_a + i, low_b + j))
            i, j = i + 1, j + 1
        elif rows[i + 1][j] >= rows[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def _greedy(a: Sequence[int], b: Sequence[int], box: _Box) -> list[Pair]:
    """Each item with the next equal one that is near: far jumps would leave everything between them unmatched."""
    low_a, high_a, low_b, high_b = box
    places: dict[int, list[int]] = {}
    for place in range(low_b, high_b):
        places.setdefault(b[place], []).append(place)
    found: list[Pair] = []
    last = low_b - 1
    for place in range(low_a, high_a):
        candidates = places.get(a[place], ())
        at = bisect_right(candidates, last)
        if at == len(candidates):
            continue
        ahead, left = candidates[at] - last - 1, high_a - place
        if ahead <= max(64, left // 8):
            found.append((place, candidates[at]))
            last = candidates[at]
    return found
