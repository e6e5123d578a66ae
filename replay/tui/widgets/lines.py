"""What the Line API widgets share: styles by tone, and strips made of safe pieces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from replay.document import Piece, Tone


class Toned(Widget):
    """A widget that draws its lines itself, from pieces of safe text. Nothing in it reads markup."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"tone--{tone}" for tone in Tone}

    def tone(self, tone: Tone) -> Style:
        """The style of a tone, without a background."""
        return self.get_component_rich_style(f"tone--{tone}", partial=True)

    def strip(self, pieces: Iterable[Piece], width: int, base: Style | None = None) -> Strip:
        """One line of exactly `width` cells."""
        under = self.rich_style if base is None else base
        segments = [Segment(text, under + self.tone(tone)) for text, tone in pieces if text]
        return Strip(segments).adjust_cell_length(width, under)
