"""The steps of two runs beside each other, a row for each pair. Draws only the rows in sight."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from replay import display
from replay.compare_panel import run_name, sign, step_sign
from replay.compare_session import NAMES, CompareSession
from replay.compare_steps import Match, Step
from replay.document import Piece, Tone, fit, pad, words
from replay.tui.widgets.lines import Toned

_TIME_WIDTH = 10
_TOOK_WIDTH = 8
_ROOMY = 44  # cells of a side; then times are shown
_MIDDLE = 3


class StepTable(ScrollView, Toned, can_focus=True, inherit_bindings=False):
    """The row at the playheads is marked; what only one run did leaves the other side empty."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tree--selected"}

    class Clicked(Message):
        """The user pointed at a row."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self, session: CompareSession) -> None:
        super().__init__(id="steps")
        self._session = session

    def update_rows(self) -> None:
        """Draws the session as it is now, and keeps its row in sight."""
        session = self._session
        self.virtual_size = Size(0, len(session.pairs) + 1)
        height, top = self.scrollable_content_region.height - 1, round(self.scroll_offset.y)
        if height > 0 and not top <= session.row < top + height:
            self.scroll_to(y=max(session.row - height // 2, 0), animate=False)
        self.refresh()

    def on_mount(self) -> None:
        """First rows."""
        self.update_rows()

    def on_resize(self) -> None:
        """The chosen row stays in sight."""
        self.update_rows()

    def on_click(self, event: events.Click) -> None:
        """Goes to what was pointed at."""
        row = event.y - self.gutter.top + round(self.scroll_offset.y) - 1
        if event.y > self.gutter.top - 1 and 0 <= row < len(self._session.pairs):
            self.post_message(self.Clicked(row))

    def render_line(self, y: int) -> Strip:
        """The names of the runs stay; rows pass below them."""
        width = self.scrollable_content_region.width
        half = max((width - 2 - _MIDDLE) // 2, 4)
        base = self.rich_style
        if y == 0:
            return self._titles(half, width)
        session, row = self._session, y - 1 + round(self.scroll_offset.y)
        if row >= len(session.pairs):
            note = "Neither run has any step." if row == 0 else ""
            return self.strip([words(f"  {note}", Tone.DIM)], width, base)
        if row == session.row:
            base += self.get_component_rich_style("tree--selected", partial=True)
        pair = session.pairs[row]
        tone = Tone.DIM if pair.match in (Match.SAME, Match.ALIKE) and row != session.row else Tone.TEXT
        return self.strip(
            [
                words("▸ " if row == session.row else "  ", Tone.NOW),
                *_cells(pair.left, half, tone),
                words(" "),
                sign(pair),
                words(" "),
                *_cells(pair.right, half, tone),
            ],
            width,
            base,
        )

    def _titles(self, half: int, width: int) -> Strip:
        session = self._session
        headers = [run.snapshot.header for run in session.runs]
        pieces: list[Piece] = [words("  ")]
        for side in (0, 1):
            run = session.runs[side].snapshot
            verdict = display.verdict(run.header, live=run.live, aborted=run.aborted)
            name = fit(run_name(headers[side], headers[1 - side]), half - 4 - cell_len(verdict[0]))
            here = side == session.side
            used = 3 + cell_len(name) + 1 + cell_len(verdict[0])
            pieces += [
                words(f"{NAMES[side]}  ", Tone.NOW if here else Tone.KEY),
                (name, Tone.STRONG if here else Tone.DIM),
                words(" "),
                verdict,
                words(" " * (max(half - used, 0) + (0 if side else _MIDDLE))),
            ]
        return self.strip(pieces, width)


def _cells(step: Step | None, width: int, tone: Tone) -> list[Piece]:
    """A step in exactly `width` cells."""
    if step is None:
        return [words(" " * width)]
    times: list[Piece] = []
    if width >= _ROOMY:
        times = [
            words(pad(display.clock(step.start_ns), _TIME_WIDTH, right=True), Tone.DIM),
            words(pad(display.duration(step.end_ns - step.start_ns), _TOOK_WIDTH, right=True), Tone.DIM),
        ]
        width -= _TIME_WIDTH + _TOOK_WIDTH
    end = " ✗" if step.failed else ""
    name = fit(words(step.text)[0], max(width - 2 - len(end), 0))
    room = width - 2 - cell_len(name) - len(end) - 2
    detail = fit(words(" ".join(step.detail[:400].split()))[0], room) if room > 3 else words("")[0]
    used = 2 + cell_len(name) + len(end) + (1 + cell_len(detail) if detail else 0)
    return [
        step_sign(step),
        words(" "),
        (name, Tone.STRONG if tone is Tone.TEXT else tone),
        words(end, Tone.BAD),
        words(f" {detail}" if detail else "", Tone.DIM if tone is Tone.DIM else Tone.TEXT),
        words(" " * max(width - used, 0)),
        *times,
    ]
