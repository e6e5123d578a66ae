"""The list of runs. Draws only the rows in sight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from replay.document import Piece, Tone, fit, pad, words
from replay.run_columns import COLUMNS, WALL, column_widths, fit_column, gap
from replay.run_list import GroupRow, RunList
from replay.runs import RunRow, live_wall
from replay.tui.widgets.lines import Toned


class RunTable(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """One row a run under a line of titles, the chosen one marked."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tree--selected"}

    class Clicked(Message):
        """The user pointed at a row; twice opens it."""

        def __init__(self, place: int, *, twice: bool) -> None:
            super().__init__()
            self.place = place
            self.twice = twice

    def __init__(self) -> None:
        super().__init__(id="runs")
        self._list = RunList()
        self._empty = ""
        self._now_s = 0.0
        self._widths: list[int] = []
        self._widths_of: tuple[int, Sequence[RunRow]] = 0, ()

    def show(self, runs: RunList, empty: str, now_s: float = 0.0) -> None:
        """Draws the list as it is at that Unix time; `empty` is said when there is nothing in it."""
        self._list, self._empty, self._now_s = runs, empty, now_s
        self.virtual_size = Size(0, len(runs.entries) + 1)
        height, top = self.scrollable_content_region.height - 1, round(self.scroll_offset.y)
        if height > 0 and not top <= runs.chosen < top + height:
            self.scroll_to(y=max(runs.chosen - height // 2, 0), animate=False)
        self.refresh()

    def _columns(self, width: int) -> list[int]:
        """Widths of the columns; worked out once for the rows and the width."""
        if self._widths_of[0] != width or self._widths_of[1] is not self._list.all:
            self._widths_of = width, self._list.all
            self._widths = column_widths(self._list.all, width)
        return self._widths

    def on_click(self, event: events.Click) -> None:
        """Chooses what was pointed at."""
        place = event.y - self.gutter.top + round(self.scroll_offset.y) - 1
        if 0 <= place < len(self._list.entries):
            self.post_message(self.Clicked(place, twice=event.chain > 1))

    def render_line(self, y: int) -> Strip:
        """The titles stay; rows pass below them."""
        width = self.scrollable_content_region.width
        base = self.rich_style
        widths, space = self._columns(width - 4), " " * gap(width - 4)
        if y == 0:
            titles = [
                words(pad(fit(c.title, w), w, right=c.right) + space, Tone.KEY) for c, w in zip(COLUMNS, widths, strict=True) if w
            ]
            return self.strip([words("   "), *titles], width, base)
        entries, chosen = self._list.entries, self._list.chosen
        place = y - 1 + round(self.scroll_offset.y)
        if not entries and place == 1:
            return self.strip([words(f"  {self._empty}", Tone.DIM)], width, base)
        if place >= len(entries):
            return Strip.blank(width, base)
        if place == chosen:
            base += self.get_component_rich_style("tree--selected", partial=True)
        lead = words("▸" if place == chosen else " ", Tone.NOW)
        entry = entries[place]
        if isinstance(entry, GroupRow):
            return self.strip([lead, *_group(entry, width - 1)], width, base)
        return self.strip([lead, self._mark(entry), *_cells(entry, widths, space, self._now_s)], width, base)

    def _mark(self, row: RunRow) -> Piece:
        """Which of two runs to compare it is."""
        marks = self._list.marks
        return words(f"{'AB'[marks.index(row.path)]} " if row.path in marks else "  ", Tone.NOW)


def _group(group: GroupRow, width: int) -> list[Piece]:
    count = f"{group.size:>5,} × "
    room = max(width - cell_len(count) - 2 - cell_len(group.rule), 0)
    signature = fit(words(f"  {group.signature}" if group.signature else "")[0], room)
    return [
        words("▸ " if group.folded else "▾ ", Tone.DIM),
        words(count, Tone.STRONG),
        words(group.rule, Tone.HEAD),
        (signature, Tone.TEXT),
    ]


def _cells(row: RunRow, widths: Sequence[int], space: str, now_s: float) -> Iterator[Piece]:
    if row.error:
        yield from (words("! unreadable  ", Tone.WARN), words(row.error, Tone.DIM))
        return
    for place, ((text, tone), column, w) in enumerate(zip(row.cells, COLUMNS, widths, strict=True)):
        if w:
            shown = live_wall(row, now_s) if row.live and place == WALL else text
            yield pad(fit_column(shown, place, w), w, right=column.right), tone
            yield words(space)
