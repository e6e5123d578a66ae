"""Bars of the waterfall and the scrubber's track, as cells. Pure."""

from __future__ import annotations

from bisect import bisect_left

from replay.markers import MarkerKind, Markers

_LEFT_BLOCKS = " ▏▎▍▌▋▊▉█"  # filled from the left, by eighths
_FROM_RIGHT = {1: "▕", 2: "▕", 3: "▐", 4: "▐", 5: "▐", 6: "█", 7: "█"}
_BY_GRAVITY = (MarkerKind.ERROR, MarkerKind.TEST, MarkerKind.MODEL_CALL)


def column(offset_ns: int, duration_ns: int, width: int) -> int:
    """The cell that an instant falls into, of `width` cells for the whole."""
    if duration_ns <= 0 or width <= 1:
        return 0
    return min(max(offset_ns * width // duration_ns, 0), width - 1)


def bar(start_ns: int, end_ns: int, duration_ns: int, width: int) -> tuple[int, str]:
    """First cell and text of a bar, fine to an eighth of a cell; never empty, never out of `width` cells."""
    if width <= 0:
        return 0, ""
    span = max(duration_ns, 1)
    total = width * 8
    first = min(max(start_ns * total // span, 0), total - 1)
    last = min(max(-(-end_ns * total // span), first + 1), total)
    cells = []
    for cell in range(first // 8, (last - 1) // 8 + 1):
        left, right = max(first - cell * 8, 0), min(last - cell * 8, 8)
        # What lies within one cell is drawn from its left: a part of a cell is all that is lost.
        cells.append(_FROM_RIGHT[8 - left] if left and right == 8 else _LEFT_BLOCKS[right - left])
    return first // 8, "".join(cells)


def track(markers: Markers, duration_ns: int, width: int) -> dict[int, MarkerKind]:
    """What each cell of the scrubber shows, where several fall into one the gravest. Costs cells, not markers."""
    cells: dict[int, MarkerKind] = {}
    place = 0
    while place < len(markers):
        cell = column(markers.offsets[place], duration_ns, width)
        last = duration_ns <= 0 or cell >= width - 1
        end = len(markers) if last else bisect_left(markers.offsets, -(-(cell + 1) * duration_ns // width), place + 1)
        kinds = markers.kinds(place, end)
        cells[cell] = next((kind for kind in _BY_GRAVITY if kind in kinds), MarkerKind.TOOL_CALL)
        place = end
    return cells
