"""What a timeline must be, said in the plainest way: objects and dictionaries, no thought of cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord, SpanState
from replay.forest import FOLD_AT_LEAST, Mark

HOUR_NS, WEEK_NS = 3_600 * 10**9, 7 * 24 * 3_600 * 10**9


@dataclass(eq=False)
class Node:
    """A span, or several quiet ones, with what is below."""

    spans: list[SpanRecord]
    mark: Mark | None = None
    below: list[Node] = field(default_factory=list)

    @property
    def group(self) -> int:
        return len(self.spans) if len(self.spans) > 1 else 0


@dataclass(frozen=True)
class PlainRow:
    """As `replay.timeline.Row`."""

    span: SpanRecord
    depth: int
    parent: int
    end_row: int
    group: int
    start_ns: int
    end_ns: int
    mark: Mark | None


def is_quiet(span: SpanRecord) -> bool:
    kind = span.attributes.get(sc.SPAN_KIND)
    told = span.failed or span.state is not SpanState.ENDED or sc.GEN_AI_OPERATION in span.attributes
    return (kind is None or kind == sc.SpanKind.AGENT) and not told


def plain_rows(spans: Sequence[SpanRecord], since_ns: int | None = None, until_ns: int | None = None) -> list[PlainRow]:
    """Rows of spans that are sorted by start."""
    roots = _tree(spans)
    low, high = _axis(spans, roots, since_ns, until_ns)
    rows: list[PlainRow] = []

    def offset(time_ns: int) -> int:
        return min(max(time_ns, low), high) - low

    def times(span: SpanRecord) -> tuple[int, int]:
        start = offset(span.start_ns)
        return start, max(start, high - low if span.end_ns is None else offset(span.end_ns))

    def show(node: Node, depth: int, parent: int) -> None:
        place = len(rows)
        start, end = times(node.spans[0])
        if node.group:
            end = max(times(span)[1] for span in node.spans)
        mark = None if node.group else node.mark
        rows.append(PlainRow(node.spans[0], depth, parent, 0, node.group, start, end, mark))
        for below in node.below:
            show(below, depth + 1, place)
        rows[place] = PlainRow(**{**vars(rows[place]), "end_row": len(rows)})

    for root in roots:
        show(root, 0, -1)
    return rows


def _tree(spans: Sequence[SpanRecord]) -> list[Node]:
    nodes = [Node([span]) for span in spans]
    first: dict[str, int] = {}
    for place, span in enumerate(spans):
        if first.setdefault(span.span_id, place) != place:
            nodes[place].mark = Mark.DUPLICATE
    parents = [first.get(span.parent_id) if span.parent_id else None for span in spans]
    roots = [place for place, span in enumerate(spans) if not span.parent_id]
    strays = [place for place, span in enumerate(spans) if span.parent_id and parents[place] is None]
    for place in strays:
        nodes[place].mark = nodes[place].mark or Mark.ORPHAN
    for place in _entries(parents):
        nodes[place].mark = Mark.CYCLE
        strays.append(place)
    cells = [place for place in roots if spans[place].attributes.get(sc.SPAN_KIND) == sc.SpanKind.CELL]
    main = next(iter([*cells, *roots]), None)
    if main is None:
        roots = sorted(strays)
    else:
        for place in strays:
            parents[place] = main
    quiet = _quiet(spans, parents)
    children: dict[int, list[int]] = {}
    for place, parent in enumerate(parents):
        if parent is not None:
            children.setdefault(parent, []).append(place)
    for parent, below in children.items():
        nodes[parent].below = _grouped([nodes[place] for place in below], [place in quiet for place in below])
    return [nodes[place] for place in roots]


def _quiet(spans: Sequence[SpanRecord], parents: list[int | None]) -> set[int]:
    """Spans below which all is as quiet as they are; where nothing at all is loud, those with nothing below."""
    loud = set()
    for place, span in enumerate(spans):
        above: int | None = place
        while above is not None and not is_quiet(span):
            loud.add(above)
            above = parents[above]
    return set(range(len(spans))) - (loud or set(parents))


def _entries(parents: list[int | None]) -> list[int]:
    """Where circles begin; they are cut there."""
    entries = []
    for place in range(len(parents)):
        circle, above = [place], parents[place]
        while above is not None and above not in circle:
            circle.append(above)
            above = parents[above]
        if above == place and place == min(circle):
            parents[place] = None
            entries.append(place)
    return entries


def _grouped(nodes: list[Node], are_quiet: list[bool]) -> list[Node]:
    shown: list[Node] = []
    quiet: list[Node] = []
    for node, fits in [*zip(nodes, are_quiet, strict=True), (None, False)]:
        if node is not None and fits:
            quiet.append(node)
            continue
        shown += [Node([q.spans[0] for q in quiet], below=quiet)] if len(quiet) >= FOLD_AT_LEAST else quiet
        quiet = []
        if node is not None:
            shown.append(node)
    return shown


def _axis(spans: Sequence[SpanRecord], roots: list[Node], since_ns: int | None, until_ns: int | None) -> tuple[int, int]:
    if not spans:
        return since_ns or 0, max(since_ns or 0, until_ns or since_ns or 0)
    anchor = since_ns or roots[0].spans[0].start_ns
    sound = range(anchor - HOUR_NS, anchor + WEEK_NS + 1)
    starts = [span.start_ns for span in spans if span.start_ns in sound] + ([since_ns] if since_ns is not None else [])
    ends = [end for end in (*(span.end_ns for span in spans), until_ns) if end is not None and end in sound]
    start = min(starts, default=anchor)
    return start, max([start, *starts, *ends])
