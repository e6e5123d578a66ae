"""Records as the lines of trace.jsonl and logs.jsonl, never longer than a reader takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model.log import LogRecord
from cabtrace.model.otlp import JsonObject, ValueEncoder, clean_text, encode_attributes, span_to_otlp
from cabtrace.model.otlp_logs import log_to_otlp
from cabtrace.model.span import SpanRecord

T = TypeVar("T", SpanRecord, LogRecord)
_SHRUNK_VALUE_BYTES = (64 * 1024, 4 * 1024, 256)


def span_line(span: SpanRecord, limits: Limits = DEFAULT) -> bytes:
    """`{"resourceSpans":[…]}` and a newline. What is too long for a line is cut: values first, then events and attributes."""
    return _fit(span, lambda record, caps: _span_line(record, caps), limits)


def log_line(log: LogRecord, limits: Limits = DEFAULT) -> bytes:
    """`{"resourceLogs":[…]}` and a newline, likewise."""
    return _fit(log, lambda record, caps: _log_line(record, caps), limits)


def _fit(record: T, encode: Callable[[T, Limits], bytes], limits: Limits) -> bytes:
    line = encode(record, limits)
    for value_bytes in _SHRUNK_VALUE_BYTES:
        if len(line) <= limits.line_bytes:
            return line
        line = encode(record, replace(limits, attribute_value_bytes=value_bytes))
    while len(line) > limits.line_bytes:
        record = _halved(record)
        line = encode(record, replace(limits, attribute_value_bytes=_SHRUNK_VALUE_BYTES[-1]))
    return line


def _halved(record: T) -> T:
    kept = dict(list(record.attributes.items())[: len(record.attributes) // 2])
    resource = dict(list(record.resource.items())[: len(record.resource) // 2])
    dropped = record.dropped_attributes + len(record.attributes) - len(kept)
    if isinstance(record, LogRecord):
        body = record.body if isinstance(record.body, str | int | float | None) else "[too large to record]"
        return replace(record, attributes=kept, resource=resource, body=body, dropped_attributes=dropped)
    events, links = record.events[: len(record.events) // 2], record.links[: len(record.links) // 2]
    return replace(
        record,
        attributes=kept,
        resource=resource,
        events=events,
        links=links,
        dropped_attributes=dropped,
        dropped_events=record.dropped_events + len(record.events) - len(events),
        dropped_links=record.dropped_links + len(record.links) - len(links),
        name=record.name[:1024],
        status_message=record.status_message[:1024],
        trace_state=record.trace_state[:1024],
        scope=record.scope[:1024],
        scope_version=record.scope_version[:1024],
    )


def _span_line(span: SpanRecord, limits: Limits) -> bytes:
    spans = [{"scope": _scope(span.scope, span.scope_version), "spans": [span_to_otlp(span, limits)]}]
    return _dump({"resourceSpans": [{"resource": _resource(span.resource, limits), "scopeSpans": spans}]})


def _log_line(log: LogRecord, limits: Limits) -> bytes:
    logs = [{"scope": _scope(log.scope, log.scope_version), "logRecords": [log_to_otlp(log, limits)]}]
    return _dump({"resourceLogs": [{"resource": _resource(log.resource, limits), "scopeLogs": logs}]})


def _scope(name: str, version: str) -> JsonObject:
    return {"name": clean_text(name), "version": clean_text(version)}


def _resource(attributes: Mapping[str, Any], limits: Limits) -> JsonObject:
    return {"attributes": encode_attributes(attributes, ValueEncoder(limits), [])}


def _dump(value: JsonObject) -> bytes:
    return orjson.dumps(value) + b"\n"
