"""The critical path: which spans the run's length hangs on, found from the end backwards as Jaeger does.

From the root, the child that finishes last is taken; before it started, the child that finished last before then; and so on.
What is left over is the parent's own. Children that reach beyond their parent are cut to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord

_HARNESS = frozenset(
    (
        sc.SpanKind.CELL,
        sc.SpanKind.TASK_SETUP,
        sc.SpanKind.ADAPTER_RUN,
        sc.SpanKind.CLEANUP,
        sc.SpanKind.SCORE,
        sc.SpanKind.VERIFIER,
    )
)

SHARES: Final = ("model", "tools", "harness", "idle")


class Section(NamedTuple):
    """A stretch of the critical path that is one span's own. Unix nanoseconds."""

    span: SpanRecord
    start_ns: int
    end_ns: int


def critical_path(spans: Sequence[SpanRecord], end_ns: int) -> list[Section]:
    """The path of the first root, in order of time. Spans that never ended last until `end_ns`. [] without a root."""
    children: defaultdict[str, list[SpanRecord]] = defaultdict(list)
    for span in spans:
        parent_id = span.parent_id
        if parent_id and parent_id != span.span_id:
            children[parent_id].append(span)
    root = _root(spans)
    return [] if root is None else _walk(root, children, end_ns)


def _root(spans: Sequence[SpanRecord]) -> SpanRecord | None:
    """The first span whose parent is not there."""
    if spans and not spans[0].parent_id:
        return spans[0]
    known = {span.span_id for span in spans}
    return next((s for s in spans if not s.parent_id or s.parent_id == s.span_id or s.parent_id not in known), None)


def _walk(root: SpanRecord, children: Mapping[str, Sequence[SpanRecord]], end_ns: int) -> list[Section]:
    sections: list[Section] = []
    seen: set[str] = set()
    stack = [(root, root.start_ns, _end(root, end_ns))]
    while stack:
        span, low, high = stack.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        cursor = high
        for child in _last_first(children.get(span.span_id, ()), end_ns):
            # From the last one backwards, each must end before its successor starts.
            start = child.start_ns if child.start_ns > low else low  # min() and max() are calls, a hundred thousand times over
            end = end_ns if child.end_ns is None else child.end_ns
            end = end if end < high else high
            if end > cursor or end <= start:
                continue
            if cursor > end:
                sections.append(Section(span, end, cursor))
            if child.span_id in children:
                stack.append((child, start, end))
            elif child.span_id not in seen:
                seen.add(child.span_id)
                sections.append(Section(child, start, end))
            cursor = start
        if cursor > low:
            sections.append(Section(span, low, cursor))
    return sorted(sections, key=attrgetter("start_ns"))


def _last_first(spans: Sequence[SpanRecord], end_ns: int) -> list[SpanRecord]:
    """Spans, the last one to end first; of these, the one that began last. They come by start."""
    if any(span.end_ns is None for span in spans):
        return sorted(spans, key=lambda span: _end(span, end_ns))[::-1]
    return sorted(spans, key=attrgetter("end_ns"))[::-1]


def shares(sections: Sequence[Section]) -> dict[str, float]:
    """Parts of the path: `model`, `tools`, `harness`, `idle` (the agent itself, or nothing). They add up to 1."""
    by_kind: dict[str, int] = {}
    for span, start_ns, end_ns in sections:
        kind = span.text(sc.SPAN_KIND)
        by_kind[kind] = by_kind.get(kind, 0) + end_ns - start_ns
    taken = dict.fromkeys(SHARES, 0)
    for kind, taken_ns in by_kind.items():
        taken[share_of(kind)] += taken_ns
    total = sum(taken.values())
    return {kind: part / total for kind, part in taken.items()} if total else {}


def share_of(kind: str) -> str:
    """Which of `SHARES` a kind of span (`cabtrace.span.kind`) counts to."""
    if kind == sc.SpanKind.MODEL_CALL:
        return "model"
    if kind == sc.SpanKind.TOOL_CALL:
        return "tools"
    return "harness" if kind in _HARNESS else "idle"


def _end(span: SpanRecord, end_ns: int) -> int:
    end = end_ns if span.end_ns is None else span.end_ns
    return end if end > span.start_ns else span.start_ns
