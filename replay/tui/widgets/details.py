"""The panels below the terminal: one line of tabs, and the document of the one that is open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from replay.document import Line, Piece, Tone, words, wrap
from replay.session import Tab
from replay.tui.keys import TAB_KEYS
from replay.tui.widgets.lines import Toned


class TabBar(Toned):
    """Titles with their keys; the open one is bright."""

    COMPONENT_CLASSES: ClassVar[set[str]] = Toned.COMPONENT_CLASSES | {"tabs--open", "tabs--key"}

    class Chosen(Message):
        """The user pointed at a tab."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self) -> None:
        super().__init__(id="tabs")
        self._open = Tab.SPAN
        self._counts: dict[Tab, int] = {}
        self._ends: list[tuple[int, Tab]] = []

    def show(self, tab: Tab, counts: dict[Tab, int]) -> None:
        """Which is open, and the numbers behind titles."""
        if (tab, counts) != (self._open, self._counts):
            self._open, self._counts = tab, dict(counts)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        base = self.rich_style
        key_style = self.get_component_rich_style("tabs--key", partial=True)
        strips, at = [], 0
        self._ends = []
        tight = self.size.width < 66
        for tab in Tab:
            style = base + self.get_component_rich_style("tabs--open", partial=True) if tab is self._open else base
            count = f"({self._counts[tab]:,})" if self._counts.get(tab) and not tight else ""
            before, key, _ = tab.value.lower().partition(TAB_KEYS[tab])
            title = tab.value[: len(before)], tab.value[len(before) : len(before) + 1], tab.value[len(before) + len(key) :]
            tone = Tone.STRONG if tab is self._open else Tone.DIM
            pieces: list[Piece] = [words("" if tight else " "), words(title[0], tone)]
            strips.append(self.strip(pieces, len(title[0]) + (not tight), style))
            strips.append(self.strip([words(title[1], tone)], 1, style + key_style))
            rest = title[2] + count + " "
            strips.append(self.strip([words(rest, tone)], len(rest), style))
            at += (not tight) + len(tab.value) + len(count) + 1
            self._ends.append((at, tab))
        return Strip.join(strips).adjust_cell_length(self.size.width, base)

    def on_click(self, event: events.Click) -> None:
        """Opens the tab that was pointed at."""
        for end, tab in self._ends:
            if event.x < end:
                self.post_message(self.Chosen(tab))
                return


class DocumentView(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """Shows lines, wrapped to its width; the current one is kept in sight."""

    COMPONENT_CLASSES: ClassVar[set[str]] = Toned.COMPONENT_CLASSES | {"document--current"}
    BINDINGS: ClassVar = [
        Binding("up", "scroll_up", show=False),
        Binding("down", "scroll_down", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    def __init__(self, *, id: str = "document") -> None:
        super().__init__(id=id)
        self._source: Sequence[Line] = ()
        self._rows: list[Line] = []
        self._wrapped_to = -1

    @property
    def text_width(self) -> int:
        """Cells that a line may have."""
        return max(self.scrollable_content_region.width - 1, 8)

    def show(self, lines: Sequence[Line], *, from_top: bool) -> None:
        """Replaces the document; `from_top` when it is another one, else the place is kept."""
        if from_top:
            self.scroll_to(y=0, animate=False)
        elif lines == self._source:
            return
        self._source = lines
        self._wrapped_to = -1
        self._layout()

    def on_resize(self) -> None:
        """Wraps anew."""
        self._layout()

    def _layout(self) -> None:
        width = self.text_width
        if width == self._wrapped_to:
            return
        self._wrapped_to = width
        self._rows = [row for source in self._source for row in wrap(source, width)]
        self.virtual_size = Size(0, len(self._rows))
        current = next((y for y, row in enumerate(self._rows) if row.current), None)
        height, top = self.scrollable_content_region.height, round(self.scroll_offset.y)
        if current is not None and height and not top <= current < top + height:
            self.scroll_to(y=max(current - height // 2, 0), animate=False)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws one row."""
        width = self.scrollable_content_region.width
        place = y + round(self.scroll_offset.y)
        base = self.rich_style
        if place >= len(self._rows):
            return Strip.blank(width, base)
        row = self._rows[place]
        if row.current:
            base += self.get_component_rich_style("document--current", partial=True)
        return self.strip([words(" "), *row.pieces], width, base)
