"""Attributes of OTLP/JSON as protobuf fields, content taken out: what is plain, with the encoded names kept."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

from exporters.otlp.content import WITHHELD, ContentFilter
from exporters.otlp.protobuf import field_bytes, varint

_DOUBLE: Final = struct.Struct("<BBBd").pack
_SMALL: Final = tuple(bytes([n]) for n in range(128))
_INT64_MAX: Final = 2**63 - 1
_CACHED_KEYS: Final = 8_192
_PLAIN_CHARS: Final = 64 * 1024
_TRUE, _FALSE = b"\x12\x02\x10\x01", b"\x12\x02\x10\x00"


class NotPlain(Exception):
    """This needs the long way."""


class Pairs:
    """Encodes `{"key": …, "value": {…}}` objects. Raises NotPlain, or what an object of another shape makes it raise."""

    def __init__(self, content: ContentFilter) -> None:
        self._content = content
        self._keys: dict[str, bytes] = {}
        self._numbered: dict[bytes, bytes] = {}  # span attributes that hold a number: the encoded name

    def fields(self, tag: bytes, items: Sequence[Mapping[str, Any]]) -> bytes:
        """All of them, and how many were withheld."""
        fields = [self.field(tag, item) for item in items]
        withheld = fields.count(b"")
        if withheld:
            fields.append(self.field(tag, {"key": WITHHELD, "value": {"intValue": withheld}}))
        return b"".join(fields)

    def field(self, tag: bytes, item: Mapping[str, Any]) -> bytes:
        """A KeyValue with its tag and length; b"" where it is withheld."""
        key = item["key"]
        if self._content.is_content(key):
            return b""
        ((kind, inner),) = item["value"].items()
        head = self._keys.get(key)
        if head is None:
            head = self._key(key)
        if kind == "stringValue":
            if len(inner) > _PLAIN_CHARS or self._content.told_in(inner):
                raise NotPlain
            body = head + field_bytes(2, field_bytes(1, inner.encode()))
        elif kind == "intValue":
            body = head + _int(int(inner))
        elif kind == "boolValue":
            body = head + (_TRUE if inner else _FALSE)
        elif kind == "doubleValue" and type(inner) is float:
            body = head + _DOUBLE(0x12, 9, 0x21, inner)
        elif kind == "arrayValue":
            body = head + self._strings(key, inner["values"])
        else:
            raise NotPlain
        return tag + varint(len(body)) + body

    def number(self, key: bytes, value: bytes) -> bytes:
        """A span's number, from its name and value as they stand in JSON; b"" where that is not so simple."""
        head = self._numbered.get(key)
        if head is None:
            if b"\\" in key or b'"' in key or self._content.is_content(key.decode()):
                return b""
            head = self._key(key.decode())
            if len(self._numbered) < _CACHED_KEYS:
                self._numbered[key] = head
        if value.startswith(b"i"):
            digits = value[11:-2]  # intValue":"…"}
            if not digits.isdigit():
                return b""
            body = head + _int(int(digits))
        else:
            digits = value[13:-1]  # doubleValue":…}
            if digits.startswith(b'"') or digits.isdigit():  # NaN and infinity are text, and 1 is no double here
                return b""
            body = head + _DOUBLE(0x12, 9, 0x21, float(digits))
        return b"\x4a" + varint(len(body)) + body

    def _strings(self, key: str, values: Sequence[Mapping[str, Any]]) -> bytes:
        out = []
        for value in values:
            text = value["stringValue"]
            if len(value) != 1 or self._content.is_long_argument(key, text) or self._content.told_in(text):
                raise NotPlain
            out.append(field_bytes(1, field_bytes(1, text.encode())))
        return field_bytes(2, field_bytes(5, b"".join(out)))

    def _key(self, key: str) -> bytes:
        found = field_bytes(1, key.encode()) if key else b""
        if len(self._keys) < _CACHED_KEYS:
            self._keys[key] = found
        return found


def _int(number: int) -> bytes:
    if not 0 <= number <= _INT64_MAX:
        raise NotPlain
    encoded = varint(number)
    return b"\x12" + _SMALL[len(encoded) + 1] + b"\x18" + encoded
