"""A row of the span tree in words: sign, name, how it ended, how much it hides, and what else has room. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import cell_len

from cabtrace.text import SafeText, safe
from replay import display
from replay.document import Piece, Tone, fit, pad, words
from replay.timeline import Row, Timeline

DURATION_WIDTH = 8
_LEAST_EXTRA = 6  # cells; less than that says nothing
_MOST_WISH = 4  # of five rows have the room that they wish for, where not all can


@dataclass(frozen=True, slots=True)
class RowWords:
    """The parts of a row's label, without what is before them. `extra` is what goes first where there is no room."""

    sign: Piece
    kind: Piece
    name: Piece
    end: Piece
    hidden: Piece
    extra: SafeText

    def wish(self, extra: int) -> int:
        """Cells that it would like to have, at most so many of them for the extra words."""
        fixed = sum(cell_len(text) for text, _ in (self.sign, self.kind, self.name, self.end, self.hidden))
        return fixed + (min(cell_len(self.extra), extra) + 1 if self.extra else 0)

    def pieces(self, margin: str, width: int) -> list[Piece]:
        """In at most so many cells."""
        fixed = cell_len(margin) + sum(cell_len(text) for text, _ in (self.sign, self.kind, self.end, self.hidden))
        name = fit(self.name[0], width - fixed)
        left = width - fixed - cell_len(name) - 1
        extra = f" {fit(self.extra, left)}" if self.extra and left > _LEAST_EXTRA else ""
        shown = words(margin, Tone.DIM), self.sign, self.kind, (name, self.name[1]), self.end, self.hidden
        return [*shown, words(extra, Tone.DIM)]


def row_words(timeline: Timeline, row: Row, *, closed: bool, flat: bool, position_ns: int, model: str) -> RowWords:
    """`closed`: what is below is not shown; `flat`: nor is that of any row. `model` goes without saying."""
    span = row.span
    own = display.sign(span)
    can_open = row.has_children and not flat
    sign = words("▸ " if closed else "▾ ", Tone.DIM) if can_open else words(f"{own} ", display.tone(span))
    inside = timeline.inside(row.index) if can_open and closed else (0, 0)
    if row.group:
        tone = Tone.DIM
    else:
        active = timeline.is_active(row.index, position_ns)
        tone = Tone.DIM if row.start_ns > position_ns else Tone.STRONG if active else Tone.TEXT
    return RowWords(
        sign=sign,
        kind=words(f"{own} " if can_open and own != "·" and not row.group else "", display.tone(span)),
        name=(name_of(timeline, row, model=model), tone),
        end=words(" ✗" if span.failed and not row.group else " ⊘" if row.mark else "", Tone.BAD),
        hidden=words(f" +{inside[0]:,}" if inside[0] and not row.group else "", Tone.DIM),
        extra=safe(_extra(row, inside[1]), max_chars=400, newlines=False),
    )


def name_of(timeline: Timeline, row: Row, *, model: str = "") -> SafeText:
    """What a row is called; of one that stands for several spans, how many."""
    return safe(f"{timeline.inside(row.index)[0]:,} quiet spans") if row.group else display.title(row.span, model=model)


def took(row: Row) -> Piece:
    """How long it took, in one less than `DURATION_WIDTH` cells."""
    shown = "…" if row.span.end_ns is None and not row.group else display.duration(row.end_ns - row.start_ns)
    return pad(shown, DURATION_WIDTH - 1, right=True), Tone.DIM


def most_wish(rows: Iterable[tuple[str, RowWords]], width: int) -> int:
    """Cells that most rows, each with its margin, wish for in a tree so wide."""
    extra = max(width - DURATION_WIDTH, 0) // 4
    wishes = sorted(cell_len(margin) + shown.wish(extra) for margin, shown in rows)
    return wishes[(len(wishes) - 1) * _MOST_WISH // (_MOST_WISH + 1)] if wishes else 0


def columns(width: int, wish: int) -> tuple[int, int]:
    """Widths of the name and of the waterfall, which takes what names do not wish for."""
    room = max(width - DURATION_WIDTH, 4)
    if room < 20:
        return room, 0
    least, most = (6, room // 2) if width < 46 else (room // 4, room * 2 // 3)
    bars = min(max(room - wish, least), most)
    return room - bars, bars


def _extra(row: Row, steps: int) -> str:
    if row.group:
        return row.span.name
    if steps:
        return f"{steps:,} step{'s' * (steps > 1)}"
    return display.detail(row.span) or display.spent(row.span)
