"""The span tree with its waterfall. Draws only the rows in sight, so that their number does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from re import Pattern
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.content import Content
from textual.message import Message
from textual.strip import Strip

from replay import display
from replay.document import Piece, Tone, fit, words
from replay.finding import mark
from replay.indent import Margins, crumbs, margins
from replay.row_words import DURATION_WIDTH, RowWords, columns, most_wish, name_of, row_words, took
from replay.session import Session
from replay.timeline import Row
from replay.tui.widgets.rows import Rows
from replay.waterfall import bar_in

_TITLE_SPARE = 6  # cells of a frame's title that are not text
_CRUMBS_MOST = 40  # rows above that are named


class SpanTree(Rows, can_focus=True, inherit_bindings=False):
    """Rows that were running at the playhead are bright, those to come are dim."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tree--selected", "tree--playhead"}

    class Clicked(Message):
        """The user pointed at a row; `fold` when at its sign, `go` when twice, `at_ns` when at an instant of the waterfall."""

        def __init__(self, row: int, *, fold: bool, go: bool = False, at_ns: int | None = None) -> None:
            super().__init__()
            self.row = row
            self.fold = fold
            self.go = go
            self.at_ns = at_ns

    class Zoomed(Message):
        """The user wants to see so many times less time; more, if below 1."""

        def __init__(self, by: float) -> None:
            super().__init__()
            self.by = by

    def __init__(self, session: Session) -> None:
        super().__init__(id="spans")
        self._session = session
        self._shown: Sequence[int] = ()
        self._seen: object = None
        self._margins = Margins()
        self._wish = 0
        self._wish_of: object = None
        self._above = ""
        self._titled = ""

    def update_rows(self) -> None:
        """Draws the session as it is now, and keeps its selection in sight."""
        session = self._session
        if self._shown is not session.visible:
            self._shown = session.visible
            self.set_rows(len(self._shown))
        place = session.place_of(session.selected)
        region = self.scrollable_content_region
        self._see()
        if region.height and not self.top + bool(self._crumb) <= place < self.top + region.height:
            self.scroll_to(y=max(place - region.height // 3, 0), animate=False)
            self._see()
        self.refresh_changed([self._look(self.top + y, region.width) for y in range(region.height)])

    def _see(self) -> None:
        """What depends on which rows are in sight: how far they are indented, what is above them, how wide names are."""
        session, region = self._session, self.scrollable_content_region
        timeline = session.snapshot.timeline
        seen = self._shown, self.top, region.size, timeline
        if seen == self._seen or not region.height:
            return
        self._seen = seen
        flat, shown = session.outline.steps_only, self._shown
        rows = [shown[place] for place in range(self.top, min(self.top + region.height, len(shown)))]
        self._margins = Margins() if flat else margins(map(timeline.depth, rows), columns(region.width, region.width)[0])
        if self._wish_of != (region.width, flat):
            self._wish_of, self._wish = (region.width, flat), 0
        looks = ((self._margins.text(row.depth), self._words(row)) for row in map(timeline.row, rows))
        self._wish = max(self._wish, most_wish(looks, region.width))
        self._title(rows[0] if rows and not flat else None)

    def _title(self, first: int | None) -> None:
        timeline = self._session.snapshot.timeline
        count = display.count(len(timeline.spans))
        title = f"Steps {display.count(len(self._shown))} of {count} spans" if first is None and self._shown else f"Spans {count}"
        rows = [] if first is None else list(islice(timeline.ancestors(first), _CRUMBS_MOST))[::-1]
        width = self.size.width if self._is_bare else self.outer_size.width - _TITLE_SPARE - len(title) - 3
        self._above = crumbs([name_of(timeline, timeline.row(row)) for row in rows], width) if rows and width > 0 else ""
        if self._above and not self._is_bare:
            title = f"{title} · {self._above}"
        if title != self._titled:
            self._titled, self.border_title = title, Content(title)

    @property
    def _is_bare(self) -> bool:
        """Whether there is no frame, hence no title."""
        return not self.gutter.top

    @property
    def _crumb(self) -> str:
        """What is shown in place of the first row in sight: the rows above it."""
        return self._above if self._is_bare else ""

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Other rows are in sight."""
        super().watch_scroll_y(old_value, new_value)
        self._see()

    def _look(self, place: int, width: int) -> object:
        """What the picture of a row depends on."""
        if place >= len(self._shown):
            return None
        session, row = self._session, self._shown[place]
        timeline, position = session.snapshot.timeline, session.position_ns
        label, bars = columns(width, self._wish)
        window = session.window
        head = window.cell(position, bars)
        sight = window.start_ns, window.length_ns, label, self._margins, self._crumb if place == self.top else ""
        path = session.path if session.path_shown else None
        when = timeline.start_of(row) > position, timeline.is_active(row, position)
        return timeline, path, row, row == session.selected, row in session.folded, when, head, sight, self._sought(row)

    def on_mount(self) -> None:
        """First rows."""
        self.update_rows()

    def on_resize(self) -> None:
        """The selection stays in sight."""
        self.update_rows()

    def on_click(self, event: events.Click) -> None:
        """Selects what was pointed at."""
        place = event.y - self.gutter.top + self.scroll_offset.y
        if 0 <= place < len(self._shown):
            session = self._session
            row = session.snapshot.timeline.row(self._shown[place])
            x = event.x - self.gutter.left
            sign_at = len(self._margins.text(row.depth))
            can_fold = row.has_children and not session.outline.steps_only
            label, bars = columns(self.scrollable_content_region.width, self._wish)
            cell = x - label - DURATION_WIDTH
            at_ns = session.window.instant(cell, bars) if 0 <= cell < bars else None
            fold = can_fold and sign_at <= x <= sign_at + 1
            self.post_message(self.Clicked(row.index, fold=fold, go=event.chain == 2 and not fold, at_ns=at_ns))

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """With control: nearer."""
        self._zoom(event, 2.0)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """With control: farther."""
        self._zoom(event, 0.5)

    def _zoom(self, event: events.MouseEvent, by: float) -> None:
        if event.ctrl:
            event.stop()
            event.prevent_default()
            self.post_message(self.Zoomed(by))

    def render_line(self, y: int) -> Strip:
        """Draws one row."""
        width = self.scrollable_content_region.width
        place, base = y + self.top, self._under
        if place >= len(self._shown):
            return Strip.blank(width, base)
        if not y and self._crumb:  # instead of the row itself
            return self.strip([words(fit(self._crumb, width), Tone.KEY)], width, base)
        session = self._session
        row = session.snapshot.timeline.row(self._shown[place])
        if row.index == session.selected:
            base += self.get_component_rich_style("tree--selected", partial=True)
        label, bars = columns(width, self._wish)
        segments = [
            *self.cells(self._marked(row.index, self._words(row).pieces(self._margins.text(row.depth), label)), label, base),
            *self.cells([took(row)], DURATION_WIDTH, base),
        ]
        if bars:
            segments += self._bar(row, bars, base)
        return Strip(segments, label + DURATION_WIDTH + bars)

    def _words(self, row: Row) -> RowWords:
        session = self._session
        return row_words(
            session.snapshot.timeline,
            row,
            closed=row.index in session.folded,
            flat=session.outline.steps_only,
            position_ns=session.position_ns,
            model=session.snapshot.header.model,
        )

    def _sought(self, row: int) -> tuple[Pattern[str], Tone] | None:
        """The words of a search, and how they are marked on a row."""
        if (sought := self._session.sought) is None:
            return None
        return sought.needle, Tone.HERE if sought.hit is not None and sought.hit.row == row else Tone.FOUND

    def _marked(self, row: int, pieces: list[Piece]) -> list[Piece]:
        if (sought := self._sought(row)) is None:
            return pieces
        spans = [match.span() for match in sought[0].finditer("".join(text for text, _ in pieces))]
        return mark(pieces, spans, sought[1]) if spans else pieces

    def _bar(self, row: Row, width: int, base: Style) -> list[Segment]:
        window = self._session.window
        drawn, beyond = bar_in(window, row.start_ns, row.end_ns, width)
        head = window.cell(self._session.position_ns, width)
        tone = Tone.DIM if row.group or beyond else display.tone(row.span)
        if self._session.path_shown and self._session.path is not None:
            return self._bar_with_path(row, drawn, tone, head, base)
        style, head_style = base + self.tone(tone), base + self.tone(Tone.NOW)
        if head is None:
            return [Segment(drawn, style)]
        if drawn[head] not in " ▏▕":
            head_style += Style(bgcolor=self.tone(tone).color)
        cells = Segment(drawn[:head], style), Segment("│", head_style), Segment(drawn[head + 1 :], style)
        return [segment for segment in cells if segment.text]

    def _bar_with_path(self, row: Row, text: str, tone: Tone, head: int | None, base: Style) -> list[Segment]:
        """A line through what the run's length hangs on; the rest of the bar is dim."""
        session, width = self._session, len(text)
        end_row = row.end_row if row.index in session.folded else row.index + 1
        assert session.path is not None
        touched, covered = session.path.cells(row.index, end_row, width, session.window)
        line = base + self.tone(Tone.STRONG) + Style(bgcolor=self.tone(tone).color)
        now, dim = base + self.tone(Tone.NOW), base + self.tone(Tone.DIM)
        bright = base + self.tone(tone)

        def cell(x: int) -> Segment:
            if x == head:
                return Segment("│", now + Style(bgcolor=line.bgcolor) if x in covered else now)
            if x in covered:
                return Segment("━", line)
            return Segment(text[x], bright if x in touched else dim)

        return [cell(x) for x in range(width)]
