"""Live export beside the store, when the standard `OTEL_EXPORTER_OTLP_*` variables name an endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from cabtrace.errors import UsageError

if TYPE_CHECKING:
    from cabtrace.redact import Redactor

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def live_exporter(redactor: Redactor, environ: Mapping[str, str] | None = None) -> SpanExporter | None:
    """The official OTLP exporter of the protocol that the environment asks for; None when it names no endpoint."""
    env = os.environ if environ is None else environ
    if not any(env.get(name) for name in _ENDPOINTS) or env.get("OTEL_TRACES_EXPORTER") == "none":
        return None
    protocol = env.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or env.get("OTEL_EXPORTER_OTLP_PROTOCOL") or "http/protobuf"
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return RedactingExporter(GrpcExporter(), redactor)
    if protocol == "http/protobuf":
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

        return RedactingExporter(HttpExporter(), redactor)
    raise UsageError(
        f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol} is not supported for live export.", hint="Use grpc or http/protobuf."
    )


class RedactingExporter(SpanExporter):
    """Passes spans on without their secrets."""

    def __init__(self, inner: SpanExporter, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor
        self._resource: tuple[Resource, Resource] | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._inner.export([self._clean(s) for s in spans])

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)

    def _clean(self, span: ReadableSpan) -> ReadableSpan:
        text, status = self._redactor.text, span.status
        return ReadableSpan(
            name=text(span.name),
            context=span.context,
            parent=span.parent,
            resource=self._clean_resource(span.resource),
            attributes=self._attributes(span.attributes),
            events=[Event(text(e.name), self._attributes(e.attributes), e.timestamp) for e in span.events],
            links=[Link(x.context, self._attributes(x.attributes)) for x in span.links],
            kind=span.kind,
            instrumentation_scope=span.instrumentation_scope,
            status=Status(status.status_code, text(status.description) if status.description else None),
            start_time=span.start_time,
            end_time=span.end_time,
        )

    def _clean_resource(self, resource: Resource) -> Resource:
        """The same object for the same resource: exporters group spans by it."""
        if self._resource is None or self._resource[0] is not resource:
            self._resource = (resource, Resource(self._attributes(resource.attributes), resource.schema_url))
        return self._resource[1]

    def _attributes(self, attributes: Mapping[str, Any] | None) -> dict[str, Any]:
        return self._redactor.value(dict(attributes or {}))
