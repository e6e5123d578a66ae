"""What lies on the scrubber's track, cell by cell: markers where they are few, how many there are where they are not. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final

from replay.markers import MarkerKind, Markers
from replay.window import Window

_DENSE_FROM: Final = 3  # markers a cell, on average
_RARE: Final = 0.5  # errors (tests) a cell, on average, up to which each is shown
_TELLING: Final = 3  # so many standard deviations above what is usual
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_USUAL: Final = len(_BLOCKS) // 2
_BY_GRAVITY: Final = (MarkerKind.ERROR, MarkerKind.TEST, MarkerKind.MODEL_CALL, MarkerKind.TOOL_CALL)


@dataclass(frozen=True, slots=True)
class Cell:
    """How many markers of each kind fall into a cell, the gravest kind first."""

    counts: Mapping[MarkerKind, int]

    @property
    def count(self) -> int:
        """Of all kinds."""
        return sum(self.counts.values())

    @property
    def gravest(self) -> MarkerKind:
        """The kind that a single sign would be of."""
        return next(iter(self.counts))


def cells(markers: Markers, window: Window, width: int) -> dict[int, Cell]:
    """The cells of `width` for a window that hold any. Costs cells, not markers, beside counting them."""
    found: dict[int, Cell] = {}
    if width <= 0:
        return found
    place = bisect_left(markers.offsets, window.start_ns)
    while place < len(markers) and (cell := window.cell(markers.offsets[place], width)) is not None:
        last = not window.length_ns or (cell >= width - 1 and window.end_ns >= window.whole_ns)
        end = len(markers)
        if not last:
            end = bisect_left(markers.offsets, window.start_ns - (-(cell + 1) * window.length_ns // width), place + 1)
        counts = markers.counts(place, end)
        found[cell] = Cell({kind: counts[kind] for kind in _BY_GRAVITY if kind in counts})
        place = end
    return found


def signs(found: Mapping[int, Cell], width: int) -> dict[int, MarkerKind | str]:
    """What each cell shows: the gravest kind; where there are too many for that, a bar as high as their number.

    A bar of half the height is what most cells have. Then a cell still shows an error or a test where those are rare, or there
    are more of them in it than is usual.
    """
    if sum(cell.count for cell in found.values()) < _DENSE_FROM * width:
        return {place: cell.gravest for place, cell in found.items()}
    usual = sorted(cell.count for cell in found.values())[len(found) // 2]
    telling = {kind: _telling(found, kind, width) for kind in (MarkerKind.ERROR, MarkerKind.TEST)}

    def sign(cell: Cell) -> MarkerKind | str:
        kind = next((kind for kind, least in telling.items() if cell.counts.get(kind, 0) >= least), None)
        return kind or _BLOCKS[min(max(round(cell.count * _USUAL / usual), 1), len(_BLOCKS)) - 1]

    return {place: sign(cell) for place, cell in found.items()}


def words(cell: Cell) -> str:
    """`3 errors, 120 model calls`."""
    return ", ".join(f"{count:,} {kind}{'s' if count > 1 else ''}" for kind, count in cell.counts.items())


def _telling(found: Mapping[int, Cell], kind: MarkerKind, width: int) -> float:
    """From how many of a kind on a cell tells of it."""
    usual = sum(cell.counts.get(kind, 0) for cell in found.values()) / width
    return 1 if usual <= _RARE else usual + _TELLING * sqrt(usual)
