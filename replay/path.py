"""The critical path laid over the rows of a timeline: which stretches of which row the run's length hangs on. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from cabtrace.diagnose.critical_path import critical_path
from replay.timeline import Timeline

Stretch = tuple[int, int]


class PathOverlay:
    """Stretches are offsets from the start of the run, in ns."""

    def __init__(self, timeline: Timeline) -> None:
        """Works it out; takes a while for a large run."""
        rows: dict[str, int] = {}
        for row in range(len(timeline)):
            span_id, group = timeline.key(row)
            if not group:
                rows.setdefault(span_id, row)
        low, whole = timeline.start_ns, timeline.duration_ns
        found = []
        for section in critical_path(timeline.spans, timeline.end_ns):
            at = rows.get(section.span.span_id)
            start, end = max(section.start_ns - low, 0), min(section.end_ns - low, whole)
            if at is not None and start < end:
                found.append((at, start, end))
        self.in_time: Sequence[tuple[int, int, int]] = sorted((start, end, row) for row, start, end in found)
        self._by_row = sorted(found)

    def of(self, row: int, end_row: int) -> list[Stretch]:
        """The stretches of the rows from `row` up to `end_row`."""
        first = bisect_left(self._by_row, (row, -1, -1))
        last = bisect_left(self._by_row, (end_row, -1, -1))
        return [(start, end) for _, start, end in self._by_row[first:last]]

    def row_at(self, offset_ns: int) -> int | None:
        """The row that the path is on at an instant."""
        place = bisect_right(self.in_time, offset_ns, key=lambda stretch: stretch[0]) - 1
        return self.in_time[place][2] if place >= 0 and offset_ns < self.in_time[place][1] else None


def cells(stretches: Sequence[Stretch], duration_ns: int, width: int) -> tuple[set[int], set[int]]:
    """The cells that stretches touch, of `width` for the whole run, and those of them that they cover by half or more."""
    shares: dict[int, int] = {}
    if duration_ns <= 0 or width <= 0:
        return set(), set()
    for start, end in stretches:
        first = min(start * width // duration_ns, width - 1)
        last = min(max(-(-end * width // duration_ns), first + 1), width)
        for cell in range(first, last):
            covered = min(end * width, (cell + 1) * duration_ns) - max(start * width, cell * duration_ns)
            shares[cell] = shares.get(cell, 0) + covered
    return set(shares), {cell for cell, share in shares.items() if 2 * share >= duration_ns}
