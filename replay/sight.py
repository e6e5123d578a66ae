"""Which part of a screen is seen where it has not enough room: the same for the same screen, however one came there. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay.finding import Span
    from replay.screen import Screen

_STEP = 8  # columns, so that a line that is being written does not move with each letter


@dataclass(frozen=True, slots=True)
class Sight:
    """`top` is the first row that is seen. Rows are seen from their first column, but for those that `slid` says begin later."""

    top: int = 0
    slid: dict[int, int] = field(default_factory=dict)


def sight(screen: Screen, width: int, height: int, hit: tuple[int, Span] | None = None) -> Sight:
    """What is seen in so many cells: the end of what is written, and more so the cursor, and most of all a `hit`.

    The hit is a row and columns of it. What slides is the row that the cursor or the hit is on, as in an editor of lines, and
    no other: where lines begin says more than where they end.
    """
    top = _top(screen, height)
    wanted = {screen.cursor[1]: (screen.cursor[0], screen.cursor[0] + 1)} if screen.cursor else {}
    if hit is not None:
        wanted[hit[0]] = hit[1]
        if not top <= hit[0] < top + height:
            top = min(max(hit[0] - height // 2, 0), max(screen.rows - height, 0))
    lefts = ((row, _left(columns, width, screen.columns)) for row, columns in wanted.items())
    return Sight(top, {row: left for row, left in lefts if left})


def _top(screen: Screen, height: int) -> int:
    used = next((y for y in range(len(screen.lines) - 1, -1, -1) if _is_used(screen, y)), 0)
    if screen.cursor is None:
        return max(used - height + 1, 0)
    return min(max(used - height + 1, screen.cursor[1] - height + 1, 0), screen.cursor[1])


def _is_used(screen: Screen, row: int) -> bool:
    return any(run.background or not run.text.isspace() for run in screen.lines[row] if run.text)


def _left(columns: Span, width: int, whole: int) -> int:
    """The last cell is left to a mark where there is more, and so is the first one."""
    first, last = columns
    most = max(whole - width, 0)
    over = last - (width - 1)
    if over <= 0 or not most:
        return 0
    left = min(-(-over // _STEP) * _STEP, most)
    return left if first > left else max(first - 1, 0)
