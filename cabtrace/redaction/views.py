"""Two readings of terminal text: without escape sequences, and also without the wraps that a program made."""

from __future__ import annotations

import re
from functools import cache

from cabtrace.redaction.spans import View

_PADDING = " \t│┃|"  # what a boxed panel puts before and after the part of a line
_MOVES = "ABEFGHdf"  # final bytes of control sequences that go to another line or column

# Complete sequences first, then one that the end of the text cuts. Every repeat is bounded: no input makes this slow.
_ESCAPE = (
    r"\x1b\[[0-?]{0,128}[ -/]{0,8}[@-~]"
    r"|\x1b\][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[PX^_][^\x1b\x9c]{0,4096}(?:\x1b\\|\x9c)"
    r"|\x1b[ -/]{1,4}[0-~]|\x1b[0-OQ-WYZ\\`-~]"
    r"|\x9b[0-?]{0,128}[ -/]{0,8}[@-~]"
    r"|(?:\x1b\[|\x9b)[0-?]{0,128}[ -/]{0,8}\Z"
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]{0,4096}\x1b?\Z"
    r"|\x1b[ -/]{0,4}\Z"
)
_SQUEEZED_OUT = bytes(c for c in range(128) if c != 0x1B and (c <= 0x20 or c == 0x7F or c == ord("|")))
_CONTROL = r"[\x00-\x08\x0a-\x1a\x1c-\x1f\x7f]+"


@cache
def _escapes() -> re.Pattern[str]:
    return re.compile(_ESCAPE)


@cache
def _controls() -> re.Pattern[str]:
    return re.compile(r"[\x00-\x08\x0e-\x1a\x7f]")


@cache
def _ignored() -> re.Pattern[str]:
    return re.compile(f"{_ESCAPE}|{_CONTROL}")


@cache
def _ignored_tight() -> re.Pattern[str]:
    return re.compile(f"{_ESCAPE}|{_CONTROL}|[{_PADDING}]+")


def has_escapes(text: str) -> bool:
    """Whether `text` holds an escape or control sequence introducer."""
    return "\x1b" in text or "\x9b" in text


def has_controls(text: str) -> bool:
    """Whether `text` holds control characters, other than of escape sequences and line ends."""
    return _controls().search(text) is not None


def without_escapes(text: str) -> View:
    """`text` without its escape sequences."""
    starts, origins, pieces, length, last = [], [], [], 0, 0
    for match in _escapes().finditer(text):
        if match.start() > last:
            starts.append(length)
            origins.append(last)
            pieces.append(text[last : match.start()])
            length += match.start() - last
        last = match.end()
    starts.append(length)
    origins.append(last)
    pieces.append(text[last:])
    return View("".join(pieces), tuple(starts), tuple(origins))


def unwrapped(text: str, *, tight: bool) -> View:
    """`text` without escape sequences, control characters, line ends and the padding around them; if `tight`, all padding."""
    pieces: list[tuple[int, str]] = []
    last = 0
    after_wrap = False

    def keep(start: int, end: int) -> None:
        nonlocal after_wrap
        piece = text[start:end]
        if after_wrap:
            piece = piece.lstrip(_PADDING)
            after_wrap = not piece
        if piece:
            pieces.append((end - len(piece), piece))

    for match in (_ignored_tight() if tight else _ignored()).finditer(text):
        keep(last, match.start())
        last = match.end()
        if _breaks_line(match[0]):
            after_wrap = True
            _trim(pieces)
    keep(last, len(text))
    return _view(pieces)


def unpadded(text: str) -> str:
    """`text` without the padding at its end, which a line wrap may follow."""
    return text.rstrip(_PADDING)


def squeezed(text: str) -> str:
    """`text` without any blank, box line or control character: a quick way to see that it holds no wrapped secret."""
    if text.isascii():
        return text.encode().translate(None, _SQUEEZED_OUT).decode()
    tight = "".join(text.split()).replace("│", "").replace("┃", "").replace("|", "")
    return _controls().sub("", tight) if has_controls(tight) else tight


def _breaks_line(ignored: str) -> bool:
    if ignored[0] in "\x1b\x9b":
        return ignored[-1] in _MOVES and ignored[1:2] not in "]PX^_"
    return "\n" in ignored or "\r" in ignored


def _trim(pieces: list[tuple[int, str]]) -> None:
    while pieces:
        origin, piece = pieces.pop()
        if piece := piece.rstrip(_PADDING):
            pieces.append((origin, piece))
            return


def _view(pieces: list[tuple[int, str]]) -> View:
    starts, length = [], 0
    for _, piece in pieces:
        starts.append(length)
        length += len(piece)
    return View("".join(p for _, p in pieces), tuple(starts) or (0,), tuple(o for o, _ in pieces) or (0,))
