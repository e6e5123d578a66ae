"""Bars of the waterfall, as cells. Pure."""

from __future__ import annotations

from replay.window import Window

_LEFT_BLOCKS = " ▏▎▍▌▋▊▉█"  # filled from the left, by eighths
_FROM_RIGHT = {1: "▕", 2: "▕", 3: "▐", 4: "▐", 5: "▐", 6: "█", 7: "█"}


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


def bar_in(window: Window, start_ns: int, end_ns: int, width: int) -> tuple[str, bool]:
    """`width` cells with the part of a stretch that a window shows; else an arrow to where it is, and True."""
    side = window.side(start_ns, end_ns)
    if side:
        return ("›".rjust(width) if side > 0 else "‹".ljust(width)), True
    first, text = bar(start_ns - window.start_ns, end_ns - window.start_ns, window.length_ns, width)
    return (" " * first + text).ljust(width), False
