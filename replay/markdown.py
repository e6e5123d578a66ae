"""Markdown as lines of safe text: what headings, lists, quotes, code and emphasis are is told by tones. Links stay words.

Nothing is left out but the signs themselves, and nothing is run: the text may be hostile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cabtrace.text import safe
from replay.document import Line, Piece, Tone, line, words

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.{0,80})")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*)")
_BULLET = re.compile(r"([ \t]{0,12})[-*+][ \t]+(.*)")
_NUMBER = re.compile(r"([ \t]{0,12})(\d{1,9}[.)])[ \t]+(.*)")
_QUOTE = re.compile(r" {0,3}>[ \t]?(.*)")
_RULE = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,40}|(?:-[ \t]*){3,40}|(?:_[ \t]*){3,40})")
# Each part is bounded, so that no text takes long.
_INLINE = re.compile(
    r"(?P<code>`[^`\n]{1,200}`)"
    r"|\*\*(?P<strong>[^*\n]{1,200})\*\*|__(?P<strong2>[^_\n]{1,200})__"
    r"|(?<![\w*])\*(?P<em>[^*\s][^*\n]{0,200})\*(?![\w*])|(?<!\w)_(?P<em2>[^_\s][^_\n]{0,200})_(?!\w)"
    r"|!?\[(?P<label>[^\]\n]{0,200})\]\((?P<target>[^)\s]{1,500})\)"
)
_RULE_CELLS = 24


def markdown_lines(text: str, *, max_chars: int, indent: int = 0) -> Iterator[Line]:
    """Line by line; what is not understood stays as it is. Says so when the text had to be cut."""
    fence = ""
    margin = words(" " * indent)
    for row in safe(text, max_chars=max_chars, newlines=True).expandtabs(4).split("\n"):
        if fence:
            if row.strip().startswith(fence):
                fence = ""
                continue
            yield line(margin, words("│ ", Tone.DIM), _whole(row, Tone.TOOL), indent=indent + 2)
            continue
        if opening := _FENCE.fullmatch(row):
            fence = opening[1]
            if opening[2].strip():
                yield line(margin, words(f"│ {opening[2].strip()}", Tone.DIM), indent=indent + 2)
            continue
        lead, rest, tone = _block(row)
        hang = indent + sum(len(part) for part, _ in lead)
        yield line(margin, *lead, *inline(rest, tone), indent=hang)


def _block(row: str) -> tuple[list[Piece], str, Tone]:
    """What stands before the words of a line, the words, and their tone."""
    if _RULE.fullmatch(row):
        return [words("─" * _RULE_CELLS, Tone.DIM)], "", Tone.TEXT
    if match := _HEADING.fullmatch(row):
        return [], match[1].rstrip().rstrip("#").rstrip(), Tone.HEAD
    if match := _BULLET.fullmatch(row):
        return [words(f"{match[1]}• ", Tone.KEY)], match[2], Tone.TEXT
    if match := _NUMBER.fullmatch(row):
        return [words(f"{match[1]}{match[2]} ", Tone.KEY)], match[3], Tone.TEXT
    if match := _QUOTE.fullmatch(row):
        return [words("▌ ", Tone.DIM)], match[1], Tone.DIM
    return [], row, Tone.TEXT


def inline(text: str, tone: Tone = Tone.TEXT) -> Iterator[Piece]:
    """Emphasis, code and links within a line."""
    at = 0
    for match in _INLINE.finditer(text):
        if match.start() > at:
            yield _whole(text[at : match.start()], tone)
        at = match.end()
        if match["code"]:
            yield words(match["code"][1:-1], Tone.TOOL)
        elif strong := match["strong"] or match["strong2"]:
            yield words(strong, Tone.STRONG)
        elif emphasis := match["em"] or match["em2"]:
            yield words(emphasis, Tone.KEY)
        else:
            yield words(match["label"], Tone.STRONG)
            yield words(f" ({match['target']})", Tone.DIM)
    if at < len(text):
        yield _whole(text[at:], tone)


def _whole(text: str, tone: Tone) -> Piece:
    """However long it is: the text as a whole was cut before."""
    return safe(text, max_chars=len(text), newlines=False), tone
