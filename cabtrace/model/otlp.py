"""OTLP/JSON by opentelemetry-proto's "JSON Protobuf Encoding": hex ids, 64-bit integers as decimal strings, enums as integers.

Values that OTLP or a strict JSON reader cannot hold are made safe here, and the names of what was changed are handed back:
integers beyond 64 bits become decimal strings, lone surrogates U+FFFD, what nests too deep JSON text, what is too long is cut.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model.span import AttributeValue, SpanEvent, SpanLink, SpanRecord, SpanState, new_span

_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_UINT64_MAX = 2**64 - 1
_RARE = frozenset(("events", "links", "traceState", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"))
JsonObject = dict[str, Any]


def clean_text(text: str) -> str:
    """`text` with surrogate pairs joined and lone surrogates replaced; the same object when it was clean."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


class ValueEncoder:
    """Encodes attribute values; `changed` is set once a value had to be altered."""

    def __init__(self, limits: Limits = DEFAULT) -> None:
        self.limits = limits
        self.changed = False

    def encode(self, value: object, depth: int = 0) -> JsonObject:
        """An OTLP AnyValue."""
        if isinstance(value, str):
            return {"stringValue": self._text(value)}
        if isinstance(value, bool):
            return {"boolValue": value}
        if isinstance(value, int):
            if _INT64_MIN <= value <= _INT64_MAX:
                return {"intValue": str(value)}
            self.changed = True
            return {"stringValue": str(value) if value.bit_length() < 10_000 else f"integer of {value.bit_length()} bits"}
        if isinstance(value, float):
            return {"doubleValue": value if math.isfinite(value) else _nonfinite(value)}
        if value is None:
            return {}
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value))
        if depth >= self.limits.attribute_depth and isinstance(value, Mapping | list | tuple):
            self.changed = True
            return {"stringValue": self._text(_as_text(value))}
        if isinstance(value, Mapping):
            items = [{"key": self._text(str(k)), "value": self.encode(v, depth + 1)} for k, v in value.items()]
            return {"kvlistValue": {"values": items}}
        if isinstance(value, list | tuple | set | frozenset):
            return {"arrayValue": {"values": [self.encode(v, depth + 1) for v in value]}}
        self.changed = True
        return {"stringValue": self._text(_as_text(value))}

    def _text(self, text: str) -> str:
        cap = self.limits.attribute_value_bytes
        if len(text) > cap // 4 and len(text.encode("utf-8", "replace")) > cap:
            self.changed = True
            kept = text.encode("utf-8", "replace")[:cap].decode("utf-8", "ignore")
            text = f"{kept}…[+{len(text) - len(kept)} characters cut]"
        if text.isascii():
            return text
        cleaned = clean_text(text)
        if cleaned is not text:
            self.changed = True
        return cleaned

    def _bytes(self, data: bytes) -> JsonObject:
        if len(data) > self.limits.attribute_value_bytes:
            self.changed = True
            data = data[: self.limits.attribute_value_bytes]
        return {"bytesValue": base64.b64encode(data).decode("ascii")}


def _as_text(value: object) -> str:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - anyone's __str__ may raise anything, and recording must go on
        return f"<{type(value).__name__}: {type(error).__name__}>"


def _nonfinite(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def encode_attributes(attributes: Mapping[str, Any], encoder: ValueEncoder, changed_keys: list[str]) -> list[JsonObject]:
    """A list of KeyValue; the names of values that had to be altered are appended to `changed_keys`."""
    out = []
    for key, value in attributes.items():
        if type(value) is str and value.isascii() and key.isascii() and len(value) < 4096:  # the common case, without a call
            out.append({"key": key, "value": {"stringValue": value}})
            continue
        encoder.changed = False
        name = clean_text(str(key))
        out.append({"key": name, "value": encoder.encode(value)})
        if encoder.changed:
            changed_keys.append(name)
    return out


def clamp_time(time_ns: int | None) -> str:
    """A fixed64 of nanoseconds as OTLP/JSON writes it."""
    return str(min(max(time_ns or 0, 0), _UINT64_MAX))


def decode_value(value: object) -> AttributeValue:
    """The inverse of `ValueEncoder.encode`; unknown shapes become None."""
    if not isinstance(value, dict) or not value:
        return None
    kind, inner = next(iter(value.items()))
    match kind:
        case "stringValue":
            return inner if isinstance(inner, str) else str(inner)
        case "intValue":
            return _decode_int(inner)
        case "doubleValue":
            return _decode_double(inner)
        case "boolValue":
            return bool(inner)
        case "bytesValue":
            return _decode_bytes(inner)
        case "arrayValue":
            return tuple(decode_value(v) for v in _list(inner, "values"))
        case "kvlistValue":
            return decode_attributes(_list(inner, "values"))
    return None


def _decode_int(inner: object) -> AttributeValue:
    try:
        return int(inner)  # type: ignore[call-overload, no-any-return]  # anything may stand in a foreign file
    except (TypeError, ValueError):
        return str(inner)


def _decode_double(inner: object) -> AttributeValue:
    try:
        return float(inner)  # type: ignore[arg-type]  # likewise; "NaN" and "Infinity" are what float() takes
    except (TypeError, ValueError):
        return str(inner)


def _decode_bytes(inner: object) -> AttributeValue:
    try:
        return base64.b64decode(inner if isinstance(inner, str) else "")
    except ValueError:
        return str(inner)


def _list(holder: object, key: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, list) else []


def decode_attributes(items: Sequence[object]) -> dict[str, AttributeValue]:
    """A list of KeyValue as a mapping; the last of equal keys wins."""
    try:  # as nearly all are: strings and integers under names, a million of them in a large run
        found: dict[str, AttributeValue] = {
            item["key"]: text  # type: ignore[index]  # what is no mapping is seen to below
            if type(text := (value := item["value"]).get("stringValue")) is str and len(value) == 1  # type: ignore[index]
            else int(number)
            if type(number := value.get("intValue")) is str and len(value) == 1
            else decode_value(value)
            for item in items
        }
        "".join(found)  # raises where a name is none
    except (KeyError, TypeError, ValueError, AttributeError):
        return {str(i.get("key", "")): decode_value(i.get("value")) for i in items if isinstance(i, dict)}
    return found


def span_to_otlp(span: SpanRecord, limits: Limits = DEFAULT) -> JsonObject:
    """A span as an OTLP/JSON object."""
    encoder, changed = ValueEncoder(limits), list[str]()
    out: JsonObject = {"traceId": span.trace_id, "spanId": span.span_id}
    if span.parent_id:
        out["parentSpanId"] = span.parent_id
    if span.trace_state:
        out["traceState"] = clean_text(span.trace_state)
    if span.flags:
        out["flags"] = span.flags
    out |= {
        "name": clean_text(span.name),
        "kind": span.kind,
        "startTimeUnixNano": clamp_time(span.start_ns),
        "endTimeUnixNano": clamp_time(span.end_ns if span.end_ns is not None else span.start_ns),
        "attributes": encode_attributes(span.attributes, encoder, changed),
    }
    if span.events:
        out["events"] = [
            {
                "timeUnixNano": clamp_time(e.time_ns),
                "name": clean_text(e.name),
                "attributes": encode_attributes(e.attributes, encoder, changed),
            }
            for e in span.events
        ]
    if span.links:
        out["links"] = [
            {
                "traceId": x.trace_id,
                "spanId": x.span_id,
                "attributes": encode_attributes(x.attributes, encoder, changed),
            }
            for x in span.links
        ]
    dropped = (
        ("droppedAttributesCount", span.dropped_attributes),
        ("droppedEventsCount", span.dropped_events),
        ("droppedLinksCount", span.dropped_links),
    )
    out |= {key: count for key, count in dropped if count}
    status: JsonObject = {"code": span.status_code} if span.status_code else {}
    if span.status_message:
        status["message"] = clean_text(span.status_message)
    out["status"] = status
    return out


def span_from_otlp(span: JsonObject, resource: Mapping[str, AttributeValue], scope: JsonObject) -> SpanRecord:
    """An OTLP/JSON span as a record. Raises ValueError where an id or a time is no such thing."""
    return scoped_span(span, resource, str(scope.get("name", "")), str(scope.get("version", "")))


def scoped_span(
    span: JsonObject, resource: Mapping[str, AttributeValue], scope: str, scope_version: str, ended: SpanState = SpanState.ENDED
) -> SpanRecord:
    """The same where the scope is known already. Runs have a hundred thousand: what is rare is looked for only if it is there."""
    get = span.get
    status = get("status")
    parent_id, end_ns = get("parentSpanId"), get("endTimeUnixNano")
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    attributes_dropped = events_dropped = links_dropped = 0
    trace_state = ""
    if not _RARE.isdisjoint(span):
        events, links = _events(span), _links(span)
        attributes_dropped = int(get("droppedAttributesCount") or 0)
        events_dropped = int(get("droppedEventsCount") or 0)
        links_dropped = int(get("droppedLinksCount") or 0)
        trace_state = str(get("traceState", ""))
    return new_span(
        str(span["traceId"]).lower(),
        str(span["spanId"]).lower(),
        str(parent_id).lower() if parent_id else None,
        str(get("name", "")),
        int(get("startTimeUnixNano") or 0),
        (int(end_ns) or None) if end_ns else None,
        int(get("kind") or 0),
        int(status.get("code") or 0) if status else 0,
        str(status.get("message", "")) if status else "",
        decode_attributes(_list(span, "attributes")),
        events,
        links,
        ended,
        attributes_dropped,
        events_dropped,
        links_dropped,
        trace_state,
        scope,
        scope_version,
        resource,
        int(get("flags") or 0),
    )


def _events(span: JsonObject) -> tuple[SpanEvent, ...]:
    return tuple(
        SpanEvent(str(e.get("name", "")), int(e.get("timeUnixNano") or 0), decode_attributes(_list(e, "attributes")))
        for e in _list(span, "events")
    )


def _links(span: JsonObject) -> tuple[SpanLink, ...]:
    return tuple(
        SpanLink(str(x.get("traceId", "")), str(x.get("spanId", "")), decode_attributes(_list(x, "attributes")))
        for x in _list(span, "links")
    )


def spans_from_line(data: object) -> list[SpanRecord]:
    """All spans of one `{"resourceSpans": [...]}` object. Raises ValueError, KeyError or TypeError on anything else."""
    if not isinstance(data, dict) or "resourceSpans" not in data:
        raise ValueError("no resourceSpans")
    spans = []
    for resource_spans in _list(data, "resourceSpans"):
        resource = decode_attributes(_list(resource_spans.get("resource"), "attributes"))
        for scope_spans in _list(resource_spans, "scopeSpans"):
            scope = scope_spans.get("scope") or {}
            spans += [span_from_otlp(s, resource, scope) for s in _list(scope_spans, "spans")]
    return spans
