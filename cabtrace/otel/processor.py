"""A span processor that makes starts visible on disk and persists ends at once, on the caller's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from cabtrace.otel.sink import SpanSink


class StoreSpanProcessor(SpanProcessor):
    """No queue: a queue is lost when the process dies, and the start record is what shows what was running then."""

    def __init__(self, sink: SpanSink) -> None:
        self._sink = sink

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self._sink.started(span)

    def on_end(self, span: ReadableSpan) -> None:
        self._sink.ended(span)

    def shutdown(self) -> None:
        """Nothing is held back."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held back."""
        return True
