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
from replay.tui.keys import tab_letter
from replay.tui.widgets.lines import Toned


class TabBar(Toned):
    """Titles with their keys; the open one is bright."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tabs--open", "tabs--key"}

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
            before, key, _ = tab.value.lower().partition(tab_letter(self.app, tab))
            title = tab.value[: len(before)], tab.value[len(before) : len(before) + len(key)], tab.value[len(before) + len(key) :]
            tone = Tone.STRONG if tab is self._open else Tone.DIM
            pieces: list[Piece] = [words("" if tight else " "), words(title[0], tone)]
            strips.append(self.strip(pieces, len(title[0]) + (not tight), style))
            strips.append(self.strip([words(title[1], tone)], len(title[1]), style + key_style))
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

    COMPONENT_CLASSES: ClassVar[set[str]] = {"document--current"}
    BINDINGS: ClassVar = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("enter", "choose", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    class Chosen(Message):
        """The user wants to go to the instant that a line tells of."""

        def __init__(self, target_ns: int) -> None:
            super().__init__()
            self.target_ns = target_ns

    def __init__(self, *, id: str = "document") -> None:
        super().__init__(id=id)
        self._cursor: int | None = None  # place in the source
        self._origins: list[int] = []  # the place in the source of each row
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
            self._cursor = None
            self.scroll_to(y=0, animate=False)
        elif lines == self._source:
            return
        self._source = lines
        if self._cursor is not None and (self._cursor >= len(lines) or lines[self._cursor].target_ns is None):
            self._cursor = None
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
        wrapped = [(place, row) for place, source in enumerate(self._source) for row in wrap(source, width)]
        self._origins, self._rows = [place for place, _ in wrapped], [row for _, row in wrapped]
        self.virtual_size = Size(0, len(self._rows))
        current = next((y for y, row in enumerate(self._rows) if row.current), None)
        height, top = self.scrollable_content_region.height, round(self.scroll_offset.y)
        if current is not None and height and not top <= current < top + height:
            self.scroll_to(y=max(current - height // 2, 0), animate=False)
        self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter is a key of the screen where no line can be chosen."""
        return action != "choose" or self._cursor is not None

    def action_move(self, by: int) -> None:
        """From one line that can be chosen to the next; scrolls where there is none, or the next is out of sight."""
        targets = [place for place, line in enumerate(self._source) if line.target_ns is not None]
        top, height = round(self.scroll_offset.y), self.scrollable_content_region.height
        place = self._next_target(targets, by, self._origins[top] if top < len(self._origins) else 0)
        row = self._origins.index(place) if place is not None else -1
        if not targets or not top - 1 <= row <= top + height:
            self.scroll_relative(y=by, animate=False)
            return
        self._cursor = place
        if not top <= row < top + height:
            self.scroll_to(y=row if by < 0 else row - height + 1, animate=False)
        self.refresh()

    def _next_target(self, targets: list[int], by: int, top: int) -> int | None:
        if self._cursor is None:
            return next((place for place in targets if place >= top), None)
        return next((p for p in (targets if by > 0 else reversed(targets)) if (p - self._cursor) * by > 0), None)

    def action_choose(self) -> None:
        """Enter."""
        if self._cursor is not None and (target_ns := self._source[self._cursor].target_ns) is not None:
            self.post_message(self.Chosen(target_ns))

    def on_click(self, event: events.Click) -> None:
        """Goes where the line tells of."""
        place = event.y - self.gutter.top + round(self.scroll_offset.y)
        if 0 <= place < len(self._origins) and (target_ns := self._source[self._origins[place]].target_ns) is not None:
            self._cursor = self._origins[place]
            self.post_message(self.Chosen(target_ns))

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
        chosen = self._cursor is not None and self._origins[place] == self._cursor
        first = place == 0 or self._origins[place - 1] != self._origins[place]
        return self.strip([words("▸" if chosen and first else " ", Tone.NOW), *row.pieces], width, base)
