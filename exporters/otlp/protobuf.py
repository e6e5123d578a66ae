"""OTLP protobuf, written as bytes: an encoded span can be measured, moved between batches and sent without encoding it again.

Field numbers are those of opentelemetry-proto's common, resource and trace.proto; tests read the bytes with its own classes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cabtrace.limits import Limits
from cabtrace.model.otlp import clean_text
from cabtrace.model.span import SpanRecord
from exporters.otlp.values import SENT, SafeValues

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_CACHED_PAIRS: Final = 16_384
_CACHED_CHARS: Final = 128
_UINT64_MAX: Final = 2**64 - 1
_INT64_MAX: Final = 2**63 - 1
_pack_double = struct.Struct("<Bd").pack
_pack_fixed64 = struct.Struct("<BQ").pack
_SMALL: Final = tuple(bytes([n]) for n in range(128))


def varint(value: int) -> bytes:
    """An unsigned integer; negative ones as 64-bit two's complement."""
    if 0 <= value < 128:
        return _SMALL[value]
    if 0 <= value < 16_384:  # what most lengths are
        return bytes((value & 127 | 128, value >> 7))
    if value < 0:
        value += 1 << 64
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def field_bytes(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | _BYTES) + varint(len(data)) + data


def _string(number: int, text: str) -> bytes:
    return field_bytes(number, text.encode()) if text else b""


def _number(number: int, value: int) -> bytes:
    return varint(number << 3 | _VARINT) + varint(value) if value else b""


class ProtobufCodec:
    """Encodes spans, and puts encoded spans into a request. What OTLP cannot hold is made safe and named."""

    content_type = "application/x-protobuf"

    def __init__(self, limits: Limits = SENT) -> None:
        self._values = SafeValues(limits)
        self._pairs: dict[tuple[str, object, type], bytes] = {}
        self._names: dict[str, bytes] = {}
        self._keys: dict[str, bytes] = {}

    def resource(self, attributes: Mapping[str, Any]) -> bytes:
        """A Resource message."""
        return self._attributes(1, attributes)

    def scope(self, name: str, version: str) -> bytes:
        """An InstrumentationScope message."""
        return _string(1, clean_text(name)) + _string(2, clean_text(version))

    def span(self, span: SpanRecord) -> bytes:
        """A Span message."""
        attributes = self._values.begin(span.attributes)
        end_ns = span.end_ns if span.end_ns is not None else span.start_ns
        parts = [
            field_bytes(1, bytes.fromhex(span.trace_id)),
            field_bytes(2, bytes.fromhex(span.span_id)),
            _string(3, clean_text(span.trace_state)) if span.trace_state else b"",
            field_bytes(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
            self._name(span.name),
            _number(6, span.kind),
            _pack_fixed64(7 << 3 | _FIXED64, _clamped(span.start_ns)),
            _pack_fixed64(8 << 3 | _FIXED64, _clamped(end_ns)),
            self._attributes(9, attributes),
        ]
        if span.events:
            parts += [field_bytes(11, self._event(e.name, e.time_ns, e.attributes)) for e in span.events]
        if span.links:
            parts += [field_bytes(13, self._link(x.trace_id, x.span_id, x.attributes)) for x in span.links]
        if span.dropped_attributes or span.dropped_events or span.dropped_links:
            parts += [_number(10, span.dropped_attributes), _number(12, span.dropped_events), _number(14, span.dropped_links)]
        status = _string(2, clean_text(span.status_message)) + _number(3, span.status_code)
        if status:
            parts.append(field_bytes(15, status))
        if span.flags:
            parts.append(varint(16 << 3 | _FIXED32) + struct.pack("<I", span.flags & 0xFFFFFFFF))
        if self._values.changed:
            parts.append(self._attributes(9, self._values.marker()))
        return b"".join(parts)

    def request(self, groups: Iterable[tuple[bytes, Iterable[tuple[bytes, Iterable[bytes]]]]]) -> bytes:
        """An ExportTraceServiceRequest of (resource, [(scope, [spans])])."""
        out = []
        for resource, scopes in groups:
            inner = [field_bytes(1, resource)]
            for scope, spans in scopes:
                parts = [field_bytes(1, scope)]
                for span in spans:
                    parts += (b"\x12", varint(len(span)), span)
                inner.append(field_bytes(2, b"".join(parts)))
            out.append(field_bytes(1, b"".join(inner)))
        return b"".join(out)

    def read(self, request: bytes) -> SpanRecord:
        """The one span of a request that was encoded here."""
        from cabtrace.otel.receiver.batch import Signal
        from cabtrace.otel.receiver.from_protobuf import read_protobuf

        return read_protobuf(Signal.TRACES, request).spans[0]

    def _event(self, name: str, time_ns: int, attributes: Mapping[str, Any]) -> bytes:
        return (
            _pack_fixed64(1 << 3 | _FIXED64, _clamped(time_ns)) + _string(2, clean_text(name)) + self._attributes(3, attributes)
        )

    def _link(self, trace_id: str, span_id: str, attributes: Mapping[str, Any]) -> bytes:
        return field_bytes(1, bytes.fromhex(trace_id)) + field_bytes(2, bytes.fromhex(span_id)) + self._attributes(4, attributes)

    def _name(self, name: str) -> bytes:
        found = self._names.get(name)
        if found is None:
            found = _string(5, clean_text(name))
            if len(self._names) < _CACHED_PAIRS:
                self._names[name] = found
        return found

    def _attributes(self, number: int, attributes: Mapping[str, Any]) -> bytes:
        if not attributes:
            return b""
        tag = varint(number << 3 | _BYTES)
        out = []
        for key, value in attributes.items():
            kind = type(value)
            pair = self._pairs.get((key, value, kind)) if kind is str or kind is bool else None
            if pair is None:
                pair = self._pair(key, value)
            out.append(tag)
            out.append(pair)
        return b"".join(out)

    def _pair(self, key: str, value: Any) -> bytes:
        """A KeyValue message with its length in front."""
        kind = type(value)
        head = self._keys.get(key)
        if head is not None:  # a known name with a number: no caching of values, no calls
            if kind is int and 0 <= value <= _INT64_MAX:
                number = varint(value)
                body = head + b"\x12" + _SMALL[len(number) + 1] + b"\x18" + number
                return varint(len(body)) + body
            if kind is float:
                body = head + b"\x12\x09" + _pack_double(4 << 3 | _FIXED64, value)
                return varint(len(body)) + body
        before = len(self._values.changed)
        name = clean_text(str(key))
        safe = self._values.safe(name, value)
        body = _string(1, name) + field_bytes(2, _any_value(safe))
        pair = varint(len(body)) + body
        if len(self._keys) < _CACHED_PAIRS:
            self._keys[key] = _string(1, name)
        cacheable = kind is bool or (kind is str and len(value) <= _CACHED_CHARS)
        if cacheable and len(self._values.changed) == before:
            if len(self._pairs) >= _CACHED_PAIRS:
                self._pairs.clear()
            self._pairs[(key, value, kind)] = pair
        return pair


def _clamped(time_ns: int) -> int:
    return min(max(time_ns, 0), _UINT64_MAX)


def _any_value(value: Any) -> bytes:
    """An AnyValue message of a value that was made safe."""
    if isinstance(value, str):
        return field_bytes(1, value.encode())
    if isinstance(value, bool):
        return b"\x10\x01" if value else b"\x10\x00"
    if isinstance(value, int):
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return _pack_double(4 << 3 | _FIXED64, value)
    if isinstance(value, bytes):
        return field_bytes(7, value)
    if isinstance(value, Mapping):
        pairs = [field_bytes(1, _string(1, str(k)) + field_bytes(2, _any_value(v))) for k, v in value.items()]
        return field_bytes(6, b"".join(pairs))
    if value is None:
        return b""
    return field_bytes(5, b"".join([field_bytes(1, _any_value(v)) for v in value]))
