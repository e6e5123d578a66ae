"""The list of runs. Draws only the rows in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from replay.document import Piece, Tone, fit, pad, words
from replay.runs import COLUMNS, RunRow, column_widths
from replay.tui.widgets.lines import Toned


class RunTable(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """One row a run under a line of titles, the chosen one marked."""

    COMPONENT_CLASSES: ClassVar[set[str]] = Toned.COMPONENT_CLASSES | {"tree--selected"}

    class Clicked(Message):
        """The user pointed at a row; twice opens it."""

        def __init__(self, place: int, *, twice: bool) -> None:
            super().__init__()
            self.place = place
            self.twice = twice

    def __init__(self) -> None:
        super().__init__(id="runs")
        self._rows: Sequence[RunRow] = ()
        self._chosen = 0
        self._empty = ""

    def show(self, rows: Sequence[RunRow], chosen: int, empty: str) -> None:
        """Replaces the rows; `empty` is said when there are none."""
        self._rows, self._chosen, self._empty = rows, chosen, empty
        self.virtual_size = Size(0, len(rows) + 1)
        height, top = self.scrollable_content_region.height - 1, round(self.scroll_offset.y)
        if height > 0 and not top <= chosen < top + height:
            self.scroll_to(y=max(chosen - height // 2, 0), animate=False)
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Chooses what was pointed at."""
        place = event.y - self.gutter.top + round(self.scroll_offset.y) - 1
        if 0 <= place < len(self._rows):
            self.post_message(self.Clicked(place, twice=event.chain > 1))

    def render_line(self, y: int) -> Strip:
        """The titles stay; rows pass below them."""
        width = self.scrollable_content_region.width
        base = self.rich_style
        widths = column_widths(self._rows, width - 2)
        if y == 0:
            titles = [
                words(pad(fit(c.title, w), w, right=c.right) + "  ", Tone.KEY) for c, w in zip(COLUMNS, widths, strict=True) if w
            ]
            return self.strip([words(" "), *titles], width, base)
        place = y - 1 + round(self.scroll_offset.y)
        if not self._rows and place == 1:
            return self.strip([words(f"  {self._empty}", Tone.DIM)], width, base)
        if place >= len(self._rows):
            return Strip.blank(width, base)
        if place == self._chosen:
            base += self.get_component_rich_style("tree--selected", partial=True)
        pieces: list[Piece] = [words("▸" if place == self._chosen else " ", Tone.NOW)]
        row = self._rows[place]
        if row.error:
            return self.strip([*pieces, words("! unreadable  ", Tone.WARN), words(row.error, Tone.DIM)], width, base)
        for (text, tone), column, w in zip(row.cells, COLUMNS, widths, strict=True):
            if w:
                pieces.append((pad(fit(text, w), w, right=column.right), tone))
                pieces.append(words("  "))
        return self.strip(pieces, width, base)
