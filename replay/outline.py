"""Which rows of a run's tree are shown: all that is not folded away, or steps only. It stays so while the run grows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from replay.folding import Folding
from replay.steps import Steps

if TYPE_CHECKING:
    from replay.timeline import Timeline


class Outline:
    """`folding` is kept while only steps are shown. `visible` is another object after each change."""

    def __init__(self, timeline: Timeline, closed: Iterable[int] | None = None) -> None:
        """Closes what starts closed, unless other rows are named."""
        self._timeline = timeline
        self.folding = Folding(timeline, timeline.closed() if closed is None else closed)
        self._steps: Steps | None = None

    @property
    def visible(self) -> Sequence[int]:
        """Rows that are shown, by place from top to bottom."""
        return self._shape.visible

    @property
    def steps_only(self) -> bool:
        """Whether only model calls, tool calls, tests and errors are shown."""
        return self._steps is not None

    @property
    def _shape(self) -> Folding | Steps:
        return self.folding if self._steps is None else self._steps

    def place_of(self, row: int) -> int | None:
        """Where a row is among those shown; None when it is not."""
        return self._shape.visible.place_of(row)

    def shown(self, row: int) -> int:
        """The row itself, or the one that stands for it."""
        return self._shape.shown(row)

    def step(self, offset_ns: int, selected: int | None, by: int) -> int | None:
        """The row shown before (`by` -1) or after (1) the selected one in order of time; see `Folding.step`."""
        return self._shape.step(offset_ns, selected, by)

    def reveal(self, row: int) -> bool:
        """Sees to it that a row is shown, whatever hides it; whether anything did."""
        if self.place_of(row) is not None:
            return False
        if self._steps is not None:
            self._steps = None
            self.folding.reveal(row)
            return True
        return self.folding.reveal(row)

    def toggle(self, row: int) -> None:
        """Opens what is closed, closes what is open. Steps have nothing to open."""
        if self._steps is None:
            self.folding.toggle(row)

    def toggle_steps(self) -> None:
        """Steps only, or all again."""
        self._steps = Steps(self._timeline) if self._steps is None else None

    def close_all(self) -> None:
        """Closes all but the roots."""
        self._steps = None
        self.folding = Folding(self._timeline, self._timeline.inner)

    def open_all(self) -> None:
        """Closes nothing."""
        self._steps = None
        self.folding = Folding(self._timeline)

    def of(self, timeline: Timeline) -> Outline:
        """The same of a later timeline of the run: what the user closed is closed, what he opened is open."""
        old, at_first = self._timeline, set(self._timeline.closed())
        opened = {old.key(row) for row in at_first if row not in self.folding}
        closed = (timeline.find(old.key(row)) for row in self.folding if row not in at_first)
        kept = {row for row in closed if row is not None}
        kept.update(row for row in timeline.closed() if not opened or timeline.key(row) not in opened)
        later = Outline(timeline, sorted(kept))
        if self.steps_only:
            later.toggle_steps()
        return later
