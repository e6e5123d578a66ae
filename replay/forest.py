"""Spans in tree order, whatever they claim about their parents. Nothing here recurses, so depth and width do not matter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord, SpanState

#: So many quiet siblings in a row become one row that opens.
FOLD_AT_LEAST = 6


class Mark(StrEnum):
    """Why a span is shown somewhere else than it claims to be."""

    ORPHAN = "orphan"
    CYCLE = "cycle"
    DUPLICATE = "duplicate"


@dataclass(slots=True)
class Forest:
    """Rows in tree order, as columns. `span`: index into the spans (a group's first); `group`: spans folded into a row, else 0.

    `parent` is a row or -1; `end` is the row after the last one below. `marks` is by row.
    """

    span: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    group: list[int] = field(default_factory=list)
    marks: dict[int, Mark] = field(default_factory=dict)
    roots: int = 0


def is_quiet(span: SpanRecord) -> bool:
    """Whether a span is an agent's own chatter: nothing went wrong in it, and no convention says that it matters."""
    kind = span.attributes.get(sc.SPAN_KIND)
    return (
        (kind is None or kind == sc.SpanKind.AGENT)
        and not span.failed
        and span.state is SpanState.ENDED
        and sc.GEN_AI_OPERATION not in span.attributes
    )


def _main_root(spans: Sequence[SpanRecord], roots: Sequence[int]) -> int:
    """The root under which strays are shown: the first cell span, else the first root; -1 when there is none."""
    for root in roots:
        if spans[root].attributes.get(sc.SPAN_KIND) == sc.SpanKind.CELL:
            return root
    return roots[0] if roots else -1


@dataclass(slots=True)
class _Links:
    """Who is whose child, by index of span."""

    children: dict[int, list[int]] = field(default_factory=dict)
    parent: list[int] = field(default_factory=list)
    roots: list[int] = field(default_factory=list)
    marks: dict[int, Mark] = field(default_factory=dict)


def _link(spans: Sequence[SpanRecord]) -> _Links:
    by_id: dict[str, int] = {}
    links = _Links()
    for index, span in enumerate(spans):
        if by_id.setdefault(span.span_id, index) != index:
            links.marks[index] = Mark.DUPLICATE
    orphans = []
    for index, span in enumerate(spans):
        parent = by_id.get(span.parent_id, -1) if span.parent_id else -1
        links.parent.append(parent)
        if parent >= 0:
            links.children.setdefault(parent, []).append(index)
        elif span.parent_id:
            orphans.append(index)
        else:
            links.roots.append(index)
    entries = _cut_cycles(spans, links)
    for index in orphans:
        links.marks.setdefault(index, Mark.ORPHAN)
    for index in entries:
        links.marks[index] = Mark.CYCLE
    main = _main_root(spans, links.roots)
    if main < 0:
        links.roots = sorted(orphans + entries)
    elif orphans or entries:
        links.children[main] = sorted(links.children.get(main, []) + orphans + entries)
    return links


def _cut_cycles(spans: Sequence[SpanRecord], links: _Links) -> list[int]:
    """The span that each cycle is entered by, cut loose from its parent: the first to start."""
    state = bytearray(len(spans))  # 1: on the walk now, 2: leads to no cycle that is still whole
    entries = []
    for begin in range(len(spans)):
        walk, index = [], begin
        while index >= 0 and not state[index]:
            state[index] = 1
            walk.append(index)
            index = links.parent[index]
        if index >= 0 and state[index] == 1:
            cycle = walk[walk.index(index) :]
            entry = min(cycle)
            links.children[links.parent[entry]].remove(entry)
            links.parent[entry] = -1
            entries.append(entry)
        for passed in walk:
            state[passed] = 2
    return entries


def _groups(spans: Sequence[SpanRecord], children: Sequence[int], links: Mapping[int, list[int]]) -> list[list[int]]:
    """Children one by one, or several together where quiet leaves follow each other."""
    out: list[list[int]] = []
    quiet: list[int] = []

    def flush() -> None:
        if len(quiet) >= FOLD_AT_LEAST:
            out.append(list(quiet))
        else:
            out.extend([child] for child in quiet)
        quiet.clear()

    for child in children:
        if child not in links and is_quiet(spans[child]):
            quiet.append(child)
        else:
            flush()
            out.append([child])
    flush()
    return out


def build_forest(spans: Sequence[SpanRecord]) -> Forest:
    """Tree order of spans that are sorted by start. Orphans and cycles hang under the main root, marked."""
    links = _link(spans)
    forest = Forest(roots=len(links.roots))
    # One entry: spans of a row, depth, parent row. Negative depth closes the row that it names.
    stack: list[tuple[list[int], int, int]] = [([root], 0, -1) for root in reversed(links.roots)]
    while stack:
        members, depth, parent = stack.pop()
        if depth < 0:
            forest.end[parent] = len(forest.span)
            continue
        row = len(forest.span)
        is_group = len(members) > 1
        forest.span.append(members[0])
        forest.depth.append(depth)
        forest.parent.append(parent)
        forest.end.append(row + 1)
        forest.group.append(len(members) if is_group else 0)
        if members[0] in links.marks and not is_group:
            forest.marks[row] = links.marks[members[0]]
        below = [[m] for m in members] if is_group else _groups(spans, links.children.get(members[0], ()), links.children)
        if below:
            stack.append(([], -1, row))
            stack.extend((group, depth + 1, row) for group in reversed(below))
    return forest
