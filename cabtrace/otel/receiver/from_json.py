"""OTLP/JSON exports as records. A record that is no such thing is counted; the rest of its export is taken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import orjson

from cabtrace.model.log import LogRecord
from cabtrace.model.otlp import JsonObject, decode_attributes, span_from_otlp
from cabtrace.model.otlp_logs import log_from_otlp
from cabtrace.model.span import AttributeValue, SpanLink, SpanRecord
from cabtrace.otel.receiver.batch import Batch, MalformedError, Signal, bounded, hex_id

BROKEN = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError)
Found = tuple[Any, Mapping[str, AttributeValue], JsonObject]


def read_json(signal: Signal, body: bytes) -> Batch:
    """The records of one export. Raises MalformedError."""
    data = parse(body)
    if not isinstance(data, dict):
        raise MalformedError("the body is not a JSON object")
    batch = Batch()
    match signal:
        case Signal.TRACES:
            for item, resource, scope in records(data, "resourceSpans", "scopeSpans", "spans"):
                try:
                    batch.spans.append(read_span(item, resource, scope))
                except BROKEN:
                    batch.rejected += 1
        case Signal.LOGS:
            for item, resource, scope in records(data, "resourceLogs", "scopeLogs", "logRecords"):
                try:
                    batch.logs.append(_log(item, resource, scope))
                except BROKEN:
                    batch.rejected += 1
        case Signal.METRICS:
            batch.metrics = sum(1 for _ in records(data, "resourceMetrics", "scopeMetrics", "metrics"))
    return batch


def parse(body: bytes) -> Any:
    """JSON, also such as holds lone surrogates. Raises MalformedError."""
    try:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            return json.loads(body)  # takes lone surrogates, which JavaScript writes
    except (ValueError, RecursionError) as error:
        raise MalformedError("the body is not JSON") from error


def records(data: JsonObject, outer: str, inner: str, leaf: str) -> Iterator[Found]:
    """Each record with its resource and scope. Raises MalformedError where a list is none."""
    for group in _list(data, outer):
        try:
            resource = decode_attributes(_list(group.get("resource"), "attributes"))
        except (AttributeError, RecursionError):
            resource = {}
        for scoped in _list(group, inner):
            scope = scoped.get("scope") if isinstance(scoped, dict) else None
            for item in _list(scoped, leaf):
                yield item, resource, scope if isinstance(scope, dict) else {}


def _list(holder: object, key: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    if value is None:
        return []
    if not isinstance(value, list):
        raise MalformedError(f"{key} is not a list")
    return value


def read_span(item: JsonObject, resource: Mapping[str, AttributeValue], scope: JsonObject) -> SpanRecord:
    """A span with everything in its bounds. Raises one of `BROKEN`."""
    span = span_from_otlp({"traceId": "", "spanId": "", **item}, resource, scope)
    trace_id, span_id = hex_id(item.get("traceId"), 32), hex_id(item.get("spanId"), 16)
    if not trace_id or not span_id:
        raise ValueError("a span without ids")
    links = [SpanLink(hex_id(x.trace_id, 32), hex_id(x.span_id, 16), x.attributes) for x in span.links]
    return replace(
        span,
        trace_id=trace_id,
        span_id=span_id,
        parent_id=hex_id(item.get("parentSpanId"), 16) or None,
        kind=bounded(span.kind, 5),
        status_code=bounded(span.status_code, 2),
        links=tuple(x for x in links if x.trace_id and x.span_id),
        dropped_attributes=bounded(span.dropped_attributes),
        dropped_events=bounded(span.dropped_events),
        dropped_links=bounded(span.dropped_links),
        flags=bounded(span.flags),
    )


def _log(item: JsonObject, resource: Mapping[str, AttributeValue], scope: JsonObject) -> LogRecord:
    log = log_from_otlp(item, resource, scope)
    return replace(
        log,
        trace_id=hex_id(item.get("traceId"), 32),
        span_id=hex_id(item.get("spanId"), 16),
        severity_number=bounded(log.severity_number, 24),
        flags=bounded(log.flags),
        dropped_attributes=bounded(log.dropped_attributes),
    )
