"""How far rows of a tree are indented where only some of them are in sight, and what stands above those. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from replay.document import fit

_LEVEL = 2  # cells, where there is room for that
_MORE = "… › "
_BETWEEN = " › "


@dataclass(frozen=True, slots=True)
class Margins:
    """Cells before a row, by its depth; from `numbered` on rows say how deep they are, as there is no room to show it."""

    cells: tuple[tuple[int, int], ...] = ()
    numbered: int | None = None

    def text(self, depth: int) -> str:
        """What stands before a row."""
        space = " " * next((cells for known, cells in self.cells if known == depth), 0)
        return f"{space}{depth} " if self.numbered is not None and depth >= self.numbered else space


def margins(depths: Iterable[int], room: int) -> Margins:
    """Of the rows in sight, in so many cells for their names, of which a third is for this. A child is always deeper.

    The shallowest are not indented at all. Depths that no row in sight has take no room.
    """
    known = sorted(set(depths))
    most = max(room // 3, 1)
    level = _LEVEL if _LEVEL * (len(known) - 1) <= most else 1
    cells = tuple((depth, min(place * level, most)) for place, depth in enumerate(known))
    flat = known[most] if level * (len(known) - 1) > most else None
    return Margins(cells, flat)


def crumbs(names: Sequence[str], width: int) -> str:
    """The rows above, outermost first, as one line of at most `width` cells: the nearest ones, as many as fit."""
    shown = ""
    for left, name in zip(range(len(names) - 1, -1, -1), reversed(names), strict=True):
        longer = f"{name}{_BETWEEN}{shown}" if shown else name
        if cell_len(longer) + (len(_MORE) if left else 0) > width:
            return f"{_MORE}{shown}" if shown else fit(name, width)
        shown = longer
    return shown
