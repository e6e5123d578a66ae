"""The span tree with its waterfall. Draws only the rows in sight, so that their number does not matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from replay import display
from replay.document import Piece, Tone, fit, pad, words
from replay.session import Session
from replay.timeline import Row
from replay.tui.widgets.lines import Toned
from replay.waterfall import bar, column

_DURATION_WIDTH = 8
_INDENT_MOST = 12
_TIGHT_BELOW = 46  # cells; then a level is one cell deep instead of two


class SpanTree(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """Rows that were running at the playhead are bright, those to come are dim."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tree--selected", "tree--playhead"}

    class Clicked(Message):
        """The user pointed at a row; `fold` when at its sign."""

        def __init__(self, row: int, *, fold: bool) -> None:
            super().__init__()
            self.row = row
            self.fold = fold

    def __init__(self, session: Session) -> None:
        super().__init__(id="spans")
        self._session = session
        self._shown: Sequence[int] = ()

    def update_rows(self) -> None:
        """Draws the session as it is now, and keeps its selection in sight."""
        session = self._session
        if self._shown is not session.visible:
            self._shown = session.visible
            self.virtual_size = Size(0, len(self._shown))
        place = session.place_of(session.selected)
        height = self.scrollable_content_region.height
        top = round(self.scroll_offset.y)
        if height and not top <= place < top + height:
            self.scroll_to(y=max(place - height // 3, 0), animate=False)
        self.refresh()

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
            row = self._session.snapshot.timeline.row(self._shown[place])
            sign_at = self.gutter.left + len(_margin(row, self.scrollable_content_region.width))
            self.post_message(self.Clicked(row.index, fold=row.has_children and sign_at <= event.x <= sign_at + 1))

    def render_line(self, y: int) -> Strip:
        """Draws one row."""
        width = self.scrollable_content_region.width
        place = y + round(self.scroll_offset.y)
        if place >= len(self._shown):
            return Strip.blank(width, self.rich_style)
        session = self._session
        row = session.snapshot.timeline.row(self._shown[place])
        base = self.rich_style
        if row.index == session.selected:
            base += self.get_component_rich_style("tree--selected", partial=True)
        label, bars = _columns(width)
        lead = self._label(row, label, _margin(row, width))
        strip = self.strip(lead, label, base)
        took = None if row.span.end_ns is None and not row.group else row.end_ns - row.start_ns
        shown = "…" if took is None else display.duration(took)
        parts = [
            strip,
            self.strip([words(pad(shown, _DURATION_WIDTH - 1, right=True), Tone.DIM), words(" ")], _DURATION_WIDTH, base),
        ]
        if bars:
            parts.append(self._bar(row, bars, base))
        return Strip.join(parts)

    def _label(self, row: Row, width: int, margin: str) -> list[Piece]:
        session = self._session
        position = session.position_ns
        span = row.span
        if row.has_children:
            sign, sign_tone = ("▸" if row.index in session.folded else "▾"), Tone.DIM
        else:
            sign, sign_tone = display.sign(span), display.tone(span)
        if row.group:
            name, tone = f"{row.group:,} quiet spans", Tone.DIM
        else:
            name = display.title(span)
            future = row.start_ns > position
            active = session.snapshot.timeline.is_active(row.index, position)
            tone = Tone.DIM if future else Tone.STRONG if active else Tone.TEXT
        kind = display.sign(span) + " " if row.has_children and display.sign(span) != "·" else ""
        end = " ✗" if span.failed and not row.group else " ⊘" if row.mark else ""
        room = width - len(margin) - 2 - cell_len(kind) - len(end)
        shown = fit(name, room)
        extra = display.detail(span) if not row.group else ""
        left = room - cell_len(shown) - 1
        return [
            words(f"{margin}{sign} ", sign_tone),
            words(kind, display.tone(span)),
            (shown, tone),
            words(end, Tone.BAD),
            words(f" {fit(extra, left)}" if extra and left > 6 else "", Tone.DIM),
        ]

    def _bar(self, row: Row, width: int, base: Style) -> Strip:
        timeline = self._session.snapshot.timeline
        first, text = bar(row.start_ns, row.end_ns, timeline.duration_ns, width)
        head = column(self._session.position_ns, timeline.duration_ns, width)
        tone = Tone.DIM if row.group else display.tone(row.span)
        drawn = (" " * first + text).ljust(width)
        head_style = base + self.tone(Tone.NOW)
        if drawn[head] not in " ▏▕":
            head_style += Style(bgcolor=self.tone(tone).color)
        if self._session.path_shown and self._session.path is not None:
            return self._bar_with_path(row, drawn, tone, head, base)
        return Strip.join(
            [
                self.strip([words(drawn[:head], tone)], head, base),
                Strip([Segment("│", head_style)], 1),
                self.strip([words(drawn[head + 1 :], tone)], width - head - 1, base),
            ]
        )

    def _bar_with_path(self, row: Row, text: str, tone: Tone, head: int, base: Style) -> Strip:
        """A line through what the run's length hangs on; the rest of the bar is dim."""
        session, width = self._session, len(text)
        end_row = row.end_row if row.index in session.folded else row.index + 1
        assert session.path is not None
        touched, covered = session.path.cells(row.index, end_row, width)
        line = base + self.tone(Tone.STRONG) + Style(bgcolor=self.tone(tone).color)
        now, dim = base + self.tone(Tone.NOW), base + self.tone(Tone.DIM)
        bright = base + self.tone(tone)

        def cell(x: int) -> Segment:
            if x == head:
                return Segment("│", now + Style(bgcolor=line.bgcolor) if x in covered else now)
            if x in covered:
                return Segment("━", line)
            return Segment(text[x], bright if x in touched else dim)

        return Strip([cell(x) for x in range(width)], width)


def _margin(row: Row, width: int) -> str:
    return (" " if width < _TIGHT_BELOW else "  ") * min(row.depth, _INDENT_MOST)


def _columns(width: int) -> tuple[int, int]:
    """Widths of the name and of the waterfall."""
    bars = width // 3 if width >= 46 else 9 if width >= 34 else 0
    return max(width - bars - _DURATION_WIDTH, 4), bars
