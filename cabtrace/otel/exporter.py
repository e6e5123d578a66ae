"""`OTEL_TRACES_EXPORTER=cabtrace`: any program's spans as a run of the store."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from cabtrace import __version__
from cabtrace.errors import CabtraceError
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId, new_run_id
from cabtrace.model.run import AgentInfo, Completeness, RunHeader, TaskInfo
from cabtrace.otel.encode import SpanEncoder
from cabtrace.otel.sink import SpanSink
from cabtrace.redact import Redactor
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.layout import default_store
from cabtrace.store.writer import RunWriter, allocate_attempt

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

SWEEP = "otel"


class CabtraceSpanExporter(SpanExporter):
    """Makes a run at the first span and closes it at shutdown. Never raises; lost spans are counted in run.json."""

    def __init__(self, store: Path | None = None, redactor: Redactor | None = None) -> None:
        """`store` defaults to `CABTRACE_STORE` or the platform's data directory."""
        self._store = store or default_store()
        self._redactor = redactor or Redactor()
        self._mutex = threading.Lock()
        self._clock = RunClock.start()
        self._writer: RunWriter | None = None
        self._sink: SpanSink | None = None
        self._closed = False

    @property
    def path(self) -> Path | None:
        """The run's directory, once there is one."""
        return self._writer.path if self._writer else None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Appends the spans; FAILURE when any of them was lost."""
        if self._closed:
            return SpanExportResult.FAILURE
        if not spans:
            return SpanExportResult.SUCCESS
        try:
            with self._mutex:
                sink = self._sink or self._open(spans[0])
        except (CabtraceError, OSError):
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS if sink.ended_batch(spans) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Closes the run; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._writer and self._sink:
            now_ns = self._clock.now_ns()
            completeness = Completeness(
                dropped_attributes=self._sink.dropped_attributes, dropped_events=self._sink.dropped_events
            )
            self._writer.close(
                status="finished",
                ended_at=iso_utc(now_ns),
                duration_s=(now_ns - self._clock.wall_ns) / 1e9,
                completeness=completeness,
                redactions=dict(self._redactor.counts),
            )

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Everything on the medium; False when some of it could not be."""
        return self._writer.sync() if self._writer else True

    def _open(self, span: ReadableSpan) -> SpanSink:
        service = str(span.resource.attributes.get(sc.SERVICE_NAME) or "unknown_service")
        cell = CellId(SWEEP, service, "unknown", "program")
        path, attempt = allocate_attempt(self._store, cell)
        header = RunHeader(
            cabtrace_version=__version__,
            run_id=new_run_id(),
            cell_id=str(cell),
            sweep_id=SWEEP,
            attempt=attempt,
            task=TaskInfo(id="program", name=f"spans of {service} (pid {os.getpid()})"),
            agent=AgentInfo(name=service),
            model="unknown",
            trace_id=f"{span.context.trace_id:032x}" if span.context else "",
            started_at=iso_utc(self._clock.wall_ns),
            clock=self._clock.to_model(),
        )
        self._writer = RunWriter(path, header)
        self._sink = SpanSink(self._writer, SpanEncoder(self._redactor))
        return self._sink
