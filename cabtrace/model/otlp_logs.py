"""Log records as OTLP/JSON and back, by the same rules as spans."""

from __future__ import annotations

from collections.abc import Mapping

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model.log import LogRecord
from cabtrace.model.otlp import (
    JsonObject,
    ValueEncoder,
    clamp_time,
    clean_text,
    decode_attributes,
    decode_value,
    encode_attributes,
)
from cabtrace.model.span import AttributeValue


def log_to_otlp(log: LogRecord, limits: Limits = DEFAULT) -> JsonObject:
    """A log record as an OTLP/JSON object."""
    encoder = ValueEncoder(limits)
    out: JsonObject = {
        "timeUnixNano": clamp_time(log.time_ns),
        "observedTimeUnixNano": clamp_time(log.observed_ns),
        "severityNumber": log.severity_number,
        "severityText": clean_text(log.severity_text),
        "body": encoder.encode(log.body),
        "attributes": encode_attributes(log.attributes, encoder, []),
    }
    optional = (
        ("eventName", clean_text(log.event_name)),
        ("traceId", log.trace_id),
        ("spanId", log.span_id),
        ("flags", log.flags),
        ("droppedAttributesCount", log.dropped_attributes),
    )
    return out | {key: value for key, value in optional if value}


def log_from_otlp(log: JsonObject, resource: Mapping[str, AttributeValue], scope: JsonObject) -> LogRecord:
    """An OTLP/JSON log record. Raises ValueError where a number is no such thing."""
    attributes = log.get("attributes")
    return LogRecord(
        time_ns=int(log.get("timeUnixNano") or 0),
        observed_ns=int(log.get("observedTimeUnixNano") or 0),
        severity_number=int(log.get("severityNumber") or 0),
        severity_text=str(log.get("severityText") or ""),
        body=decode_value(log.get("body")),
        event_name=str(log.get("eventName") or ""),
        attributes=decode_attributes(attributes if isinstance(attributes, list) else ()),
        trace_id=str(log.get("traceId") or "").lower(),
        span_id=str(log.get("spanId") or "").lower(),
        flags=int(log.get("flags") or 0),
        dropped_attributes=int(log.get("droppedAttributesCount") or 0),
        scope=str(scope.get("name") or ""),
        scope_version=str(scope.get("version") or ""),
        resource=resource,
    )
