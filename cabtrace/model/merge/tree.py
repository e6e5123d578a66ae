"""One root, no orphan, no cycle: what spans claim about their parents is kept wherever it can be true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cabtrace.model import semconv as sc
from cabtrace.model.merge.work import Work
from cabtrace.model.span import AttributeValue, SpanRecord, SpanState

# Which span of an agent a child belongs to, where the parent itself never came.
_PARENT_NAMES = {
    "claude_code.llm_request": "claude_code.interaction",
    "claude_code.tool": "claude_code.interaction",
    "claude_code.tool.execution": "claude_code.tool",
    "claude_code.tool.blocked_on_user": "claude_code.tool",
}
_UNKNOWN_PARENT = "(never arrived)"


def settle(work: Work) -> None:
    """Makes one tree of all spans."""
    if not work.spans:
        return
    _follow_moves(work)
    _break_cycles(work)
    anchor = _anchor(work)
    top = _climb(work, anchor)
    root = next((s for s in work.spans.values() if _is_cell(s)), None) or top
    _add_missing_parents(work, anchor, top, root)
    top = _climb(work, work.spans[anchor.span_id])
    root = next((s for s in work.spans.values() if _is_cell(s)), None) or top
    for span in work.ended():
        if span.parent_id is None and span.span_id != root.span_id:
            work.put(replace(span, parent_id=root.span_id if span.span_id == top.span_id else anchor.span_id))
            work.notes["roots"] += 1
    _time_synthetic(work)


def _is_cell(span: SpanRecord) -> bool:
    return span.parent_id is None and _kind(span) == sc.SpanKind.CELL


def _kind(span: SpanRecord) -> object:
    return span.attributes.get(sc.SPAN_KIND)


def _order(span: SpanRecord) -> tuple[int, str]:
    return span.start_ns, span.span_id


def _follow_moves(work: Work) -> None:
    if not work.moved:
        return
    for span in work.ended():
        if span.parent_id in work.moved:
            work.put(replace(span, parent_id=work.current_id(span.parent_id)))


def _break_cycles(work: Work) -> None:
    parents = work.parents()
    settled: set[str] = set()
    for start in list(parents):
        path: dict[str, None] = {}
        node: str | None = start
        while node is not None and node in parents and node not in settled and node not in path:
            path[node] = None
            node = parents[node]
        if node is not None and node in path:
            ring = list(path)[list(path).index(node) :]
            free = [work.spans[i] for i in ring if work.spans[i].state is SpanState.ENDED]
            if free:
                cut = min(free, key=_order)
                attributes = {**cut.attributes, sc.ORIGINAL_PARENT_ID: cut.parent_id}
                work.put(replace(cut, parent_id=None, attributes=attributes))
                parents[cut.span_id] = None
                work.notes["cycles"] += 1
        settled.update(path)


def _anchor(work: Work) -> SpanRecord:
    """What stray spans hang under: the container, else the cell, else the first root, else the first span."""
    spans = list(work.spans.values())
    for group in (
        [s for s in spans if _kind(s) == sc.SpanKind.CONTAINER],
        [s for s in spans if _is_cell(s)],
        [s for s in spans if s.parent_id is None],
    ):
        if group:
            return min(group, key=_order)
    return min(spans, key=_order)


def _climb(work: Work, span: SpanRecord) -> SpanRecord:
    seen = {span.span_id}
    while span.parent_id in work.spans and span.parent_id not in seen:
        seen.add(span.parent_id)
        span = work.spans[span.parent_id]
    return span


def _add_missing_parents(work: Work, anchor: SpanRecord, top: SpanRecord, root: SpanRecord) -> None:
    waiting: dict[str, list[SpanRecord]] = {}
    for span in work.spans.values():
        if span.parent_id is not None and span.parent_id not in work.spans:
            waiting.setdefault(span.parent_id, []).append(span)
    for parent_id, children in waiting.items():
        above: str | None = anchor.span_id
        if parent_id == top.parent_id:  # the anchor itself hangs under it
            above = root.span_id if root.parent_id is None else None
        work.put(_synthetic(parent_id, above, children))
        work.notes["synthetic"] += 1


def _synthetic(span_id: str, parent_id: str | None, children: Sequence[SpanRecord]) -> SpanRecord:
    first = min(children, key=_order)
    name = next((_PARENT_NAMES[c.name] for c in sorted(children, key=_order) if c.name in _PARENT_NAMES), _UNKNOWN_PARENT)
    attributes: dict[str, AttributeValue] = {sc.SPAN_KIND: sc.SpanKind.AGENT, sc.SOURCE: sc.SOURCE_TELEMETRY, sc.SYNTHETIC: True}
    return SpanRecord(
        trace_id=first.trace_id,
        span_id=span_id,
        parent_id=parent_id,
        name=name,
        start_ns=first.start_ns,
        end_ns=first.end_ns,
        attributes=attributes,
        scope=first.scope,
        scope_version=first.scope_version,
        resource=first.resource,
    )


def _time_synthetic(work: Work) -> None:
    """Synthetic spans last as long as their children; without any they are not needed."""
    made = {s.span_id for s in work.ended() if s.attributes.get(sc.SYNTHETIC) is True}
    while made:
        covers: dict[str, tuple[int, int]] = {}
        for span in work.spans.values():
            if span.parent_id in made:
                end_ns = span.start_ns if span.end_ns is None else span.end_ns
                low, high = covers.get(span.parent_id, (span.start_ns, end_ns))
                covers[span.parent_id] = (min(low, span.start_ns), max(high, end_ns))
        empty = made - covers.keys()
        for span_id in sorted(empty):
            work.remove(span_id)
        made -= empty
        if not empty:
            for span_id, (low, high) in covers.items():
                work.put(replace(work.spans[span_id], start_ns=low, end_ns=high))
            return
