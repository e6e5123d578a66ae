"""The recorded terminal at the playhead."""

from __future__ import annotations

from typing import ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from cabtrace.protocols import Run
from cabtrace.text import safe
from replay.document import Piece, Tone, words
from replay.screen import Screen
from replay.tui.widgets.lines import Toned


class TerminalPane(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """Rows of the screen engine, drawn as they were; the row of the cursor is kept in sight."""

    BINDINGS: ClassVar = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(id="terminal")
        self._screen: Screen | None = None
        self._styles: dict[Run, Style] = {}
        self._note: list[Piece] = [words("  opening the recording …", Tone.DIM)]
        self.border_title = Content("Terminal")

    def show_note(self, note: str) -> None:
        """A sentence instead of a screen."""
        self._screen = None
        self._note = [words("  "), words(note, Tone.DIM)]
        self.refresh()

    def show_screen(self, screen: Screen, *, title: str) -> None:
        """Draws a screen; does nothing when it is the one that is shown."""
        self.border_title = Content(title)
        before = self._screen
        if before is not None and before.events == screen.events and before.columns == screen.columns:
            return
        self._screen = screen
        size = Size(screen.columns, screen.rows)
        if self.virtual_size != size:
            self.virtual_size = size
        self._keep_in_sight()
        if before is None or len(before.lines) != len(screen.lines):
            self.refresh()
            return
        top = round(self.scroll_offset.y)
        cursors = {c[1] for c in (before.cursor, screen.cursor) if c}
        for y, (old, new) in enumerate(zip(before.lines, screen.lines, strict=True)):
            if (old is not new and old != new) or y in cursors:
                self.refresh_line(y) if y >= top else None

    def on_resize(self) -> None:
        """The cursor stays in sight."""
        self._keep_in_sight()

    def _keep_in_sight(self) -> None:
        screen = self._screen
        height = self.scrollable_content_region.height
        if screen is None or not height or screen.rows <= height:
            return
        used = max((y for y, row in enumerate(screen.lines) if any(r.text.strip() or r.background for r in row)), default=0)
        wanted = max(used, screen.cursor[1] if screen.cursor else 0)
        top = round(self.scroll_offset.y)
        if not top <= wanted < top + height:
            self.scroll_to(y=max(wanted - height + 1, 0), animate=False)

    def render_line(self, y: int) -> Strip:
        """Draws one row."""
        width = self.scrollable_content_region.width
        screen = self._screen
        if screen is None:
            return self.strip(self._note if y == 1 else [], width)
        row = y + round(self.scroll_offset.y)
        if row >= len(screen.lines):
            return Strip.blank(width, self.rich_style)
        base = self.rich_style
        segments = [Segment(run.text, base + self._style(run)) for run in screen.lines[row]]
        strip = Strip(segments)
        if screen.cursor and screen.cursor[1] == row:
            strip = _with_cursor(strip, screen.cursor[0], base)
        left = round(self.scroll_offset.x)
        return strip.crop_extend(left, left + width, base)

    def _style(self, run: Run) -> Style:
        key = Run("", run.foreground, run.background, run.bold, run.dim, run.italic, run.underline, run.reverse, run.strike)
        style = self._styles.get(key)
        if style is None:
            if len(self._styles) > 4096:
                self._styles.clear()
            style = self._styles[key] = Style(
                color=_color(run.foreground),
                bgcolor=_color(run.background),
                bold=run.bold or None,
                dim=run.dim or None,
                italic=run.italic or None,
                underline=run.underline or None,
                reverse=run.reverse or None,
                strike=run.strike or None,
            )
        return style


def _color(rgb: int | None) -> Color | None:
    return None if rgb is None else Color.from_rgb(rgb >> 16 & 255, rgb >> 8 & 255, rgb & 255)


def _with_cursor(strip: Strip, column: int, base: Style) -> Strip:
    padded = strip.adjust_cell_length(max(strip.cell_length, column + 1), base)
    cell = padded.crop(column, column + 1)
    under = Strip([Segment(s.text or " ", (s.style or base) + Style(reverse=True)) for s in cell] or [Segment(safe(" "), base)])
    return Strip.join([padded.crop(0, column), under, padded.crop(column + 1, padded.cell_length)])
