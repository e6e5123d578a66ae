"""Reading JSON of unknown make: each function takes anything and answers with what it asked for, or with nothing."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_MAX_COUNT = 2**63


def load(data: bytes | str) -> Any:
    """The parsed document, or None where it is none (torn, too deep, not JSON)."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def mapping(value: object) -> dict[str, Any]:
    """An object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """An array, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str | None:
    """A string that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def flag(value: object) -> bool | None:
    """A boolean, else None."""
    return value if isinstance(value, bool) else None


def index(value: object) -> int | None:
    """A small non-negative integer, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 4096 else None


def count(value: object) -> int | None:
    """A number of tokens, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not 0 <= value < _MAX_COUNT or value != int(value):
        return None
    return int(value)


def total(*values: int | None) -> int | None:
    """The sum of the known ones; None while the first is unknown."""
    return None if values[0] is None else sum(value or 0 for value in values)


def arguments(value: object) -> Any:
    """A tool call's arguments: parsed where they are JSON text, as they are otherwise."""
    if not isinstance(value, str):
        return value
    parsed = load(value)
    return value if parsed is None else parsed


def dump(value: object) -> str:
    """JSON text of a parsed value."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        return ""


def request_hash(body: bytes) -> str:
    """SHA-256 (hex) over the body's canonical JSON: sorted keys, no whitespace, UTF-8. Of the raw bytes if not JSON."""
    try:
        document = json.loads(body)
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
