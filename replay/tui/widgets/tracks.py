"""Two scrubbers, one below the other: both playheads, and where the runs differ."""

from __future__ import annotations

from itertools import groupby

from rich.cells import cell_len
from textual import events
from textual.message import Message
from textual.strip import Strip

from replay import display
from replay.compare_panel import sign
from replay.compare_session import NAMES, CompareSession
from replay.document import Piece, Tone, words
from replay.tui.widgets.lines import Toned
from replay.waterfall import column

_LEAST_TRACK = 8


class Tracks(Toned):
    """` A ‖ 00:12.300 / 00:48.260  4× ⇄` and a track for each run; click or drag on one to go there."""

    class Moved(Message):
        """The user pointed at a share of one run, 0 to 1."""

        def __init__(self, side: int, share: float) -> None:
            super().__init__()
            self.side = side
            self.share = share

    def __init__(self, session: CompareSession) -> None:
        super().__init__(id="tracks")
        self._session = session
        self._track_at = 0
        self._dragged: int | None = None
        self._marks: tuple[int, list[dict[int, Piece]]] = 0, [{}, {}]

    def render_line(self, y: int) -> Strip:
        """Draws one run's line."""
        width = self.size.width
        if y > 1:
            return self.strip([], width)
        lead = self._lead(y)
        self._track_at = sum(cell_len(text) for text, _ in lead)
        room = width - self._track_at - 1
        return self.strip([*lead, *self._track(y, room)] if room >= _LEAST_TRACK else lead, width)

    def _lead(self, side: int) -> list[Piece]:
        session = self._session
        clock, here = session.clocks[side], side == session.side
        hours = max(session.compared.lengths_ns) >= 3_600 * 10**9
        playing = clock.playing or (session.locked and session.playing)
        position, whole = (display.clock(ns, hours=hours) for ns in (clock.position_ns, clock.duration_ns))
        tie = "⇄" if session.locked else "╱"
        return [
            words(f" {NAMES[side]} ", Tone.NOW if here else Tone.KEY),
            words("▶ " if playing else "‖ ", Tone.GOOD if playing else Tone.DIM),
            words(position, Tone.STRONG if here else Tone.TEXT),
            words(f" / {whole} ", Tone.DIM),
            words(f"{display.speed(clock.speed):<5} " if side == 0 else f"{tie:<5} ", Tone.DIM),
        ]

    def _track(self, side: int, width: int) -> list[Piece]:
        session = self._session
        clock = session.clocks[side]
        head = column(clock.position_ns, clock.duration_ns, width)
        row: list[Piece] = [words("━", Tone.KEY) if x < head else words("─", Tone.DIM) for x in range(width)]
        for x, piece in self._marks_of(width)[side].items():
            row[x] = piece
        row[head] = words("●", Tone.NOW if side == session.side else Tone.STRONG)
        return [words("".join(c for c, _ in same), tone) for tone, same in groupby(row, key=lambda cell: cell[1])]

    def _marks_of(self, width: int) -> list[dict[int, Piece]]:
        """Where differences lie, by side and cell; worked out once for a width."""
        if self._marks[0] != width:
            session = self._session
            found: list[dict[int, Piece]] = [{}, {}]
            for row in session.differences:
                pair = session.pairs[row]
                for side in (0, 1):
                    step = pair.side(side)
                    if step is None:
                        continue
                    cell = column(step.start_ns, session.compared.lengths_ns[side], width)
                    if pair.parted or cell not in found[side]:
                        found[side][cell] = sign(pair)
            self._marks = width, found
        return self._marks[1]

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Goes there, and starts to drag."""
        if event.y in (0, 1):
            self._dragged = event.y
            self.capture_mouse()
            self._point(event.x)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Drags."""
        if self._dragged is not None:
            self._point(event.x)

    def on_mouse_up(self) -> None:
        """Lets go."""
        self._dragged = None
        self.release_mouse()

    def _point(self, x: int) -> None:
        width = self.size.width - self._track_at - 1
        if width > 1 and self._dragged is not None:
            self.post_message(self.Moved(self._dragged, min(max((x - self._track_at) / (width - 1), 0.0), 1.0)))
