"""The recorder of one run: spans by the run's own clock, into the run's own directory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, Status, StatusCode

from cabtrace import __version__
from cabtrace.limits import DEFAULT, Limits
from cabtrace.model import semconv as sc
from cabtrace.model.run import Completeness
from cabtrace.otel.encode import SpanEncoder
from cabtrace.otel.ids import SpanIds
from cabtrace.otel.provider import SCOPE, make_provider
from cabtrace.otel.sink import SpanSink

if TYPE_CHECKING:
    from cabtrace.redact import Redactor
    from cabtrace.store.clock import RunClock
    from cabtrace.store.writer import RunWriter


_FLUSH_S = 3.0  # exporters themselves try for ten seconds and more


class Recorder:
    """Starts and ends spans. Nothing here raises because of the store; see `completeness` for what was lost."""

    def __init__(
        self,
        writer: RunWriter,
        redactor: Redactor,
        clock: RunClock,
        resource: Mapping[str, str],
        limits: Limits = DEFAULT,
    ) -> None:
        """Raises UsageError where the environment forbids recording."""
        self.writer = writer
        self.redactor = redactor
        self.clock = clock
        self.limits = limits
        self._sink = SpanSink(writer, SpanEncoder(redactor, limits))
        self.ids = SpanIds()
        self._provider = make_provider(self._sink, redactor, resource, limits, self.ids)
        self._tracer = self._provider.get_tracer(SCOPE, __version__)

    def start(
        self,
        name: str,
        kind: str,
        *,
        parent: Span | SpanContext | None,
        attributes: Mapping[str, Any] | None = None,
        client: bool = False,
        start_ns: int | None = None,
        span_id: str = "",
    ) -> Span:
        """Starts a span of a `SpanKind`; a root when `parent` is None. `span_id`: one that `ids.reserve()` gave out before."""
        if span_id:
            self.ids.use(span_id)
        context = Context() if parent is None else trace.set_span_in_context(_as_span(parent), Context())
        return self._tracer.start_span(
            name,
            context,
            trace.SpanKind.CLIENT if client else trace.SpanKind.INTERNAL,
            {sc.SPAN_KIND: kind, **(attributes or {})},
            start_time=self.clock.now_ns() if start_ns is None else start_ns,
            record_exception=False,
            set_status_on_exception=False,
        )

    def end(self, span: Span, *, error: str = "", message: str = "", end_ns: int | None = None) -> None:
        """Ends a span; `error` is its low-cardinality `error.type`, which makes its status ERROR."""
        if error:
            span.set_attribute(sc.ERROR_TYPE, error)
            span.set_status(Status(StatusCode.ERROR, message or error))
        span.end(end_time=self.clock.now_ns() if end_ns is None else end_ns)

    def event(self, span: Span, name: str, attributes: Mapping[str, Any], time_ns: int | None = None) -> None:
        """Adds an event at a time of the run's clock."""
        span.add_event(name, dict(attributes), timestamp=self.clock.now_ns() if time_ns is None else time_ns)

    @contextmanager
    def span(self, name: str, kind: str, *, parent: Span | None, attributes: Mapping[str, Any] | None = None) -> Iterator[Span]:
        """A span around a block; an exception makes it an error and goes on."""
        span = self.start(name, kind, parent=parent, attributes=attributes)
        try:
            yield span
        except BaseException as error:
            self.end(span, error=type(error).__name__, message=str(error))
            raise
        self.end(span)

    @contextmanager
    def ending(self, span: Span) -> Iterator[dict[str, str]]:
        """Ends a span after a block; what the block puts into the mapping (`error`, `message`) makes it a failed one."""
        failure: dict[str, str] = {}
        try:
            yield failure
        except BaseException as error:
            self.end(span, error=type(error).__name__, message=str(error))
            raise
        self.end(span, error=failure.get("error", ""), message=failure.get("message", ""))

    def completeness(self, base: Completeness) -> Completeness:
        """`base` with what the spans lost."""
        return replace(
            base,
            dropped_attributes=self._sink.dropped_attributes,
            dropped_events=self._sink.dropped_events,
            sanitized_values=self._sink.sanitized_values,
        )

    def close(self) -> bool:
        """Flushes a live exporter, if there is one; False when a collector that is down or slow was not waited for."""
        flush = threading.Thread(target=self._flush, name="cabtrace-flush", daemon=True)
        flush.start()
        flush.join(_FLUSH_S)
        return not flush.is_alive()

    def _flush(self) -> None:
        self._provider.force_flush(int(_FLUSH_S * 1_000))
        self._provider.shutdown()


def _as_span(parent: Span | SpanContext) -> Span:
    return trace.NonRecordingSpan(parent) if isinstance(parent, SpanContext) else parent
