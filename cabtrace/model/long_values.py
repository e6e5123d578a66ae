"""Values longer than a backend keeps, split over several attributes, and put together again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cabtrace.model.span import Attributes, AttributeValue

#: in the name of every piece but the first
PART = ".part."
_PART = re.compile(r"(?P<key>.+)\.part\.(?P<number>[0-9]{2,})\Z")


def split_long(attributes: Attributes, max_bytes: int) -> Attributes:
    """Strings over `max_bytes` of UTF-8 become `key`, `key.part.02`, `key.part.03`, …, each within it."""
    if all(not isinstance(v, str) or len(v) * 4 <= max_bytes or len(v.encode("utf-8", "replace")) <= max_bytes
           for v in attributes.values()):  # fmt: skip
        return attributes
    out: dict[str, AttributeValue] = {}
    for key, value in attributes.items():
        if not isinstance(value, str) or len(value.encode("utf-8", "replace")) <= max_bytes:
            out[key] = value
            continue
        for number, part in enumerate(_parts(value, max_bytes), 1):
            out[key if number == 1 else f"{key}{PART}{number:02d}"] = part
    return out


def join_long(attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
    """The inverse of `split_long`."""
    parts: dict[str, list[tuple[int, str]]] = {}
    out: dict[str, AttributeValue] = {}
    for key, value in attributes.items():
        match = _PART.fullmatch(key)
        if match and isinstance(value, str) and isinstance(attributes.get(match["key"]), str):
            parts.setdefault(match["key"], []).append((int(match["number"]), value))
        else:
            out[key] = value
    for key, pieces in parts.items():
        out[key] = str(out[key]) + "".join(text for _, text in sorted(pieces))
    return out


def _parts(text: str, max_bytes: int) -> list[str]:
    data = text.encode("utf-8", "replace")
    parts, start = [], 0
    while start < len(data):
        end = min(start + max_bytes, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # never within a character
            end -= 1
        parts.append(data[start:end].decode())
        start = end
    return parts
