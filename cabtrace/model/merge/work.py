"""The trace while it is merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cabtrace.model.span import SpanRecord, SpanState


class Work:
    """Spans by id, in their order. Those that have not ended are there to be referred to and are never changed.

    `moved`: ids of spans that became part of another; `notes`: what was done how often.
    """

    def __init__(self, spans: Sequence[SpanRecord]) -> None:
        self.spans: dict[str, SpanRecord] = {}
        for span in spans:
            before = self.spans.get(span.span_id)
            if before is None or span.state is SpanState.ENDED or before.state is not SpanState.ENDED:
                self.spans[span.span_id] = span
        self.trace_id = spans[0].trace_id if spans else ""
        self.moved: dict[str, str] = {}
        self.notes: Counter[str] = Counter()
        self.changed = False

    def ended(self) -> list[SpanRecord]:
        """Spans that may be changed."""
        return [s for s in self.spans.values() if s.state is SpanState.ENDED]

    def put(self, span: SpanRecord) -> None:
        """Adds or replaces a span; a replaced one keeps its place."""
        before = self.spans.get(span.span_id)
        if before is None or before != span:
            self.spans[span.span_id] = span
            self.changed = True

    def absorb(self, gone: str, into: str) -> None:
        """Takes a span away that is now part of `into`; its children follow."""
        del self.spans[gone]
        self.moved[gone] = into
        self.changed = True

    def remove(self, gone: str) -> None:
        """Takes a span away that nothing refers to."""
        del self.spans[gone]
        self.changed = True

    def current_id(self, span_id: str) -> str:
        """The id that a span goes by now."""
        path = []
        while span_id in self.moved:
            path.append(span_id)
            span_id = self.moved[span_id]
        for step in path:
            self.moved[step] = span_id
        return span_id

    def parents(self) -> dict[str, str | None]:
        """Id -> id of the parent."""
        return {s.span_id: s.parent_id for s in self.spans.values()}
