"""Which of these is which of those: one to one, by time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")
_SLACK_NS = 20_000_000  # clocks of one machine, read by different programs with different resolution
_LOOKED_AT = 64  # candidates at one instant; more calls at a time than that are told apart by their ids or not at all
FOREVER_NS = sys.maxsize


@dataclass(frozen=True, slots=True)
class Timed(Generic[T]):
    """Something that lasted; `start_ns` 0 and `end_ns` FOREVER_NS are unknown."""

    start_ns: int
    end_ns: int
    label: str  # breaks ties
    item: T


def pair(lefts: Iterable[Timed[T]], rights: Iterable[Timed[U]], fits: Callable[[T, U], bool]) -> list[tuple[T, U]]:
    """Pairs of overlapping things that fit, each used once; of several the one whose start and end are nearest."""
    waiting = sorted(rights, key=lambda r: (r.start_ns, r.end_ns, r.label))
    active: list[Timed[U]] = []
    found: list[tuple[T, U]] = []
    arrived = 0
    for left in sorted(lefts, key=lambda x: (x.start_ns, x.end_ns, x.label)):
        while arrived < len(waiting) and waiting[arrived].start_ns <= left.end_ns + _SLACK_NS:
            active.append(waiting[arrived])
            arrived += 1
        best, best_key = -1, (0, "")
        looked = 0
        for index in range(len(active) - 1, -1, -1):
            right = active[index]
            if right.end_ns < left.start_ns - _SLACK_NS:
                del active[index]
                best -= best > index
                continue
            looked += 1
            if looked > _LOOKED_AT:
                break
            key = (_distance(left, right), right.label)
            if (best < 0 or key < best_key) and fits(left.item, right.item):
                best, best_key = index, key
        if best >= 0:
            found.append((left.item, active.pop(best).item))
    return found


def _distance(left: Timed[T], right: Timed[U]) -> int:
    start = abs(left.start_ns - right.start_ns) if left.start_ns and right.start_ns else 0
    end = abs(left.end_ns - right.end_ns) if FOREVER_NS not in (left.end_ns, right.end_ns) else 0
    return start + end


def pair_by_key(
    lefts: Sequence[Timed[T]],
    rights: Sequence[Timed[U]],
    left_key: Callable[[T], Hashable | None],
    right_key: Callable[[U], Hashable | None],
    *,
    alone: Callable[[Hashable], bool] = lambda _: False,
    fits: Callable[[T, U], bool] = lambda _left, _right: True,
) -> list[tuple[T, U]]:
    """Pairs within equal keys (None fits nothing). Times do not matter for a key that names one thing only (`alone`)."""
    by_key: dict[Hashable, tuple[list[Timed[T]], list[Timed[U]]]] = {}
    for left in lefts:
        if (key := left_key(left.item)) is not None:
            by_key.setdefault(key, ([], []))[0].append(left)
    for right in rights:
        if (key := right_key(right.item)) is not None:
            by_key.setdefault(key, ([], []))[1].append(right)
    found: list[tuple[T, U]] = []
    for key, (some, others) in by_key.items():
        if len(some) == len(others) == 1 and alone(key):
            found.append((some[0].item, others[0].item))
        elif some and others:
            found += pair(some, others, fits)
    return found
