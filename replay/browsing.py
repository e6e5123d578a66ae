"""Moving about in one run: the playhead, the selected row, which rows are shown and how much of the time. Knows no widgets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from replay.clock import ReplayClock
from replay.outline import Outline
from replay.window import Window, whole

if TYPE_CHECKING:
    from replay.folding import Folding
    from replay.markers import Marker
    from replay.timeline import Row, Timeline


class Browsing:
    """The base of a session. `notice` is a sentence for the user about the last action, or ""."""

    def __init__(self, timeline: Timeline, now_ns: Callable[[], int], *, following: bool, at_ns: int | None) -> None:
        """`at_ns`: where to begin, an offset from the start of the run."""
        self._timeline = timeline
        self.clock = ReplayClock(timeline.duration_ns, now_ns, following=following)
        if at_ns is not None:
            self.clock.seek(at_ns)
        self.notice = ""
        self.outline = Outline(timeline)
        self._window = whole(timeline.duration_ns), -1
        self._marker: Marker | None = None
        self._arrived: tuple[int, int] | None = None
        self.selected = self._focus()

    @property
    def position_ns(self) -> int:
        """The playhead, an offset from the start of the run."""
        return self.clock.position_ns

    @property
    def folded(self) -> Folding:
        """The rows that are closed."""
        return self.outline.folding

    @property
    def visible(self) -> Sequence[int]:
        """The rows that are shown; another object after each change."""
        return self.outline.visible

    @property
    def window(self) -> Window:
        """The stretch of time that the waterfall and the scrubber show. It goes where the playhead goes."""
        window, at_ns = self._window
        if at_ns != self.position_ns:
            window = window.of(self.clock.duration_ns).following(self.position_ns)
            self._window = window, self.position_ns
        return window

    @property
    def away(self) -> Row | None:
        """The selected row, where it is not what the playhead is at."""
        row, at_ns = self.selected, self.position_ns
        if row is None or row >= len(self._timeline) or self._timeline.is_active(row, at_ns):
            return None
        return None if row == self._focus() or self._arrived == (row, at_ns) else self._timeline.row(row)

    @property
    def selected_row(self) -> Row | None:
        """The row that the Span panel shows."""
        timeline = self._timeline
        return timeline.row(self.selected) if self.selected is not None and self.selected < len(timeline) else None

    def move_selection(self, by: int) -> None:
        """Up or down among the rows shown; the playhead stays."""
        if not self.visible:
            return
        self.select(self.visible[min(max(self.place_of(self.selected) + by, 0), len(self.visible) - 1)])

    def select(self, row: int) -> None:
        """Selects a row; the playhead stays."""
        self.notice = ""
        self.selected = row

    def activate(self) -> None:
        """Opens or closes the selected row; the playhead goes to one that has nothing to open."""
        row = self.selected_row
        if row is None:
            return
        if not row.has_children or self.outline.steps_only:
            self.go_to_selected()
            return
        self._toggle(row.index)

    def go_to_selected(self) -> None:
        """The playhead goes to the start of the selected row."""
        row = self.selected_row
        if row is not None:
            self.clock.pause()
            self._go(row.index, row.start_ns)

    def set_folded(self, *, folded: bool) -> None:
        """Closes or opens the selected row; closing one that has nothing open selects its parent."""
        row = self.selected_row
        if row is None:
            return
        if row.has_children and (row.index in self.folded) != folded:
            self._toggle(row.index)
        elif folded and row.parent >= 0:
            self.select(row.parent)

    def fold_all(self, *, closed: bool) -> None:
        """Closes or opens every row; the selection stays, or what hides it now is selected."""
        (self.outline.close_all if closed else self.outline.open_all)()
        self._reshaped(f"All rows are {'closed' if closed else 'open'}: {len(self.visible):,} are shown.")

    def toggle_steps(self) -> None:
        """Shows only model calls, tool calls, tests and errors, or all spans again."""
        self.outline.toggle_steps()
        spans, rows = len(self._timeline.spans), len(self.visible)
        self._reshaped(f"Only {rows:,} steps of {spans:,} spans are shown." if self.outline.steps_only else "")

    def _reshaped(self, notice: str) -> None:
        self._marker, self.notice = None, notice
        self.selected = None if self.selected is None else self.outline.shown(self.selected)

    def zoom(self, by: float) -> None:
        """Shows so many times less time around the playhead; more, if below 1."""
        window = self.window.zoom(by, self.position_ns)
        self.notice = "" if window != self.window else "All of the run is in sight." if by < 1 else "It cannot be nearer."
        self._window = window, self.position_ns

    def fit_selected(self) -> None:
        """Shows the time of the selected row; the playhead stays."""
        if (row := self.selected_row) is not None:
            self.notice = ""
            self._window = self.window.fit(row.start_ns, row.end_ns), self.position_ns

    def unzoom(self) -> None:
        """Shows the time of all of the run."""
        self.notice = ""
        self._window = whole(self.clock.duration_ns), self.position_ns

    def _go(self, row: int, position_ns: int) -> None:
        self.notice = ""
        self.clock.seek(position_ns)
        if self.outline.reveal(row):
            self._marker = None
        self.selected = row
        self._arrived = row, position_ns

    def _focus(self) -> int | None:
        """What was going on at the playhead, or the closed row that hides it."""
        row = self._timeline.focus_at(self.position_ns)
        return None if row is None else self.outline.shown(row)

    def _toggle(self, row: int) -> None:
        self.outline.toggle(row)
        self._marker = None

    def place_of(self, row: int | None) -> int:
        """Where a row is among those shown; 0 when it is not."""
        return 0 if row is None else self.outline.place_of(row) or 0
