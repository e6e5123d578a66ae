"""The panels below the terminal: one line of tabs, and the document of the one that is open."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.strip import Strip

from replay.document import Line, Piece, Tone, words, wrap
from replay.finding import Sought, Span, line_of, mark, row_spans
from replay.session import Tab
from replay.tui.keys import tab_letter
from replay.tui.widgets.lines import Toned
from replay.tui.widgets.rows import Rows


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


class DocumentView(Rows, can_focus=True, inherit_bindings=False):
    """Shows lines, wrapped to its width; the current one is kept in sight."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"document--current"}
    BINDINGS: ClassVar = [
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("enter", "choose", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
        Binding("j", "section(1, 2)", show=False),
        Binding("k", "section(-1, 2)", show=False),
        Binding("J", "section(1, 1)", show=False),
        Binding("K", "section(-1, 1)", show=False),
    ]

    class Chosen(Message):
        """The user wants to go to the instant that a line tells of."""

        def __init__(self, target_ns: int) -> None:
            super().__init__()
            self.target_ns = target_ns

    class Opened(Message):
        """The user wants a part of the document opened or closed, by its name."""

        def __init__(self, part: str) -> None:
            super().__init__()
            self.part = part

    def __init__(self, *, id: str = "document") -> None:
        super().__init__(id=id)
        self._section: tuple[int, int] | None = None  # place in the source that was jumped to, and the top row then
        self._cursor: int | None = None  # place in the source
        self._origins: list[int] = []  # the place in the source of each row
        self._source: Sequence[Line] = ()
        self._rows: list[Line] = []
        self._wrapped_to = -1
        self._sought: Sought | None = None
        self._aim: int | None = None  # the place in the source of the hit of a search
        self._spans: dict[int, list[list[Span]]] = {}

    @property
    def text_width(self) -> int:
        """Cells that a line may have, whether or not there will be a scrollbar."""
        return max(self.scrollable_content_region.width - 1 - (not self.show_vertical_scrollbar), 8)

    def show(self, lines: Sequence[Line], *, from_top: bool, sought: Sought | None = None) -> None:
        """Replaces the document; `from_top` when it is another one, else the place is kept.

        The words that are `sought` are marked; the line of their hit is brought in sight.
        """
        if from_top:
            self._cursor = None
            self.scroll_to(y=0, animate=False)
        elif lines == self._source and sought == self._sought:
            return
        part = self._source[self._cursor].opens if self._cursor is not None else ""
        self._source, self._sought = lines, sought
        self._aim = None if sought is None else line_of(lines, sought)
        if part:  # what was above it may have become longer
            self._cursor = next((place for place, line in enumerate(lines) if line.opens == part), None)
        if self._cursor is not None and (self._cursor >= len(lines) or not _can_be_chosen(lines[self._cursor])):
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
        self.set_rows(len(self._rows))
        self._spans.clear()
        current = next((y for y, row in enumerate(self._rows) if row.current), None) if self._aim is None else self._aimed_at()
        height, top = self.scrollable_content_region.height, self.top
        if current is not None and height and not top <= current < top + height:
            self.scroll_to(y=max(current - height // 2, 0), animate=False, force=True)
        self._refresh_rows()

    def _aimed_at(self) -> int | None:
        assert self._aim is not None
        first = bisect_left(self._origins, self._aim)
        return next((y for y, spans in enumerate(self._spans_of(self._aim), first) if spans), first)

    def _spans_of(self, place: int) -> list[list[Span]]:
        """Of each row of a line: where the words of the search are."""
        if self._sought is None:
            return []
        if (known := self._spans.get(place)) is None:
            text = self._source[place].text
            rows = self._rows[bisect_left(self._origins, place) : bisect_right(self._origins, place)]
            known = self._spans[place] = row_spans(text, [row.text for row in rows], self._sought.spans(text))
        return known

    def _refresh_rows(self) -> None:
        top = self.top
        self.refresh_changed([self._look(place) for place in range(top, top + self.scrollable_content_region.height)])

    def _look(self, place: int) -> tuple[Line, bool, bool, Sequence[Span], Tone] | None:
        """A row, whether the user chose it, whether it is the first of its line, what is marked on it, and how."""
        if place >= len(self._rows):
            return None
        origin = self._origins[place]
        spans = self._spans_of(origin)[place - bisect_left(self._origins, origin)] if self._sought is not None else ()
        tone = Tone.HERE if origin == self._aim else Tone.FOUND
        return self._rows[place], origin == self._cursor, place == 0 or self._origins[place - 1] != origin, spans, tone

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Enter is a key of the screen where no line can be chosen."""
        return action != "choose" or self._cursor is not None

    def action_move(self, by: int) -> None:
        """From one line that can be chosen to the next; scrolls where there is none, or the next is out of sight."""
        targets = [place for place, line in enumerate(self._source) if _can_be_chosen(line)]
        top, height = self.top, self.scrollable_content_region.height
        place = self._next_target(targets, by, self._origins[top] if top < len(self._origins) else 0)
        row = self._origins.index(place) if place is not None else -1
        if not targets or not top - 1 <= row <= top + height:
            self.scroll_relative(y=by, animate=False)
            return
        self._cursor = place
        if not top <= row < top + height:
            self.scroll_to(y=row if by < 0 else row - height + 1, animate=False)
        self._refresh_rows()

    def _next_target(self, targets: list[int], by: int, top: int) -> int | None:
        if self._cursor is None:
            return next((place for place in targets if place >= top), None)
        return next((p for p in (targets if by > 0 else reversed(targets)) if (p - self._cursor) * by > 0), None)

    def action_choose(self) -> None:
        """Enter."""
        if self._cursor is not None:
            self._choose(self._source[self._cursor])

    def _choose(self, chosen: Line) -> None:
        if chosen.opens:
            self.post_message(self.Opened(chosen.opens))
        elif chosen.target_ns is not None:
            self.post_message(self.Chosen(chosen.target_ns))

    def action_section(self, by: int, level: int) -> None:
        """To where the next or previous section begins, or a part of one."""
        top = self.top
        if self._section is not None and self._section[1] == top:
            here = self._section[0]
        else:
            here = self._origins[top] if top < len(self._origins) else 0
        places = [place for place, line in enumerate(self._source) if 0 < line.level <= level]
        place = next((p for p in (places if by > 0 else reversed(places)) if (p - here) * by > 0), None)
        if place is None:
            return
        self._cursor = place if _can_be_chosen(self._source[place]) else None
        self.scroll_to(y=bisect_left(self._origins, place), animate=False, immediate=True)
        self._section = place, self.top
        self._refresh_rows()

    def on_click(self, event: events.Click) -> None:
        """Goes where the line tells of."""
        place = event.y - self.gutter.top + self.top
        if 0 <= place < len(self._origins) and _can_be_chosen(self._source[self._origins[place]]):
            self._cursor = self._origins[place]
            self._choose(self._source[self._cursor])

    def render_line(self, y: int) -> Strip:
        """Draws one row."""
        width = self.scrollable_content_region.width
        base, look = self._under, self._look(y + self.top)
        if look is None:
            return Strip.blank(width, base)
        row, chosen, first, spans, tone = look
        if row.current:
            base += self.get_component_rich_style("document--current", partial=True)
        pieces = mark(row.pieces, spans, tone) if spans else row.pieces
        return self.strip([words("▸" if chosen and first else " ", Tone.NOW), *pieces], width, base)


def _can_be_chosen(line: Line) -> bool:
    return line.target_ns is not None or bool(line.opens)
