"""Untrusted text made harmless, once, where it is read: no terminal sequence, no forged line, no hidden direction.

A `SafeText` is text that a terminal shows as it is. It is not escaped for Rich or Textual markup: widgets must be given
it as `Text` or `Content`, never as markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Never, Self, SupportsIndex, overload

from cabtrace.limits import DEFAULT

_UNSEEN = "\N{REPLACEMENT CHARACTER}"
# Direction controls, separators, invisible operators, fillers, tags: each can make a text look like another one.
_INVISIBLE = (
    r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164"
    r"\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
_SURROGATES = r"\ud800-\udfff"
# Joiners make emoji and are part of some scripts; next to an ASCII character they only hide.
_JOINERS = r"(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
_HARMFUL = re.compile(rf"[{_CONTROLS}{_INVISIBLE}{_SURROGATES}]|{_JOINERS}")
_SUSPECT = re.compile(rf"[{_CONTROLS}{_INVISIBLE}{_SURROGATES}\u200c\u200d]")
_SUSPECT_IN_LINE = re.compile(rf"[\t\n{_CONTROLS}{_INVISIBLE}{_SURROGATES}\u200c\u200d]")
_LINE_BREAKS = re.compile(r"\r?\n")
_LINE_BREAK = "\N{RETURN SYMBOL}"  # of its kind the one that common terminal fonts have


class SafeText(str):
    """Text that may be shown. Made by `safe` only; joining and slicing safe texts gives safe texts."""

    __slots__ = ()

    def __new__(cls, _: Never, /) -> Self:
        """Not for callers: use `safe`."""
        raise TypeError("SafeText is made by cabtrace.text.safe")

    @overload
    def __add__(self, other: SafeText, /) -> SafeText: ...
    @overload
    def __add__(self, other: str, /) -> str: ...
    def __add__(self, other: str, /) -> str:
        """Safe with safe is safe; safe with anything else is a plain string."""
        joined = str.__add__(self, other)
        return _mark(joined) if isinstance(other, SafeText) else joined

    def __getitem__(self, key: SupportsIndex | slice, /) -> SafeText:
        """A part of a safe text is safe."""
        return _mark(str.__getitem__(self, key))

    def __reduce__(self) -> tuple[Any, ...]:
        """What comes out of a pickle is made safe again."""
        return (_clean, (str(self),))

    def __copy__(self) -> Self:
        """Itself, being immutable."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Itself, being immutable."""
        return self

    def __str__(self) -> str:
        """As a plain string."""
        return "".join(self)


def safe(value: object, *, max_chars: int = DEFAULT.preview_chars, newlines: bool = True) -> SafeText:
    """Anything as text that may be shown.

    Control characters become visible pictures, invisible ones a replacement character. Applying it twice changes nothing.

    Args:
        value: A string, bytes (taken as UTF-8) or anything that `str` takes.
        max_chars: Longer text is cut and says by how many characters; the result is not longer than this.
        newlines: False makes it one line, in which no other can be forged: newlines become visible, tabs blanks.
    """
    text = value if isinstance(value, str) else _text(value)
    if isinstance(text, SafeText) and len(text) <= max_chars and newlines:
        return text
    if len(text) > max_chars:
        text = _cut(text, max_chars)
    return _clean(text) if newlines else _clean_line(text)


def join(separator: SafeText, parts: Iterable[SafeText]) -> SafeText:
    """Safe texts with a safe text between them."""
    return _mark(str.join(separator, parts))


def lines(text: SafeText) -> list[SafeText]:
    """The lines of a safe text, at least one; only a line feed ends a line."""
    return [_mark(line) for line in text.split("\n")]


def _mark(text: str) -> SafeText:
    return str.__new__(SafeText, text)


def _clean(text: str) -> SafeText:
    if text.isascii() and text.isprintable():
        return _mark(text)
    if _SUSPECT.search(text):
        text = _HARMFUL.sub(_visible, text.replace("\r\n", "\n"))
    return _mark(text)


def _clean_line(text: str) -> SafeText:
    if text.isascii() and text.isprintable():
        return _mark(text)
    if _SUSPECT_IN_LINE.search(text):
        flat = _LINE_BREAKS.sub(_LINE_BREAK, text).replace("\t", " ")
        text = _HARMFUL.sub(_visible, flat)
    return _mark(text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else _UNSEEN


def _cut(text: str, max_chars: int) -> str:
    """The beginning of `text` and how much was cut off, in `max_chars` characters all told."""
    kept = max(0, max_chars - len(f"…[+{len(text)} chars]"))
    note = f"…[+{len(text) - kept} chars]"
    return str.__getitem__(text, slice(kept)) + note if kept else "…"[: max(0, max_chars)]


def _text(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "replace")
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python writes
        return f"<{type(value).__name__} too long to show>"
