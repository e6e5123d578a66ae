"""Jaeger's own JSON, which its page downloads and its older API answers: times in microseconds, attributes as tags."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cabtrace.model import semconv as sc
from cabtrace.model.ids import is_hex_id
from cabtrace.model.span import AttributeValue, SpanEvent, SpanLink, SpanRecord

_KINDS: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_CODES: Final = {"OK": 1, "ERROR": 2}
_BROKEN: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
_MOST_NS: Final = 2**63


def is_jaeger_trace(document: object) -> bool:
    """Whether this is one trace of that format."""
    return isinstance(document, dict) and isinstance(document.get("spans"), list) and isinstance(document.get("processes"), dict)


def jaeger_spans(trace: Mapping[str, Any]) -> tuple[list[SpanRecord], int]:
    """The spans, and how many could not be read."""
    spans: list[SpanRecord] = []
    broken = 0
    resources: dict[str, dict[str, AttributeValue]] = {}
    for name, process in trace["processes"].items():
        try:
            resources[name] = {sc.SERVICE_NAME: str(process.get("serviceName", "")), **_tags(process.get("tags"))}
        except _BROKEN:
            resources[name] = {}
    for item in trace["spans"]:
        try:
            spans.append(_span(item, resources))
        except _BROKEN:
            broken += 1
    return spans, broken


def _span(item: Mapping[str, Any], resources: Mapping[str, Mapping[str, AttributeValue]]) -> SpanRecord:
    tags = _tags(item.get("tags"))
    start_ns = _ns(item["startTime"])
    parent, links = _references(item)
    kind = _KINDS.get(str(tags.pop("span.kind", "internal")), 1)
    code = _CODES.get(str(tags.pop("otel.status_code", "")), 0)
    if not code and tags.get("error") is True:
        code = 2
    if code == 2:
        tags.pop("error", None)
    return SpanRecord(
        trace_id=_id(item["traceID"], 32),
        span_id=_id(item["spanID"], 16),
        parent_id=parent,
        name=str(item.get("operationName", "")),
        start_ns=start_ns,
        end_ns=start_ns + _ns(item.get("duration") or 0),
        kind=kind,
        status_code=code,
        status_message=str(tags.pop("otel.status_description", "")),
        scope=str(tags.pop("otel.scope.name", "")),
        scope_version=str(tags.pop("otel.scope.version", "")),
        trace_state=str(tags.pop("w3c.tracestate", "")),
        attributes=tags,
        events=tuple(_event(log) for log in item.get("logs") or ()),
        links=links,
        resource=resources.get(str(item.get("processID")), {}),
    )


def _references(item: Mapping[str, Any]) -> tuple[str | None, tuple[SpanLink, ...]]:
    """The parent, and links to all others. Of a span that also links to its parent, Jaeger tells the link only."""
    trace_id = _id(item["traceID"], 32)
    found = [(r.get("refType"), _id(r["traceID"], 32), _id(r["spanID"], 16)) for r in item.get("references") or ()]
    within = [r for r in found if r[1] == trace_id]
    parent = next((r for r in within if r[0] == "CHILD_OF"), within[0] if within else None)
    return parent[2] if parent else None, tuple(SpanLink(t, s) for _, t, s in found if (t, s) != (parent or ())[1:])


def _event(log: Mapping[str, Any]) -> SpanEvent:
    fields = _tags(log.get("fields"))
    return SpanEvent(str(fields.pop("event", "log")), _ns(log["timestamp"]), fields)


def _tags(items: Iterable[Mapping[str, Any]] | None) -> dict[str, AttributeValue]:
    return {str(tag["key"]): _value(tag.get("type"), tag.get("value")) for tag in items or ()}


def _value(kind: object, value: Any) -> AttributeValue:
    if kind == "binary" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            return value
    if kind == "float64" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value if isinstance(value, str | bool | int | float) else str(value)


def _ns(microseconds: Any) -> int:
    nanoseconds = int(microseconds) * 1_000
    if not 0 <= nanoseconds < _MOST_NS:
        raise ValueError("no time")
    return nanoseconds


def _id(value: Any, digits: int) -> str:
    text = str(value).lower().rjust(digits, "0")
    if not is_hex_id(text, digits):
        raise ValueError("no id")
    return text
