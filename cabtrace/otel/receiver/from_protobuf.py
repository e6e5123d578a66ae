"""OTLP/protobuf exports as records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no stubs

from cabtrace.model.ids import is_hex_id
from cabtrace.model.log import LogRecord
from cabtrace.model.span import AttributeValue, SpanEvent, SpanLink, SpanRecord
from cabtrace.otel.receiver.batch import Batch, MalformedError, Signal, bounded

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as ProtoLog
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as ProtoSpan


def read_protobuf(signal: Signal, body: bytes) -> Batch:
    """The records of one export. Raises MalformedError."""
    try:
        match signal:
            case Signal.TRACES:
                return _traces(body)
            case Signal.LOGS:
                return _logs(body)
            case Signal.METRICS:
                return _metrics(body)
    except (DecodeError, RecursionError) as error:
        raise MalformedError("the body is not an OTLP export") from error


def _traces(body: bytes) -> Batch:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    batch = Batch()
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            for item in scoped.spans:
                if is_hex_id(item.trace_id.hex(), 32) and is_hex_id(item.span_id.hex(), 16):
                    batch.spans.append(_span(item, scoped.scope, resource))
                else:
                    batch.rejected += 1
    return batch


def _logs(body: bytes) -> Batch:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    batch = Batch()
    for group in ExportLogsServiceRequest.FromString(body).resource_logs:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_logs:
            batch.logs += [_log(item, scoped.scope, resource) for item in scoped.log_records]
    return batch


def _metrics(body: bytes) -> Batch:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    groups = ExportMetricsServiceRequest.FromString(body).resource_metrics
    return Batch(metrics=sum(len(scoped.metrics) for group in groups for scoped in group.scope_metrics))


def _span(item: ProtoSpan, scope: InstrumentationScope, resource: Mapping[str, AttributeValue]) -> SpanRecord:
    return SpanRecord(
        trace_id=item.trace_id.hex(),
        span_id=item.span_id.hex(),
        parent_id=_id(item.parent_span_id, 16) or None,
        name=item.name,
        start_ns=item.start_time_unix_nano,
        end_ns=item.end_time_unix_nano or None,
        kind=bounded(item.kind, 5),
        status_code=bounded(item.status.code, 2),
        status_message=item.status.message,
        attributes=_attributes(item.attributes),
        events=tuple(SpanEvent(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in item.events),
        links=tuple(
            SpanLink(x.trace_id.hex(), x.span_id.hex(), _attributes(x.attributes))
            for x in item.links
            if is_hex_id(x.trace_id.hex(), 32) and is_hex_id(x.span_id.hex(), 16)
        ),
        dropped_attributes=item.dropped_attributes_count,
        dropped_events=item.dropped_events_count,
        dropped_links=item.dropped_links_count,
        trace_state=item.trace_state,
        scope=scope.name,
        scope_version=scope.version,
        resource=resource,
        flags=item.flags,
    )


def _log(item: ProtoLog, scope: InstrumentationScope, resource: Mapping[str, AttributeValue]) -> LogRecord:
    return LogRecord(
        time_ns=item.time_unix_nano,
        observed_ns=item.observed_time_unix_nano,
        severity_number=bounded(item.severity_number, 24),
        severity_text=item.severity_text,
        body=_value(item.body),
        event_name=item.event_name,
        attributes=_attributes(item.attributes),
        trace_id=_id(item.trace_id, 32),
        span_id=_id(item.span_id, 16),
        flags=item.flags,
        dropped_attributes=item.dropped_attributes_count,
        scope=scope.name,
        scope_version=scope.version,
        resource=resource,
    )


def _id(raw: bytes, digits: int) -> str:
    return raw.hex() if is_hex_id(raw.hex(), digits) else ""


def _attributes(items: Iterable[KeyValue]) -> dict[str, AttributeValue]:
    return {item.key: _value(item.value) for item in items}


def _value(value: AnyValue) -> AttributeValue:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "array_value":
            return tuple(_value(v) for v in value.array_value.values)
        case "kvlist_value":
            return _attributes(value.kvlist_value.values)
    scalar: Any = getattr(value, kind, None)
    return scalar if isinstance(scalar, str | bool | int | float | bytes) else None
