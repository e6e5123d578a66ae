"""The stretch of a run's time that the waterfall and the scrubber show: all of it, or a part around the playhead. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

LEAST_NS: Final = 1_000  # no window is shorter, unless the run is
_BESIDE: Final = 16  # of a span that a window is fitted to, on either side
_FIT_NS: Final = 1_000_000  # no window is fitted to less


@dataclass(frozen=True, slots=True)
class Window:
    """Offsets are ns from the start of the run, of which `whole_ns` is the length. It never reaches beyond the run."""

    start_ns: int
    length_ns: int
    whole_ns: int

    @property
    def end_ns(self) -> int:
        """The instant behind it."""
        return self.start_ns + self.length_ns

    @property
    def zoomed(self) -> bool:
        """Whether there is more of the run than that."""
        return self.length_ns < self.whole_ns

    @property
    def factor(self) -> float:
        """How many times larger all looks."""
        return self.whole_ns / self.length_ns if self.length_ns else 1.0

    def holds(self, offset_ns: int) -> bool:
        """Whether an instant is in it. The end of the run belongs to the window before it."""
        return self.start_ns <= offset_ns < self.end_ns or offset_ns == self.end_ns == self.whole_ns

    def zoom(self, by: float, around_ns: int) -> Window:
        """So many times narrower (wider, if below 1); `around_ns` stays where it is on the screen, if that is in sight."""
        length_ns = min(max(round(self.length_ns / by), LEAST_NS), self.whole_ns)
        share = (around_ns - self.start_ns) / self.length_ns if self.length_ns and self.holds(around_ns) else 0.5
        return self._at(around_ns - round(share * length_ns), length_ns)

    def fit(self, start_ns: int, end_ns: int) -> Window:
        """One that shows this stretch, with some room on both sides."""
        beside_ns = max((end_ns - start_ns) // _BESIDE, (_FIT_NS - (end_ns - start_ns)) // 2)
        return self._at(start_ns - beside_ns, min(end_ns - start_ns + 2 * beside_ns, self.whole_ns))

    def following(self, offset_ns: int) -> Window:
        """One as long that holds an instant: the next one or the one before if it lies there, else one around it."""
        if self.holds(offset_ns):
            return self
        if 0 <= offset_ns - self.end_ns < self.length_ns:
            share = 1, 8
        elif 0 < self.start_ns - offset_ns <= self.length_ns:
            share = 7, 8
        else:
            share = 1, 2
        return self._at(offset_ns - self.length_ns * share[0] // share[1], self.length_ns)

    def of(self, whole_ns: int) -> Window:
        """The same of a run that has grown; all of it where it was all."""
        if not self.zoomed:
            return whole(whole_ns)
        return replace(self, whole_ns=max(whole_ns, self.end_ns))

    def share(self, share: float) -> int:
        """The instant at a share of it, 0 to 1."""
        return self.start_ns + round(self.length_ns * min(max(share, 0.0), 1.0))

    def cell(self, offset_ns: int, width: int) -> int | None:
        """The cell that an instant falls into, of `width` cells for all of it; None where it is out of sight."""
        if not self.holds(offset_ns):
            return None
        return min((offset_ns - self.start_ns) * width // self.length_ns, width - 1) if self.length_ns and width > 0 else 0

    def instant(self, cell: int, width: int) -> int:
        """The first instant of a cell."""
        return self.start_ns + -(-min(max(cell, 0), max(width - 1, 0)) * self.length_ns // max(width, 1))

    def side(self, start_ns: int, end_ns: int) -> int:
        """Where a stretch lies: before it (-1), after it (1), or at least partly in it (0)."""
        if not self.zoomed:
            return 0
        if start_ns >= self.end_ns and not self.holds(start_ns):
            return 1
        return -1 if end_ns <= self.start_ns and start_ns < self.start_ns else 0

    def _at(self, start_ns: int, length_ns: int) -> Window:
        return Window(min(max(start_ns, 0), self.whole_ns - length_ns), length_ns, self.whole_ns)


def whole(whole_ns: int) -> Window:
    """All of a run."""
    return Window(0, whole_ns, whole_ns)
