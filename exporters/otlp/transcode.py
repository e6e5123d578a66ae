"""Recorded OTLP/JSON lines straight to protobuf, content taken out on the way: what most spans are, at a fraction of the cost.

A line is not parsed but cut where its structure is: `{"key":"` and the like cannot stand inside a JSON string, whose quotes are
escaped, and that the line is JSON is known by then. An attribute that was seen before is found by its bytes. Whatever is not
as our own writer writes it, or not plain, raises, and takes the long way through records; both ways mean the same.
"""

from __future__ import annotations

import re
import struct
from binascii import unhexlify
from typing import Any, Final

import orjson

from exporters.otlp.content import WITHHELD, ContentFilter
from exporters.otlp.pairs import NotPlain, Pairs
from exporters.otlp.protobuf import field_bytes

_FIRST: Final = b'"spans":[{"traceId":"'
_HEAD: Final = re.compile(
    rb'([0-9a-f]{32})","spanId":"([0-9a-f]{16})"(?:,"parentSpanId":"([0-9a-f]{16})")?(?:,"flags":([0-9]{1,9}))?'
    rb',"name":"([^"\\]*)","kind":([0-5]),"startTimeUnixNano":"([0-9]{1,19})","endTimeUnixNano":"([1-9][0-9]{0,18})"'
    rb',"attributes":\['
)
_AFTER: Final = re.compile(rb'\],"[a-zA-Z]+":')  # the key that follows the span's attributes
_PLAIN_END: Final = b',"status":{}}'
_CLOSING: Final = b"]}]}]}\n"
_NEXT: Final = b'},{"key":"'
_NUMBERS: Final = (b'intValue":"', b'doubleValue":')
_OTHER: Final = frozenset({"events", "links", "status"})
_FIXED: Final = struct.Struct("<BQBQ").pack
_TIME: Final = struct.Struct("<BQ").pack
_FLAGS: Final = struct.Struct("<BBI").pack
_SMALL: Final = tuple(bytes([n]) for n in range(128))
_CACHED: Final = 16_384
_CACHED_BYTES: Final = 256

Around = tuple[bytes, dict[str, Any], dict[str, Any]]  # bytes, and the JSON of the resource and the scope about them


class Transcoder:
    """Turns lines of one run, each with one span, into Span messages."""

    def __init__(self, content: ContentFilter) -> None:
        self._content = content
        self._pairs = Pairs(content)
        self._known: dict[bytes, bytes] = {}
        self._names: dict[bytes, bytes] = {}
        self._around: Around = (b"\n", {}, {})

    def line(self, line: bytes) -> Around:
        """A Span message, and the resource and scope around it, the same objects for as long as they are the same.

        Raises NotPlain or ValueError for a line that needs the long way. The line must be JSON.
        """
        before, resource, scope = self._around
        if not line.startswith(before):
            before, resource, scope = self._around = _around(line)
        head = _HEAD.match(line, len(before))
        if head is None or not line.endswith(_CLOSING):
            raise NotPlain
        trace_id, span_id, parent_id, flags, name, kind, start_ns, end_ns = head.groups()
        at = head.end()
        after = _AFTER.search(line, at)
        if after is None:
            raise NotPlain
        end = after.start()
        rest = line[end + 1 : -len(_CLOSING)]
        parts = [b"\x0a\x10", unhexlify(trace_id), b"\x12\x08", unhexlify(span_id)]
        if parent_id is not None:
            parts += (b"\x22\x08", unhexlify(parent_id))
        parts.append(self._names.get(name) or self._name(name))
        if kind != b"0":
            parts.append(b"\x30" + _SMALL[int(kind)])
        parts.append(_FIXED(0x39, int(start_ns), 0x41, int(end_ns)))
        if end > at:
            parts += self._attributes(line[at:end])
        if rest != _PLAIN_END:
            parts += self._others(orjson.loads(b"{" + rest[1:]))
        if flags is not None:
            parts.append(_FLAGS(0x85, 0x01, int(flags)))
        return b"".join(parts), resource, scope

    def _attributes(self, text: bytes) -> list[bytes]:
        """Fields of the span's attributes, from what stands between the brackets.

        A map holds keys of its own, so its parts are no JSON: they are never known, and raise.
        """
        chunks = text[8:-1].split(_NEXT)  # from the first key's first letter to the last value's end
        found = list(map(self._known.get, chunks))
        fields = [self._learn(chunk) if field is None else field for chunk, field in zip(chunks, found, strict=True)]
        if b"" in fields:
            fields.append(self._pairs.field(b"\x4a", {"key": WITHHELD, "value": {"intValue": fields.count(b"")}}))
        return fields

    def _learn(self, chunk: bytes) -> bytes:
        """The field of an attribute that was not seen before; b"" where it is withheld."""
        key, _, value = chunk.partition(b'","value":{"')
        if value.startswith(_NUMBERS) and (field := self._pairs.number(key, value)):
            return field  # numbers are seldom the same again
        field = self._pairs.field(b"\x4a", orjson.loads(b'{"key":"' + chunk + b"}"))
        if len(chunk) <= _CACHED_BYTES:
            if len(self._known) >= _CACHED:
                self._known.clear()
            self._known[chunk] = field
        return field

    def _name(self, name: bytes) -> bytes:
        found = field_bytes(5, self._content.text(name.decode()).encode()) if name else b""
        if len(self._names) < _CACHED:
            self._names[name] = found
        return found

    def _others(self, span: dict[str, Any]) -> list[bytes]:
        """Events, links and status."""
        if not _OTHER.issuperset(span):
            raise NotPlain
        parts = []
        for event in span.get("events") or ():
            name = event["name"].encode()
            attributes = self._pairs.fields(b"\x1a", event["attributes"])
            parts.append(field_bytes(11, _TIME(9, int(event["timeUnixNano"])) + field_bytes(2, name) + attributes))
        for link in span.get("links") or ():
            ids = field_bytes(1, _id(link["traceId"], 16)) + field_bytes(2, _id(link["spanId"], 8))
            parts.append(field_bytes(13, ids + self._pairs.fields(b"\x22", link["attributes"])))
        status = span["status"]
        message = self._content.text(status.get("message", "")).encode()
        body = field_bytes(2, message) if message else b""
        if status.get("code"):
            body += b"\x18" + _SMALL[status["code"]]
        if body:
            parts.append(field_bytes(15, body))
        return parts


def _around(line: bytes) -> Around:
    """What stands before the first span's trace id, parsed."""
    before, first, _ = line.partition(_FIRST)
    if not first:
        raise NotPlain
    value = orjson.loads(before + b'"spans":[]}]}]}')
    (resource_spans,) = value["resourceSpans"]
    (scope_spans,) = resource_spans["scopeSpans"]
    return before + first, resource_spans.get("resource") or {}, scope_spans.get("scope") or {}


def _id(text: str, size: int) -> bytes:
    data = bytes.fromhex(text)
    if len(data) != size:
        raise NotPlain
    return data
