"""The whole run above the scrubber's track: what its length hangs on, in numbers and from left to right, and what is in sight."""

from __future__ import annotations

from itertools import groupby

from textual.strip import Strip

from replay import density, display
from replay.document import Tone, words
from replay.markers import MarkerKind
from replay.session import Session
from replay.tui.widgets.pointed import Pointed
from replay.tui.widgets.scrubber import Scrubber
from replay.window import Window, whole

_LABEL = " critical path"
_SIGNS = {
    "model": ("▄ ", Tone.MODEL),
    "tools": ("▄ ", Tone.TOOL),
    "harness": ("▄ ", Tone.HARNESS),
    "idle": ("▄ ", Tone.TEXT),
}


class Minimap(Pointed):
    """Shown together with the critical path in the waterfall, and while the waterfall and the scrubber show a part of the run."""

    def __init__(self, session: Session, scrubber: Scrubber) -> None:
        super().__init__(id="minimap")
        self._session = session
        self._scrubber = scrubber
        self._signs: tuple[object, dict[int, MarkerKind | str]] = None, {}
        self.display = False

    def update(self) -> None:
        """Draws the session as it is now; takes no room where there is nothing to say."""
        path, zoomed = self._session.path_shown, self._session.window.zoomed
        self.display = path or zoomed
        if self.display:
            self.styles.height = 2 if path else 1
            self.refresh()

    @property
    def window(self) -> Window:
        """All of the run."""
        return whole(self._session.snapshot.timeline.duration_ns)

    def render_line(self, y: int) -> Strip:
        """The numbers, if the critical path is shown, then the lane."""
        return self._numbers() if self._session.path_shown and y == 0 else self._lane()

    def _numbers(self) -> Strip:
        path = self._session.path
        pieces = [words(f"{_LABEL}  ", Tone.DIM)]
        for name, share in (path.shares if path is not None else {}).items():
            pieces += [words(*_SIGNS[name]), words(f"{name} "), words(f"{share * 100:.0f} %", Tone.STRONG), words("   ")]
        return self.strip(pieces, self.size.width)

    def _lane(self) -> Strip:
        width, lead = self.size.width, self._scrubber.lead_width
        room, session = width - lead - 1, self._session
        self.track = lead, room
        near = session.window
        said = f" {display.magnified(near.factor)}  {display.duration(near.length_ns)} in sight" if near.zoomed else ""
        label = words(said.ljust(lead)[:lead], Tone.NOW)
        if room < 8:
            return self.strip([label], width)
        path = session.path if session.path_shown else None
        cells = [self._on_path(x, room) for x in range(room)] if path else self._markers(room)
        if near.zoomed:
            first, last = self._sight(room)
            cells[first : last + 1] = [(sign, Tone.KEY if tone is Tone.DIM else tone) for sign, tone in cells[first : last + 1]]
            cells[first], cells[last] = ("[", Tone.NOW), ("]", Tone.NOW)
            if first == last:
                cells[first] = "█", Tone.NOW
        runs = groupby(cells, key=lambda cell: cell[1])
        return self.strip([label, *(words("".join(c for c, _ in same), tone) for tone, same in runs)], width)

    def _sight(self, room: int) -> tuple[int, int]:
        """The first and the last cell of what is in sight."""
        near, all_of_it = self._session.window, self.window
        first = all_of_it.cell(near.start_ns, room) or 0
        return first, max(all_of_it.cell(max(near.end_ns - 1, near.start_ns), room) or 0, first)

    def _on_path(self, x: int, room: int) -> tuple[str, Tone]:
        session = self._session
        timeline = session.snapshot.timeline
        assert session.path is not None
        row = session.path.row_at((2 * x + 1) * timeline.duration_ns // (2 * room))
        return (" ", Tone.DIM) if row is None else ("▄", display.tone(timeline.row(row).span))

    def _markers(self, room: int) -> list[tuple[str, Tone]]:
        timeline = self._session.snapshot.timeline
        key = timeline, room
        if self._signs[0] != key:
            self._signs = key, density.signs(density.cells(timeline.markers, self.window, room), room)
        found = ((self._signs[1].get(x, "─")) for x in range(room))
        return [display.marker_sign(sign) if isinstance(sign, MarkerKind) else (sign, Tone.DIM) for sign in found]

    def told(self, cell: int, width: int) -> str:
        """The instant of a cell."""
        window = self.window
        return display.clock(window.instant(cell, width), hours=display.has_hours(window.whole_ns))
