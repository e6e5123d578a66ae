"""A small terminal: one pane at a time, with its name above it; tab goes to the next."""

from __future__ import annotations

from typing import Final

from textual.screen import Screen
from textual.widget import Widget

_LEAST_COLUMNS: Final = 70
_LEAST_ROWS: Final = 18
_PANES: Final = ("spans", "terminal", "document")


class OnePaneScreen(Screen[None]):
    """Where there is no room for three panes, the style sheet shows that of the class `-on-PANE`, with `-single`."""

    def on_resize(self) -> None:
        """One pane or all."""
        columns, rows = self.app.size
        single = columns < _LEAST_COLUMNS or rows < _LEAST_ROWS
        if single is not self.has_class("-single"):
            self.set_class(single, "-single")
            self._mark(self.focused.id if self.focused is not None and self.focused.id in _PANES else _PANES[0])

    def turn_to(self, pane: str) -> None:
        """Shows a pane, where it is not in sight."""
        if self.has_class("-single") and not self.has_class(f"-on-{pane}"):
            self._mark(pane)
            self.call_after_refresh(self._focus_on, pane)

    def focus_next(self, selector: str | type[Widget] = "*") -> Widget | None:
        """Tab."""
        return self._turn(1) if self.has_class("-single") else super().focus_next(selector)

    def focus_previous(self, selector: str | type[Widget] = "*") -> Widget | None:
        """Shift and tab."""
        return self._turn(-1) if self.has_class("-single") else super().focus_previous(selector)

    def _turn(self, by: int) -> Widget | None:
        shown = next(place for place, pane in enumerate(_PANES) if self.has_class(f"-on-{pane}"))
        self.turn_to(_PANES[(shown + by) % len(_PANES)])
        return self.focused  # the pane is focused once it is in sight

    def _mark(self, shown: str | None) -> None:
        for pane in _PANES:
            self.set_class(pane == shown, f"-on-{pane}")

    def _focus_on(self, pane: str) -> None:
        self.set_focus(self.query_one(f"#{pane}"))
