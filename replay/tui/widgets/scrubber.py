"""The scrubber: where the playhead is, how fast it goes, and what lies on the way."""

from __future__ import annotations

from itertools import groupby

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from replay import display
from replay.document import Piece, Tone, words
from replay.session import Session
from replay.tui.widgets.lines import Toned
from replay.waterfall import column, track


class Scrubber(Toned):
    """`▶ 00:12.300 / 00:48.260  4×` and a track with markers; click or drag on it to go there."""

    class Moved(Message):
        """The user pointed at a share of the run, 0 to 1."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    def __init__(self, session: Session) -> None:
        super().__init__(id="scrubber")
        self._session = session
        self._track_at = 0
        self._dragging = False

    @property
    def lead_width(self) -> int:
        """Cells before the track."""
        return sum(cell_len(text) for text, _ in self._lead())

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        lead = self._lead()
        width = self.size.width
        self._track_at = sum(cell_len(text) for text, _ in lead)
        room = width - self._track_at - 1
        return self.strip([*lead, *self._track(room)] if room >= 8 else lead, width)

    def _lead(self) -> list[Piece]:
        clock = self._session.clock
        if clock.following:
            sign, tone = "⏺", Tone.WARN
        else:
            sign, tone = ("▶", Tone.GOOD) if clock.playing else ("‖", Tone.DIM)
        hours = clock.duration_ns >= 3_600 * 10**9
        position, whole = display.clock(clock.position_ns, hours=hours), display.clock(clock.duration_ns, hours=hours)
        speed = display.speed(clock.speed) + ("»" if self._session.compressing else "")
        return [
            words(f" {sign} ", tone),
            words(position, Tone.STRONG),
            words(f" / {whole}  ", Tone.DIM),
            words(f"{speed:<4} ", Tone.TEXT if clock.speed != 1 else Tone.DIM),
        ]

    def _track(self, width: int) -> list[Piece]:
        timeline = self._session.snapshot.timeline
        head = column(self._session.position_ns, timeline.duration_ns, width)
        cells = track(timeline.markers, timeline.duration_ns, width)
        row = [("━", Tone.KEY) if x < head else ("─", Tone.DIM) for x in range(width)]
        for x, kind in cells.items():
            row[x] = display.marker_sign(kind)
        for mark in self._session.bookmarks:
            row[column(self._session.bookmark_offset_ns(mark), timeline.duration_ns, width)] = "⚑", Tone.WARN
        row[head] = "●", Tone.NOW
        return [words("".join(c for c, _ in same), tone) for tone, same in groupby(row, key=lambda cell: cell[1])]

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Goes there, and starts to drag."""
        self._dragging = True
        self.capture_mouse()
        self._point(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drags."""
        if self._dragging:
            self._point(event.x)

    def on_mouse_up(self) -> None:
        """Lets go."""
        self._dragging = False
        self.release_mouse()

    def _point(self, x: int) -> None:
        width = self.size.width - self._track_at - 1
        if width > 1:
            self.post_message(self.Moved(min(max((x - self._track_at) / (width - 1), 0.0), 1.0)))
