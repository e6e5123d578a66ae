"""How findings word numbers and quote what was recorded. Unknown is said, never shown as 0."""

from __future__ import annotations

from collections.abc import Sequence

_QUOTE_CHARS = 160


def quote(text: str, most: int = _QUOTE_CHARS) -> str:
    """Recorded text on one line, cut in the middle of a sentence if it must be."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def seconds(span_ns: float) -> str:
    """`12 ms`, `3.1 s`, `4 m 05 s`."""
    if span_ns < 1e9:
        return f"{span_ns / 1e6:.0f} ms"
    if span_ns < 100e9:
        return f"{span_ns / 1e9:.1f} s"
    return f"{int(span_ns // 60e9)} m {int(span_ns % 60e9 // 1e9):02d} s"


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 test`, `3 tests`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def listed(items: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(quote(item, 120) for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most:,} more"


def tail(text: str, lines: int = 12, most: int = 2_000) -> str:
    """The end of some output, blank lines left out."""
    kept = [line.rstrip() for line in text.replace("\r", "\n").split("\n") if line.strip()][-lines:]
    return "\n".join(kept)[-most:]
