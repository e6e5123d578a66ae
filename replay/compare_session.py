"""What the user does with two runs side by side: two playheads, locked to each other or free, and a row of the aligned steps."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from replay.clock import ReplayClock
from replay.compare_steps import Compared, Match, Pair

if TYPE_CHECKING:
    from replay.run import ReplayRun

NAMES: Final = ("A", "B")


class CompareSession:
    """State of the compare screen. `side` is the run that keys act on: 0 left, 1 right. `notice` is a sentence or ""."""

    def __init__(self, runs: tuple[ReplayRun, ReplayRun], compared: Compared, now_ns: Callable[[], int]) -> None:
        """Begins where the runs parted, if that is known."""
        self.runs = runs
        self.compared = compared
        self.clocks = tuple(ReplayClock(length, now_ns) for length in compared.lengths_ns)
        self.side = 0
        self.locked = True
        self.notice = ""
        self.row = 0
        self.differences = tuple(_differences(compared.pairs))
        self._starts = [_starts(compared.pairs, side) for side in (0, 1)]
        if compared.parted is not None:
            self.go_row(compared.parted)

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The aligned steps."""
        return self.compared.pairs

    @property
    def clock(self) -> ReplayClock:
        """Of the side that keys act on."""
        return self.clocks[self.side]

    @property
    def playing(self) -> bool:
        """Whether time passes on either side."""
        return any(clock.playing for clock in self.clocks)

    @property
    def pair(self) -> Pair | None:
        """The row that is chosen."""
        return self.pairs[self.row] if self.row < len(self.pairs) else None

    def positions_ns(self) -> tuple[int, int]:
        """Both playheads, offsets from the start of their runs."""
        return self.clocks[0].position_ns, self.clocks[1].position_ns

    def tick(self) -> None:
        """Once a frame while playing."""
        for clock in self.clocks:
            clock.tick()
        self._moved()

    def toggle_play(self) -> None:
        """Play or pause; the other run follows where playheads are locked."""
        self.notice = ""
        if self.locked:
            self.clocks[1 - self.side].pause()
        self.clock.toggle()
        self._moved()

    def seek(self, offset_ns: int) -> None:
        """The playhead goes there."""
        self.notice = ""
        self.clock.seek(offset_ns)
        self._moved()

    def seek_share(self, share: float) -> None:
        """To a share of the whole, 0 to 1."""
        self.seek(round(self.clock.duration_ns * share))

    def step_time(self, by_ns: int) -> None:
        """So much on or back, then paused."""
        self.notice = ""
        self.clock.step(by_ns)
        self._moved()

    def faster(self) -> None:
        """The next speed up, on both sides."""
        for clock in self.clocks:
            clock.faster()

    def slower(self) -> None:
        """The next speed down, on both sides."""
        for clock in self.clocks:
            clock.slower()

    def switch_side(self) -> None:
        """Keys act on the other run from now on; what played plays on there."""
        self.notice = ""
        played = self.clock.playing and self.locked
        if played:
            self.clock.pause()
        self.side = 1 - self.side
        if played:
            self.clock.play()

    def toggle_lock(self) -> None:
        """Playheads move together, or each on its own; locking brings the other run to the instant that belongs to this one."""
        self.locked = not self.locked
        if self.locked:
            self._moved()
            self.notice = f"Playheads are locked: {NAMES[1 - self.side]} follows {NAMES[self.side]}."
        else:
            self.notice = f"Playheads are free: keys move {NAMES[self.side]} alone; tab changes sides."

    def go_row(self, row: int) -> None:
        """Both playheads go to a step; a run that has no such step, to where it was then."""
        if not self.pairs:
            return
        self.notice = ""
        self.row = min(max(row, 0), len(self.pairs) - 1)
        pair = self.pairs[self.row]
        for side in (0, 1):
            step, other = pair.side(side), pair.side(1 - side)
            self.clocks[side].pause()
            if step is not None:
                self.clocks[side].seek(step.start_ns)
            elif other is not None:
                self.clocks[side].seek(self.compared.instants.across(1 - side, other.start_ns))

    def step(self, by: int) -> None:
        """So many steps on or back."""
        self.go_row(self.row + by)

    def jump_difference(self, by: int) -> None:
        """To the next or previous difference."""
        places = self.differences
        place = bisect_right(places, self.row) if by > 0 else bisect_left(places, self.row) - 1
        if not 0 <= place < len(places):
            self.clock.pause()
            self.notice = "The runs do not differ." if not places else f"No {'later' if by > 0 else 'earlier'} difference."
            return
        self.go_row(places[place])
        note = self.pairs[self.row].note
        self.notice = f"Difference {place + 1:,} of {len(places):,}{f': {note}' if note else ''}"

    def go_parted(self) -> None:
        """To where the runs parted first."""
        if self.compared.parted is None:
            found = self.compared.summary.divergence
            self.notice = found.sentence if found else "The runs do not differ in what was asked, answered or done."
            return
        self.go_row(self.compared.parted)
        self.notice = self.pairs[self.row].note

    def _moved(self) -> None:
        if self.locked:
            across = self.compared.instants.across(self.side, self.clock.position_ns)
            if self.clocks[1 - self.side].position_ns != across:
                self.clocks[1 - self.side].seek(across)
        self.row = self._row_at(self.clock.position_ns)

    def _row_at(self, offset_ns: int) -> int:
        """The step that began last; the chosen one where several began then."""
        starts, rows = self._starts[self.side]
        place = bisect_right(starts, offset_ns) - 1
        if place < 0:
            return 0
        same = range(bisect_left(starts, starts[place]), place + 1)
        return self.row if any(rows[i] == self.row for i in same) else rows[place]


def _starts(pairs: tuple[Pair, ...], side: int) -> tuple[list[int], list[int]]:
    found = sorted((step.start_ns, row) for row, pair in enumerate(pairs) if (step := pair.side(side)) is not None)
    return [start for start, _ in found], [row for _, row in found]


def _differences(pairs: tuple[Pair, ...]) -> list[int]:
    """First rows of what differs: each pair by itself, and each stretch that only one run has."""
    rows = []
    before = Match.SAME
    for row, pair in enumerate(pairs):
        same = pair.match in (Match.SAME, Match.ALIKE)
        if not same and (pair.match is Match.DIFFERS or pair.match is not before):
            rows.append(row)
        before = pair.match
    return rows
