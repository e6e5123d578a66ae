"""Attributes as OTLP/JSON bytes, secrets removed.

Spans of one run say mostly the same: what was found harmless once is kept encoded, by name and value. The cache is bounded, and
thrown away when the redactor learns of another secret.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import orjson

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model.otlp import ValueEncoder, clean_text
from cabtrace.redact import Redactor

_CACHED_PAIRS: Final = 8_192
_CACHED_CHARS: Final = 128
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


class AttributeEncoder:
    """Encodes mappings of attributes. Not thread-safe in its counters, harmless in its caches."""

    def __init__(self, redactor: Redactor, limits: Limits = DEFAULT) -> None:
        self._redactor = redactor
        self._values = ValueEncoder(limits)
        self._known = redactor.known
        self._texts: dict[tuple[str, str], bytes] = {}
        self._names: dict[str, bytes] = {}

    def encode(self, attributes: Mapping[str, Any] | None, changed: list[str]) -> bytes:
        """A JSON list of KeyValue; the names of values that had to be made safe are appended to `changed`."""
        if not attributes:
            return b"[]"
        if self._redactor.known is not self._known:
            self._known = self._redactor.known
            self._texts.clear()
            self._names.clear()
        plain = attributes.copy() if hasattr(attributes, "copy") else attributes  # the SDK's own mapping is slow to walk
        return b"[" + b",".join([self._pair(key, value, changed) for key, value in plain.items()]) + b"]"

    def _pair(self, key: str, value: Any, changed: list[str]) -> bytes:
        kind = type(value)
        if kind is str:
            return self._texts.get((key, value)) or self._text(key, value, changed)
        if kind is int and _INT64_MIN <= value <= _INT64_MAX:
            return b'{"key":%b,"value":{"intValue":"%d"}}' % (self._names.get(key) or self._name(key), value)
        if kind is bool:
            return b'{"key":%b,"value":{"boolValue":%b}}' % (
                self._names.get(key) or self._name(key),
                b"true" if value else b"false",
            )
        if kind is float and math.isfinite(value):
            return b'{"key":%b,"value":{"doubleValue":%b}}' % (self._names.get(key) or self._name(key), orjson.dumps(value))
        return self._slow(key, value, changed)

    def _text(self, key: str, value: str, changed: list[str]) -> bytes:
        encoded = self._slow(key, value, changed)
        if len(value) <= _CACHED_CHARS and b"[redacted:" not in encoded:  # what was redacted must be counted each time
            if len(self._texts) >= _CACHED_PAIRS:
                self._texts.clear()
            self._texts[(key, value)] = encoded
        return encoded

    def _slow(self, key: str, value: Any, changed: list[str]) -> bytes:
        ((name, clean),) = self._redactor.value({key: value}).items()
        self._values.changed = False
        name = clean_text(str(name))
        encoded = orjson.dumps({"key": name, "value": self._values.encode(clean)})
        if self._values.changed:
            changed.append(name)
        return encoded

    def _name(self, key: str) -> bytes:
        encoded = orjson.dumps(clean_text(self._redactor.text(str(key))))
        if len(self._names) < _CACHED_PAIRS and b"[redacted:" not in encoded:
            self._names[key] = encoded
        return encoded
