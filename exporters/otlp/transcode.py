"""Recorded OTLP/JSON straight to protobuf, content taken out on the way: what most spans are, at a third of the cost.

Whatever is not plain here raises, and takes the long way through records instead; both ways give the same bytes' meaning.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from exporters.otlp.content import WITHHELD, ContentFilter
from exporters.otlp.protobuf import field_bytes, varint

_FIXED: Final = struct.Struct("<BQBQ").pack
_TIME: Final = struct.Struct("<BQ").pack
_DOUBLE: Final = struct.Struct("<BBBd").pack
_FLAGS: Final = struct.Struct("<BBI").pack
_SMALL: Final = tuple(bytes([n]) for n in range(128))
_CACHED_PAIRS: Final = 16_384
_CACHED_CHARS: Final = 128
_PLAIN_CHARS: Final = 64 * 1024
_INT64_MAX: Final = 2**63 - 1
_RARE: Final = frozenset({"traceState", "droppedAttributesCount", "droppedEventsCount", "droppedLinksCount"})
_TRUE, _FALSE = b"\x12\x02\x10\x01", b"\x12\x02\x10\x00"


def _id(text: str, size: int) -> bytes:
    data = bytes.fromhex(text)
    if len(data) != size:
        raise NotPlain
    return data


class NotPlain(Exception):
    """This span needs the long way."""


class Transcoder:
    """Turns span objects of one run into Span messages."""

    def __init__(self, content: ContentFilter) -> None:
        self._content = content
        self._texts: dict[tuple[str, str], bytes] = {}
        self._keys: dict[str, bytes] = {}
        self._names: dict[str, bytes] = {}

    def span(self, span: dict[str, Any]) -> bytes:
        """A Span message. Raises NotPlain, or what a span of another shape makes it raise."""
        start_ns, end_ns = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        if not end_ns or not _RARE.isdisjoint(span):
            raise NotPlain
        parts = [b"\x0a\x10" + _id(span["traceId"], 16) + b"\x12\x08" + _id(span["spanId"], 8)]
        parent = span.get("parentSpanId")
        if parent:
            parts.append(b"\x22\x08" + _id(parent, 8))
        parts.append(self._name(span["name"]))
        kind = span["kind"]
        if kind:
            parts.append(b"\x30" + _SMALL[kind])
        parts.append(_FIXED(0x39, start_ns, 0x41, end_ns))
        parts.append(self._attributes(b"\x4a", span["attributes"]))
        for event in span.get("events") or ():
            name, attributes = event["name"], self._attributes(b"\x1a", event["attributes"])
            parts.append(field_bytes(11, _TIME(9, int(event["timeUnixNano"])) + field_bytes(2, name.encode()) + attributes))
        for link in span.get("links") or ():
            ids = b"\x0a\x10" + _id(link["traceId"], 16) + b"\x12\x08" + _id(link["spanId"], 8)
            parts.append(field_bytes(13, ids + self._attributes(b"\x22", link["attributes"])))
        status = span["status"]
        if status:
            message = self._content.text(status.get("message", "")).encode()
            body = field_bytes(2, message) if message else b""
            if status.get("code"):
                body += b"\x18" + _SMALL[status["code"]]
            if body:
                parts.append(field_bytes(15, body))
        flags = span.get("flags")
        if flags:
            parts.append(_FLAGS(0x85, 0x01, flags))
        return b"".join(parts)

    def _name(self, name: str) -> bytes:
        found = self._names.get(name)
        if found is None:
            shown = self._content.text(name)
            found = field_bytes(5, shown.encode()) if shown else b""
            if len(self._names) < _CACHED_PAIRS:
                self._names[name] = found
        return found

    def _attributes(self, tag: bytes, items: list[Any]) -> bytes:
        out: list[bytes] = []
        withheld = 0
        decided, texts, keys = self._content.decided, self._texts, self._keys  # looked up once: this loop is what an export costs
        for item in items:
            key, value = item["key"], item["value"]
            told = decided.get(key)
            if told or (told is None and self._content.is_content(key)):
                withheld += 1
                continue
            if len(value) != 1:
                raise NotPlain
            ((kind, inner),) = value.items()
            if kind == "stringValue":
                pair = texts.get((key, inner)) or self._text(key, inner)
            else:
                head = keys.get(key) or self._key(key)
                if kind == "intValue":
                    number = int(inner)
                    if not 0 <= number <= _INT64_MAX:
                        raise NotPlain
                    encoded = varint(number)
                    body = head + b"\x12" + _SMALL[len(encoded) + 1] + b"\x18" + encoded
                elif kind == "boolValue":
                    body = head + (_TRUE if inner else _FALSE)
                elif kind == "doubleValue" and type(inner) is float:
                    body = head + _DOUBLE(0x12, 9, 0x21, inner)
                elif kind == "arrayValue":
                    body = head + self._strings(key, inner["values"])
                else:
                    raise NotPlain
                pair = varint(len(body)) + body
            out += (tag, pair)
        if withheld:
            body = self._key(WITHHELD) + b"\x12" + _SMALL[len(varint(withheld)) + 1] + b"\x18" + varint(withheld)
            out += (tag, varint(len(body)) + body)
        return b"".join(out)

    def _text(self, key: str, text: str) -> bytes:
        if len(text) > _PLAIN_CHARS or self._content.told_in(text):
            raise NotPlain
        data = text.encode()
        body = (self._keys.get(key) or self._key(key)) + field_bytes(2, field_bytes(1, data))
        pair = varint(len(body)) + body
        if len(text) <= _CACHED_CHARS:
            if len(self._texts) >= _CACHED_PAIRS:
                self._texts.clear()
            self._texts[(key, text)] = pair
        return pair

    def _strings(self, key: str, values: list[Any]) -> bytes:
        out = []
        for value in values:
            text = value["stringValue"]
            if len(value) != 1 or self._content.is_long_argument(key, text) or self._content.told_in(text):
                raise NotPlain
            out.append(field_bytes(1, field_bytes(1, text.encode())))
        return field_bytes(2, field_bytes(5, b"".join(out)))

    def _key(self, key: str) -> bytes:
        found = field_bytes(1, key.encode()) if key else b""
        if len(self._keys) < _CACHED_PAIRS:
            self._keys[key] = found
        return found
