"""What the processor and the exporter share: encoded spans into the store, every failure counted, none raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cabtrace.model import semconv as sc
from cabtrace.otel.encode import SpanEncoder
from cabtrace.store.writer import RunWriter

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_ERROR = 2


class SpanSink:
    """Feeds one run. A harness span, a model call and any error is on the medium when `ended` returns."""

    def __init__(self, writer: RunWriter, encoder: SpanEncoder) -> None:
        self._writer = writer
        self._encoder = encoder
        self.dropped_attributes = 0
        self.dropped_events = 0
        self.sanitized_values = 0

    def started(self, span: ReadableSpan) -> bool:
        """Records that a span began; its end time is meaningless here. False when the record was lost."""
        return self._append("open", span, durable=False)

    def ended(self, span: ReadableSpan) -> bool:
        """Records a whole span. False when it was lost."""
        self.dropped_attributes += span.dropped_attributes
        self.dropped_events += span.dropped_events
        harness = span.attributes is not None and sc.SPAN_KIND in span.attributes
        return self._append("trace", span, durable=harness or span.status.status_code.value == _ERROR)

    def _append(self, log: str, span: ReadableSpan, *, durable: bool) -> bool:
        try:
            line = self._encoder.line(span)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a span must not reach the program it describes
            self._writer.count_loss(log, f"{type(error).__name__}: {error}")
            return False
        return self._writer.append(log, line, durable=durable)
