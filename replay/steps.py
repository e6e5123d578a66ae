"""The tree without all that is not a step: only the rows of model calls, tool calls, tests and errors."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from replay.folding import step_in_time

if TYPE_CHECKING:
    from replay.timeline import Timeline


class StepRows(Sequence[int]):
    """Rows of steps by place from top to bottom."""

    def __init__(self, timeline: Timeline) -> None:
        """Those of a timeline."""
        self._steps = timeline.columns.steps
        self._n_rows = len(timeline)

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, place: int) -> int:  # type: ignore[override]  # a part of it is of no use
        return self._steps[range(len(self))[place]] % self._n_rows

    def __contains__(self, row: object) -> bool:
        return isinstance(row, int) and self.place_of(row) is not None

    def place_of(self, row: int) -> int | None:
        """Where a row is; None when it is no step."""
        place = bisect_left(self._steps, row)
        return place if place < len(self) and self._steps[place] == row else None


class Steps:
    """What `replay.folding.Folding` says of the tree, of steps alone."""

    def __init__(self, timeline: Timeline) -> None:
        """Of a timeline."""
        self._timeline = timeline
        self._hidden: bytearray | None = None
        self.visible = StepRows(timeline)

    def shown(self, row: int) -> int:
        """The row itself, or the step that it is a part of, else the last that had begun; itself where there is none."""
        if row in self.visible:
            return row
        above = next((one for one in self._timeline.ancestors(row) if self._is_work(one)), None)
        if above is not None:
            return above
        markers = self._timeline.markers
        if not len(markers):
            return row
        return markers[max(bisect_right(markers.offsets, self._timeline.start_of(row)) - 1, 0)].row

    def step(self, offset_ns: int, selected: int | None, by: int) -> int | None:
        """As `Folding.step`."""
        return step_in_time(self._timeline, self.visible.__contains__, self._mask, offset_ns, selected, by)

    def _is_work(self, row: int) -> bool:
        return self._timeline.depth(row) > 0 and row in self.visible

    def _mask(self) -> bytearray:
        """Of each row in order of time whether it is none (1)."""
        if self._hidden is None:
            timeline = self._timeline
            self._hidden = bytearray(b"\1") * len(timeline)
            for row in self.visible:
                self._hidden[timeline.rank(row)] = 0
        return self._hidden
