"""Foreign spans and log records as members of a run's own trace. Ids change only where they must; what they were is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model import semconv as sc
from cabtrace.model.log import LogRecord
from cabtrace.model.span import Attributes, AttributeValue, SpanRecord

_OURS = "cabtrace."


class Adoption:
    """Adopts the records of one agent.

    A span of the run's own trace keeps its ids. One of another trace gets the run's trace id, and a new span id only where two
    traces use the same one; a root hangs under `parent_id`. `is_ours` says which span ids the harness itself made: nobody else
    may record under those.
    """

    def __init__(self, trace_id: str, parent_id: str, is_ours: Callable[[str], bool], limits: Limits = DEFAULT) -> None:
        self._trace_id = trace_id
        self._parent_id = parent_id
        self._is_ours = is_ours
        self._limits = limits
        self._owner: dict[str, str] = {}
        self._seen: set[str] = set()

    def span(self, span: SpanRecord) -> SpanRecord | None:
        """The span in the run's trace; None for one that came before, as exporters send again what was not acknowledged."""
        span_id = self._resolve(span.trace_id, span.span_id, own=False)
        if span_id in self._seen:
            return None
        self._seen.add(span_id)
        parent_id = self._resolve(span.trace_id, span.parent_id, own=True) if span.parent_id else self._parent_id
        kept, dropped = _kept(span.attributes, self._limits.span_attributes)
        originals: dict[str, AttributeValue] = {}
        if span.trace_id != self._trace_id:
            originals[sc.ORIGINAL_TRACE_ID] = span.trace_id
        if span_id != span.span_id:
            originals[sc.ORIGINAL_SPAN_ID] = span.span_id
        if span.parent_id and parent_id != span.parent_id:
            originals[sc.ORIGINAL_PARENT_ID] = span.parent_id
        return replace(
            span,
            trace_id=self._trace_id,
            span_id=span_id,
            parent_id=parent_id,
            attributes={**kept, sc.SPAN_KIND: sc.SpanKind.AGENT, sc.SOURCE: sc.SOURCE_TELEMETRY, **originals},
            dropped_attributes=span.dropped_attributes + dropped,
        )

    def log(self, log: LogRecord) -> LogRecord:
        """The log record in the run's trace; one without a trace stays without."""
        if not log.trace_id:
            return log
        span_id = self._resolve(log.trace_id, log.span_id, own=True) if log.span_id else ""
        originals: dict[str, AttributeValue] = {}
        if log.trace_id != self._trace_id:
            originals[sc.ORIGINAL_TRACE_ID] = log.trace_id
        if span_id != log.span_id:
            originals[sc.ORIGINAL_SPAN_ID] = log.span_id
        kept, dropped = _kept(log.attributes, self._limits.span_attributes)
        return replace(
            log,
            trace_id=self._trace_id,
            span_id=span_id,
            attributes={**kept, **originals},
            dropped_attributes=log.dropped_attributes + dropped,
        )

    def _resolve(self, trace_id: str, span_id: str, *, own: bool) -> str:
        """`own`: whether the id of one of the harness' spans may be meant, as it may by a parent in the run's trace."""
        if self._is_ours(span_id):
            if own and trace_id == self._trace_id:
                return span_id
        elif self._owner.setdefault(span_id, trace_id) == trace_id:
            return span_id
        return fresh_id(trace_id, span_id)


def fresh_id(*parts: str) -> str:
    """A span id that follows from `parts`: 16 hex digits, never all zero."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
    return digest if set(digest) != {"0"} else "1".zfill(16)


def _kept(attributes: Attributes, most: int) -> tuple[dict[str, AttributeValue], int]:
    """Attributes under their names, but for ours: no agent gets to say what only the harness says."""
    kept = {(sc.ORIGINAL + k if k.startswith(_OURS) else k): v for k, v in list(attributes.items())[:most]}
    return kept, len(attributes) - len(kept)
