"""Untrusted text inside Markdown: nothing in it can end its block, start markup, mention anyone, or hide."""

from __future__ import annotations

import re

from cabtrace.text import safe

_BACKTICKS = re.compile(r"`+")


def fenced(value: object, *, language: str = "", max_chars: int = 4_000) -> str:
    """A code block whose fence is longer than any run of backticks in it; what is too long loses its middle, and says so."""
    text = safe(_middle_cut(value if isinstance(value, str) else str(value), max_chars), max_chars=max_chars + 200).rstrip("\n")
    longest = max((len(m[0]) for m in _BACKTICKS.finditer(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}\n"


def code(value: object, *, max_chars: int = 200) -> str:
    """A code span of one line; `|` cannot end a table's cell."""
    text = safe(value, max_chars=max_chars, newlines=False).strip()
    if not text:
        return "–"
    longest = max((len(m[0]) for m in _BACKTICKS.finditer(text)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{ticks}{pad}{text}{pad}{ticks}".replace("|", "\N{FULLWIDTH VERTICAL LINE}")


def _middle_cut(text: str, max_chars: int) -> str:
    if len(text) <= max_chars:
        return text
    head, tail = max_chars * 2 // 3, max_chars // 3
    return f"{text[:head]}\n… [{len(text) - head - tail} characters left out] …\n{text[-tail:]}"
