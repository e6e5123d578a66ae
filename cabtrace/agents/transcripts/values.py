"""Untrusted JSON looked into without surprises: the wanted type, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

_EMPTY: Mapping[str, Any] = {}
_MOST_TOKENS = 10**12
_YEAR_2200_NS = 7_258_118_400 * 10**9


def mapping(value: object) -> Mapping[str, Any]:
    """An object, or an empty one."""
    return value if isinstance(value, dict) else _EMPTY


def items(value: object) -> list[Any]:
    """A list, or an empty one."""
    return value if isinstance(value, list) else []


def text(value: object) -> str:
    """A string, or ""."""
    return value if isinstance(value, str) else ""


def integer(value: object) -> int | None:
    """A whole number, booleans not counted as such."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def tokens(value: object) -> int | None:
    """A plausible token count."""
    count = integer(value)
    return count if count is not None and 0 <= count <= _MOST_TOKENS else None


def as_text(value: object) -> str:
    """Arguments or a result as text: JSON where they are structured."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return orjson.dumps(value, default=str).decode()
    except (TypeError, ValueError):
        return str(value)


def joined(content: object) -> str:
    """The text of message content: a string, or a list of parts with `text`."""
    if isinstance(content, list):
        parts = [part if isinstance(part, str) else text(mapping(part).get("text")) for part in content]
        return "\n".join(part for part in parts if part)
    return as_text(content)


def iso_ns(value: object) -> int | None:
    """Unix nanoseconds of an ISO 8601 time; one without a zone is UTC."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        seconds = int(moment.replace(microsecond=0).timestamp())
    except (OverflowError, ValueError):
        return None
    return _plausible(seconds * 10**9 + moment.microsecond * 1000)


def seconds_ns(value: object) -> int | None:
    """Unix nanoseconds of a time in seconds, as a number."""
    return _scaled(value, 10**9)


def ms_ns(value: object) -> int | None:
    """Unix nanoseconds of a time in milliseconds, as a number."""
    return _scaled(value, 10**6)


def _scaled(value: object, factor: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _YEAR_2200_NS:
        return None
    return _plausible(value * factor if isinstance(value, int) else round(value * 10**6) * (factor // 10**6))


def _plausible(value_ns: int) -> int | None:
    return value_ns if 0 < value_ns < _YEAR_2200_NS else None
