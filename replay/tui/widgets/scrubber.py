"""The scrubber: where the playhead is, how fast it goes, and what lies on the way."""

from __future__ import annotations

from itertools import groupby

from rich.cells import cell_len
from textual.strip import Strip

from replay import density, display
from replay.document import Piece, Tone, words
from replay.markers import MarkerKind
from replay.session import Session
from replay.tui.widgets.pointed import Pointed
from replay.window import Window

_SPEED_WIDTH = 6  # of the widest one, `0.25×»`, so that the track stays where it is


class Scrubber(Pointed):
    """`▶ 00:12.300 / 00:48.260  4×` and a track with markers, of the time that is in sight; click or drag on it to go there."""

    def __init__(self, session: Session) -> None:
        super().__init__(id="scrubber")
        self._session = session
        self._cells: tuple[object, dict[int, density.Cell], dict[int, MarkerKind | str]] = None, {}, {}

    @property
    def lead_width(self) -> int:
        """Cells before the track."""
        return sum(cell_len(text) for text, _ in self._lead())

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        lead = self._lead()
        width = self.size.width
        track_at = sum(cell_len(text) for text, _ in lead)
        room = width - track_at - 1
        self.track = track_at, room
        return self.strip([*lead, *self._track(room)] if room >= 8 else lead, width)

    def _lead(self) -> list[Piece]:
        clock = self._session.clock
        if clock.following:
            sign, tone = "●", Tone.WARN
        else:
            sign, tone = ("▶", Tone.GOOD) if clock.playing else ("‖", Tone.DIM)
        hours = clock.duration_ns >= 3_600 * 10**9
        position, whole = display.clock(clock.position_ns, hours=hours), display.clock(clock.duration_ns, hours=hours)
        speed = display.speed(clock.speed) + ("»" if self._session.compressing else "")
        return [
            words(f" {sign} ", tone),
            words(position, Tone.STRONG),
            words(f" / {whole}  ", Tone.DIM),
            words(f"{speed:<{_SPEED_WIDTH}} ", Tone.TEXT if clock.speed != 1 else Tone.DIM),
        ]

    def _track(self, width: int) -> list[Piece]:
        session, window = self._session, self.window
        head = window.cell(session.position_ns, width)
        played = head if head is not None else width if session.position_ns >= window.end_ns else 0
        row = [("━", Tone.KEY) if x < played else ("─", Tone.DIM) for x in range(width)]
        for x, sign in self._marks(width)[1].items():
            row[x] = display.marker_sign(sign) if isinstance(sign, MarkerKind) else (sign, row[x][1])
        for mark in session.bookmarks:
            if (flag := window.cell(session.bookmark_offset_ns(mark), width)) is not None:
                row[flag] = "⚑", Tone.WARN
        if head is not None:
            row[head] = "●", Tone.NOW
        return [words("".join(c for c, _ in same), tone) for tone, same in groupby(row, key=lambda cell: cell[1])]

    def _marks(self, width: int) -> tuple[dict[int, density.Cell], dict[int, MarkerKind | str]]:
        """What lies in each cell, and the sign for it; worked out once for what is in sight."""
        timeline, window = self._session.snapshot.timeline, self.window
        key = timeline, window, width
        if self._cells[0] != key:
            cells = density.cells(timeline.markers, window, width)
            self._cells = key, cells, density.signs(cells, width)
        return self._cells[1:]

    @property
    def window(self) -> Window:
        """The time that is in sight."""
        return self._session.window

    def told(self, cell: int, width: int) -> str:
        """The instant of a cell, and what lies there."""
        hours = display.has_hours(self._session.clock.duration_ns)
        text = display.clock(self.window.instant(cell, width), hours=hours)
        found = self._marks(width)[0].get(cell)
        return f"{text}  {density.words(found)}" if found else text
