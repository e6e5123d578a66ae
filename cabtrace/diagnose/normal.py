"""Texts of two runs made comparable: what differs from run to run by its nature is replaced by what it is.

Ids, ports, dates, durations, addresses and temporary names. Nothing else: two commands that differ stay different.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

_RULES: Final = (
    (re.compile(r"\bcbt-[0-9a-f]{48}\b|\[redacted:run_token\]"), "<token>"),
    (re.compile(r"(?<![0-9a-fA-F-])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9a-fA-F])"), "<uuid>"),
    # a run's folder as agents write it into the names of their own, where no slash may be
    (re.compile(r"(?<![\w.-])[\w.-]{0,300}?[0-9a-f]{32}(?=-box-)"), "<scratch>"),
    (re.compile(r"(?<!\d)1[5-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?!\d)"), "<time>"),  # seconds to nanoseconds since 1970
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?\b"), "<time>"),
    (
        re.compile(
            r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?"
            r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.? +\d{1,2}"
            r"(?:,? +\d\d:\d\d(?::\d\d)?)?(?: +[A-Z]{3,4})?(?:,? +\d{4})?\b"
        ),
        "<time>",
    ),
    (re.compile(r"\b\d{1,2}/\d{1,2}/\d{4}\b"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b"), "<time>"),
    (re.compile(r"\b(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1\]|host\.docker\.internal):\d{2,5}\b"), r"\1:<port>"),
    (re.compile(r"\b0x[0-9a-fA-F]{6,16}\b"), "<address>"),
    (
        re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-\d+)? ?(?:ns|µs|us|ms|s|sec|secs|seconds?|milliseconds?|min|minutes?)\b"),
        "<duration>",
    ),
    (re.compile(r"\bduration_ms:? \d+(?:\.\d+)?"), "duration_ms <duration>"),
    # Codex counts what a tool printed before it knows what of it is the name of this run's folder
    (re.compile(r"\bOriginal token count: \d+"), "Original token count: <count>"),
    (re.compile(r"(?<=/)(?:tmp\.?[A-Za-z0-9_]{6,12}|pytest-\d+|pytest-of-\w+)(?=$|[/\s\"':;,)\]}<>\\])"), "<temporary>"),
    (re.compile(r"\b(p?pg?id|tid|process)([ =:]+)\d+\b", re.IGNORECASE), r"\1\2<pid>"),
    (
        re.compile(r"\b((?:chunk|session|request|thread|turn)[ _]id)([\"' =:]+)[0-9a-zA-Z][0-9a-zA-Z_-]{3,}", re.IGNORECASE),
        r"\1\2<id>",
    ),
    (re.compile(r"(?<![\w-])(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{12}(?![\w-])|\b(?:[a-z]+_)?[0-9a-fA-F]{16,}\b"), "<hex>"),
)
_NAMES: Final = re.compile(r"[0-9a-fA-F]{8,}|\d+|(?<=[/ ])tmp\S+")
_WORTH_A_LOOK: Final = re.compile(r"\d|tmp|redacted")
_MOST_LEVELS: Final = 64


def normal_text(text: str) -> str:
    """`text` with everything replaced that differs from run to run; the same object where there is nothing."""
    if not _WORTH_A_LOOK.search(text):
        return text
    for pattern, words in _RULES:
        text = pattern.sub(words, text)
    return text


def normal_value(value: Any, level: int = 0) -> Any:
    """The same for every string of a JSON-like value."""
    if isinstance(value, str):
        return normal_text(value)
    if level > _MOST_LEVELS:
        return "<deep>"
    if isinstance(value, Mapping):
        return {str(key): normal_value(item, level + 1) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [normal_value(item, level + 1) for item in value]
    return value


def normal_key(value: Any) -> str:
    """SHA-256 (hex) over the canonical form of a normalised value: equal for what means the same in two runs."""
    try:
        data = orjson.dumps(normal_value(value), option=orjson.OPT_SORT_KEYS, default=str)
    except (TypeError, ValueError):
        data = repr(normal_value(value)).encode("utf-8", "replace")
    return hashlib.sha256(data).hexdigest()


def normal_name(name: str) -> str:
    """A span's name without the ids and numbers in it."""
    return _NAMES.sub("#", name)
