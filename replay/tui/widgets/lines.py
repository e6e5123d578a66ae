"""What the Line API widgets share: styles by tone, and strips made of safe pieces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from replay.document import Piece, Tone
from replay.tui.themes import tone_styles


class Toned(Widget):
    """A widget that draws its lines itself, from pieces of safe text. Nothing in it reads markup.

    Tones are no component classes of Textual's: those are a node for each tone of each widget, all of which are matched against
    the style sheet whenever a screen is opened.
    """

    _tones: Mapping[Tone, Style] = {}
    _variables: Mapping[str, str] | None = None

    def tone(self, tone: Tone) -> Style:
        """The style of a tone, without a background."""
        variables = self.app.theme_variables
        if variables is not self._variables:
            self._variables, self._tones = variables, tone_styles(variables)
        return self._tones[tone]

    def strip(self, pieces: Iterable[Piece], width: int, base: Style | None = None) -> Strip:
        """One line of exactly `width` cells."""
        under = self.rich_style if base is None else base
        segments = [Segment(text, under + self.tone(tone)) for text, tone in pieces if text]
        return Strip(segments).adjust_cell_length(width, under)
