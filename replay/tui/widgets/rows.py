"""Rows that scroll, of which only those are drawn anew that look different from before: a key costs what it changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from replay.document import Piece
from replay.tui.widgets.lines import Toned


class Rows(ScrollView, Toned, inherit_bindings=False):
    """The base of widgets that draw row after row. They say how many there are, and what the picture of each depends on."""

    _under = Style()  # all rows are drawn on this
    _drawn: tuple[object, Sequence[object]] = None, ()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Looks up once what all rows are drawn on."""
        self._under = self.rich_style
        return super().render_lines(crop)

    def cells(self, pieces: Iterable[Piece], width: int, under: Style) -> list[Segment]:
        """A part of a row, exactly that wide."""
        segments = [Segment(text, under + self.tone(tone)) for text, tone in pieces if text]
        left = width - sum(map(attrgetter("cell_length"), segments))
        if left < 0:
            return list(Strip(segments).adjust_cell_length(width, under))
        return [*segments, Segment(" " * left, under)] if left else segments

    def set_rows(self, count: int) -> None:
        """There are so many now. All of the screen is laid out again only where a scrollbar comes or goes."""
        size = Size(0, count)
        if size == self.virtual_size:
            return
        if (count > self.container_size.height) != self.show_vertical_scrollbar:
            self.virtual_size = size
            return
        self.set_reactive(Widget.virtual_size, size)
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = count
        self.scroll_y = self.validate_scroll_y(self.scroll_y)

    @property
    def top(self) -> int:
        """The first row in sight."""
        return round(self.scroll_offset.y)

    def refresh_changed(self, looks: Sequence[object]) -> None:
        """Draws the lines that changed. `looks`: of each in sight what it depends on, beside place, size, focus, and theme."""
        where = self.top, self.size
        (before_where, before), self._drawn = self._drawn, (where, looks)
        if where != before_where or len(before) != len(looks):
            self.refresh()
            return
        changed = [Region(0, y, self.size.width, 1) for y, (old, new) in enumerate(zip(before, looks, strict=True)) if old != new]
        if changed:
            self.refresh(*changed)
