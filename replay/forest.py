"""Spans in tree order, whatever they claim about their parents. Nothing here recurses, so depth and width do not matter."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate, pairwise
from operator import sub
from typing import TYPE_CHECKING, Final

from cabtrace.model import semconv as sc
from cabtrace.model.folding import FOLD_AT_LEAST
from cabtrace.store.span_facts import DUPLICATE, FAILED, KIND_CODES, LOST_PARENT, NO_PARENT, OPERATION, PENDING

if TYPE_CHECKING:
    from cabtrace.store.span_order import Column, OrderedFacts

_CELL: Final = KIND_CODES[sc.SpanKind.CELL]
_QUIET_KINDS: Final = frozenset((KIND_CODES[""], KIND_CODES[sc.SpanKind.AGENT]))
_LOUD: Final = FAILED | PENDING | OPERATION
_CLOSE: Final = -1


class Mark(StrEnum):
    """Why a span is shown somewhere else than it claims to be."""

    ORPHAN = "orphan"
    CYCLE = "cycle"
    DUPLICATE = "duplicate"


#: what a column of marks holds a place in
MARKS: Final = (None, Mark.ORPHAN, Mark.CYCLE, Mark.DUPLICATE)
_ORPHAN, _CYCLE, _DUPLICATE = 1, 2, 3


class Forest:
    """Rows in tree order, as columns. `span`: place of the span (a group's first); `group`: spans folded into a row, else 0.

    `parent` is a row or -1; `end` is the row after the last one below; `mark` a place in `MARKS`. `marked` counts those.
    `widest`: the most spans that are right below one. `closed`: rows that start closed, as all below them is chatter.
    """

    def __init__(self) -> None:
        self.span, self.depth, self.parent, self.end, self.group, self.closed = (array("i") for _ in range(6))
        self.mark = array("B")
        self.marked = [0] * len(MARKS)
        self.roots = self.widest = 0

    def add(self, span: int, depth: int, parent: int, group: int, mark: int) -> int:
        """The next row; nothing is below it yet."""
        row = len(self.span)
        self.span.append(span)
        self.depth.append(depth)
        self.parent.append(parent)
        self.end.append(row + 1)
        self.group.append(group)
        self.mark.append(mark)
        return row


def build_forest(facts: OrderedFacts) -> Forest:
    """Tree order of spans that are sorted by start. Orphans and cycles hang under the main root, marked."""
    forest = Forest()
    parents, marks, roots = _rooted(facts)
    forest.marked = [marks.count(mark) for mark in range(len(MARKS))]
    forest.roots = len(roots)
    first, children = _children(parents)
    forest.widest = max(map(sub, first[1:], first), default=0)
    quiet = _quiet(facts, parents, first)
    # A span, `_CLOSE`, or of a group where its members begin among the children, as -2 and below, over how many they are.
    stack: list[int] = roots[::-1]
    above: list[int] = []
    while stack:
        entry = stack.pop()
        if entry >= 0:
            row = forest.add(entry, len(above), above[-1] if above else -1, 0, marks[entry])
            begin, end = first[entry], first[entry + 1]
            if begin < end:
                if quiet[entry] and above:
                    forest.closed.append(row)
                above.append(row)
                stack.append(_CLOSE)
                _push(stack, children, begin, end, quiet)
        elif entry == _CLOSE:
            forest.end[above.pop()] = len(forest.span)
        else:
            begin, size = -2 - entry, stack.pop()
            above.append(forest.add(children[begin], len(above), above[-1] if above else -1, size, 0))
            forest.closed.append(above[-1])
            stack.append(_CLOSE)
            stack.extend(children[begin : begin + size][::-1])
    return forest


def _rooted(facts: OrderedFacts) -> tuple[Column, bytearray, list[int]]:
    """Parents without circles and strays, what had to be done for that, and the roots."""
    parents = facts.parents[:]
    marks = bytearray(len(parents))
    strays = []
    for span, flag in enumerate(facts.flags):
        if flag & DUPLICATE:
            marks[span] = _DUPLICATE
        if parents[span] == LOST_PARENT:
            strays.append(span)
            marks[span] = marks[span] or _ORPHAN
    roots = [span for span, parent in enumerate(parents) if parent == NO_PARENT]
    for span in _circles(parents):
        strays.append(span)
        marks[span] = _CYCLE
    main = next((root for root in roots if facts.kinds[root] == _CELL), roots[0] if roots else NO_PARENT)
    for span in strays:
        parents[span] = main
    return parents, marks, roots or sorted(strays)


def _circles(parents: Column) -> list[int]:
    """The span that each circle is entered by: the first to start."""
    state = bytearray(len(parents))  # 1: on the walk now, 2: leads to no circle that is not known
    entries = []
    for begin in range(len(parents)):
        if state[begin]:
            continue
        walk, span = [], begin
        while span >= 0 and not state[span]:
            state[span] = 1
            walk.append(span)
            span = parents[span]
        if span >= 0 and state[span] == 1:
            entries.append(min(walk[walk.index(span) :]))
        for passed in walk:
            state[passed] = 2
    return entries


def _children(parents: Column) -> tuple[Column, Column]:
    """All children one after the other, by parent, and where those of each begin (and the next one's, hence end)."""
    counts = [0] * (len(parents) + 1)
    for parent in parents:
        if parent >= 0:
            counts[parent + 1] += 1
    first = array("i", accumulate(counts))
    del counts
    children = array("i", bytes(4 * first[-1]))
    free = first[:]
    for span, parent in enumerate(parents):
        if parent >= 0:
            children[free[parent]] = span
            free[parent] += 1
    return first, children


def _quiet(facts: OrderedFacts, parents: Column, first: Column) -> bytearray:
    """Of each span whether it and all below it is an agent's own chatter: nothing went wrong, no convention says it matters.

    Where that is so of all there is, only of those with nothing below.
    """
    quiet = bytearray(b"\1") * len(facts)
    loud = False
    for span, (kind, flags) in enumerate(zip(facts.kinds, facts.flags, strict=True)):
        if kind in _QUIET_KINDS and not flags & _LOUD:
            continue
        loud = True
        above = span
        while above >= 0 and quiet[above]:
            quiet[above] = 0
            above = parents[above]
    if not loud:
        for span, (begin, end) in enumerate(pairwise(first)):
            quiet[span] = begin == end
    return quiet


def _push(stack: list[int], children: Column, begin: int, end: int, quiet: Sequence[int]) -> None:
    """Children so that the first is on top; quiet ones that follow each other together, where they are many."""
    if end - begin < FOLD_AT_LEAST:
        stack.extend(children[begin:end][::-1])
        return
    place = end
    while place > begin:
        run = place
        while run > begin and quiet[children[run - 1]]:
            run -= 1
        if place - run >= FOLD_AT_LEAST:
            stack.append(place - run)
            stack.append(-2 - run)
            place = run
        elif place > run:
            stack.extend(children[run:place][::-1])
            place = run
        else:
            place -= 1
            stack.append(children[place])
