"""Spans in one line each."""

from __future__ import annotations

from typing import Any

from cabtrace.model import semconv as sc
from cabtrace.model.span import STATUS_ERROR, SpanEvent, SpanRecord, SpanState

BASE_NS = 1_781_663_488_000_000_000
MS = 1_000_000


def span(
    span_id: str,
    start_ms: int = 0,
    end_ms: int | None = 10,
    *,
    parent: str | None = None,
    kind: str = "",
    name: str = "",
    failed: bool = False,
    state: SpanState = SpanState.ENDED,
    events: tuple[SpanEvent, ...] = (),
    **attributes: Any,
) -> SpanRecord:
    """A span whose times are milliseconds after `BASE_NS`."""
    return SpanRecord(
        trace_id="1" * 32,
        span_id=span_id,
        parent_id=parent,
        name=name or span_id,
        start_ns=BASE_NS + start_ms * MS,
        end_ns=None if end_ms is None else BASE_NS + end_ms * MS,
        status_code=STATUS_ERROR if failed else 0,
        attributes={**({sc.SPAN_KIND: kind} if kind else {}), **attributes},
        state=state,
        events=events,
    )
