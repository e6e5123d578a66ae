"""Which instant of one run is which of another: piecewise linear between instants known to belong together. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

Anchor = tuple[int, int]  # an instant of the left run and the one of the right run that it belongs to, ns


class InstantMap:
    """Two axes from 0 to their lengths. Both directions never go back, and map ends to ends.

    Where one run stood still while the other went on, all of that stretch maps to the one instant, and that instant to where
    the stretch begins.
    """

    def __init__(self, anchors: Iterable[Anchor], left_ns: int, right_ns: int) -> None:
        """Lengths of the axes. Anchors that cross others are left out, as few as possible; those outside of the axes, all."""
        inside = sorted({(a, b) for a, b in anchors if 0 <= a <= left_ns and 0 <= b <= right_ns})
        chain = [(0, 0), *longest_chain(inside), (max(left_ns, 0), max(right_ns, 0))]
        self._left = [a for a, _ in chain]
        self._right = [b for _, b in chain]

    def to_right(self, left_ns: int) -> int:
        """The right run's instant."""
        return _across(self._left, self._right, left_ns)

    def to_left(self, right_ns: int) -> int:
        """The left run's instant."""
        return _across(self._right, self._left, right_ns)

    def across(self, side: int, offset_ns: int) -> int:
        """The other run's instant of an instant on side 0 (left) or 1 (right)."""
        return self.to_left(offset_ns) if side else self.to_right(offset_ns)


def longest_chain(anchors: Sequence[Anchor]) -> list[Anchor]:
    """The most anchors, of some sorted ones, whose second numbers never decrease either."""
    tops: list[int] = []
    chain: list[int] = []
    before: list[int] = []
    for place, (_, right) in enumerate(anchors):
        pile = bisect_right(tops, right)
        before.append(chain[pile - 1] if pile else -1)
        if pile == len(tops):
            tops.append(right)
            chain.append(place)
        else:
            tops[pile] = right
            chain[pile] = place
    found: list[Anchor] = []
    at = chain[-1] if chain else -1
    while at >= 0:
        found.append(anchors[at])
        at = before[at]
    return found[::-1]


def _across(here: Sequence[int], there: Sequence[int], offset_ns: int) -> int:
    if offset_ns <= here[0]:
        return there[0]
    if offset_ns >= here[-1]:
        return there[-1]
    place = bisect_left(here, offset_ns)
    if here[place] == offset_ns:
        return there[place]
    low, high = here[place - 1], here[place]
    # Of several anchors at `low` the last one is where this stretch begins.
    return there[place - 1] + (offset_ns - low) * (there[place] - there[place - 1]) // (high - low)
