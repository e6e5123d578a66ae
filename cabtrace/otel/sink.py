"""What the processor and the exporter share: encoded spans into the store, every failure counted, none raised."""

from __future__ import annotations

from collections.abc import Sequence
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

    def ended_batch(self, spans: Sequence[ReadableSpan]) -> bool:
        """Records whole spans with one write. False when any was lost."""
        encoded = [self._line("trace", span) for span in spans]
        lines = [line for line in encoded if line]
        self.dropped_attributes += sum(span.dropped_attributes for span in spans)
        self.dropped_events += sum(span.dropped_events for span in spans)
        return self._writer.append("trace", b"".join(lines), lines=len(lines)) and len(lines) == len(spans)

    def _append(self, log: str, span: ReadableSpan, *, durable: bool) -> bool:
        line = self._line(log, span)
        return bool(line) and self._writer.append(log, line, durable=durable)

    def _line(self, log: str, span: ReadableSpan) -> bytes:
        try:
            return self._encoder.line(span)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a span must not reach the program it describes
            self._writer.count_loss(log, f"{type(error).__name__}: {error}")
            return b""
