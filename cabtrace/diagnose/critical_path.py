"""The critical path: which spans the run's length hangs on, found from the end backwards as Jaeger does.

From the root, the child that finishes last is taken; before it started, the child that finished last before then; and so on.
What is left over is the parent's own. Children that reach beyond their parent are cut to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of the critical path that is one span's own. Unix nanoseconds."""

    span: SpanRecord
    start_ns: int
    end_ns: int


def critical_path(spans: Sequence[SpanRecord], end_ns: int) -> list[Section]:
    """The path of the first root, in order of time. Spans that never ended last until `end_ns`. [] without a root."""
    known = {span.span_id for span in spans}
    children: dict[str, list[SpanRecord]] = {}
    root = None
    for span in spans:
        if span.parent_id and span.parent_id in known and span.parent_id != span.span_id:
            children.setdefault(span.parent_id, []).append(span)
        elif root is None:
            root = span
    return [] if root is None else _walk(root, children, end_ns)


def _walk(root: SpanRecord, children: dict[str, list[SpanRecord]], end_ns: int) -> list[Section]:
    sections: list[Section] = []
    seen: set[str] = set()
    stack = [(root, root.start_ns, _end(root, end_ns))]
    while stack:
        span, low, high = stack.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        cursor = high
        # Sorted by end: from the last one backwards, each must end before its successor starts.
        for child in sorted(children.get(span.span_id, ()), key=lambda c: (_end(c, end_ns), c.start_ns), reverse=True):
            start, end = max(child.start_ns, low), min(_end(child, end_ns), high)
            if end > cursor or end <= start:
                continue
            if cursor > end:
                sections.append(Section(span, end, cursor))
            stack.append((child, start, end))
            cursor = start
        if cursor > low:
            sections.append(Section(span, low, cursor))
    return sorted(sections, key=lambda s: s.start_ns)


def shares(sections: Sequence[Section]) -> dict[str, float]:
    """Parts of the path: `model`, `tools`, `harness`, `idle` (the agent itself, or nothing). They add up to 1."""
    taken = dict.fromkeys(("model", "tools", "harness", "idle"), 0)
    for section in sections:
        taken[_kind(section.span)] += section.end_ns - section.start_ns
    total = sum(taken.values())
    return {kind: part / total for kind, part in taken.items()} if total else {}


def _kind(span: SpanRecord) -> str:
    kind = span.attributes.get(sc.SPAN_KIND)
    if kind == sc.SpanKind.MODEL_CALL:
        return "model"
    if kind == sc.SpanKind.TOOL_CALL:
        return "tools"
    return "harness" if kind in _HARNESS else "idle"


def _end(span: SpanRecord, end_ns: int) -> int:
    return max(span.start_ns, end_ns if span.end_ns is None else span.end_ns)
