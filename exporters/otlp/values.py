"""Attribute values that OTLP and every receiver can hold; what had to be altered is named on the span."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model import semconv as sc
from cabtrace.model.otlp import clean_text
from cabtrace.model.span import Attributes

#: what was cut while it was recorded is a little longer than the cap, by the note of it, and must not be cut again
SENT: Final = replace(DEFAULT, attribute_value_bytes=DEFAULT.attribute_value_bytes + 256)
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1


class SafeValues:
    """Makes values safe; `changed` collects the names of those that had to be altered."""

    def __init__(self, limits: Limits = SENT) -> None:
        self._limits = limits
        self.changed: list[str] = []

    def begin(self, attributes: Attributes) -> Attributes:
        """The attributes of a new span. What was noted on it before is taken off and noted again by `marker`."""
        self.changed.clear()
        told = attributes.get(sc.SANITIZED)
        if not isinstance(told, list | tuple):
            return attributes
        self.changed += [str(name) for name in told]
        return {key: value for key, value in attributes.items() if key != sc.SANITIZED}

    def marker(self) -> Mapping[str, Any]:
        """The attribute that names what was altered."""
        return {sc.SANITIZED: sorted(set(self.changed))}

    def safe(self, name: str, value: Any, depth: int = 0) -> Any:
        """The value itself where it is harmless."""
        if isinstance(value, str):
            return self._text(name, value)
        if isinstance(value, bool | float) or value is None:
            return value
        if isinstance(value, int):
            if _INT64_MIN <= value <= _INT64_MAX:
                return value
            self.changed.append(name)
            return str(value) if value.bit_length() < 10_000 else f"integer of {value.bit_length()} bits"
        if isinstance(value, bytes):
            if len(value) > self._limits.attribute_value_bytes:
                self.changed.append(name)
            return value[: self._limits.attribute_value_bytes]
        if depth >= self._limits.attribute_depth:
            self.changed.append(name)
            return self._text(name, _as_text(value))
        if isinstance(value, Mapping):
            return {clean_text(str(k)): self.safe(name, v, depth + 1) for k, v in value.items()}
        return [self.safe(name, v, depth + 1) for v in value]

    def _text(self, name: str, text: str) -> str:
        cap = self._limits.attribute_value_bytes
        if len(text) > cap // 4 and len(text.encode("utf-8", "replace")) > cap:
            self.changed.append(name)
            kept = text.encode("utf-8", "replace")[:cap].decode("utf-8", "ignore")
            return f"{clean_text(kept)}…[+{len(text) - len(kept)} characters cut]"
        if text.isascii():
            return text
        cleaned = clean_text(text)
        if cleaned is not text:
            self.changed.append(name)
        return cleaned


def _as_text(value: object) -> str:
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError, RecursionError):
        return str(type(value).__name__)
