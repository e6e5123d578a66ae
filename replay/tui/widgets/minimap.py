"""One line for the whole run: what its length hangs on, from left to right, above the scrubber's track."""

from __future__ import annotations

from itertools import groupby

from textual.strip import Strip

from replay import display
from replay.document import Tone, words
from replay.session import Session
from replay.tui.widgets.lines import Toned
from replay.tui.widgets.scrubber import Scrubber

_LABEL = " critical path"


class Minimap(Toned):
    """Shown together with the critical path in the waterfall."""

    def __init__(self, session: Session, scrubber: Scrubber) -> None:
        super().__init__(id="minimap")
        self._session = session
        self._scrubber = scrubber
        self.display = False

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        width, lead = self.size.width, self._scrubber.lead_width
        room = width - lead - 1
        path, timeline = self._session.path, self._session.snapshot.timeline
        label = words(_LABEL.ljust(lead)[:lead], Tone.DIM)
        if path is None or room < 8:
            return self.strip([label], width)
        tones = []
        for x in range(room):
            row = path.row_at((2 * x + 1) * timeline.duration_ns // (2 * room))
            tones.append(None if row is None else display.tone(timeline.row(row).span))
        runs = [(tone, len(list(same))) for tone, same in groupby(tones)]
        return self.strip([label, *(words(("▄" if tone else " ") * n, tone or Tone.DIM) for tone, n in runs)], width)
