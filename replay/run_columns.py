"""The columns of the list of runs, and how wide each is: what tells the rows apart has the room. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from replay.document import fit, fit_end

if TYPE_CHECKING:
    from cabtrace.text import SafeText
    from replay.runs import RunRow

_ROOMY: Final = 96  # cells; from there on columns lie two apart
_FIRM: Final = 28  # cells of a name that matter more than the columns of these ranks
_LOOSE_RANK: Final = 6
_LIVE_WALL: Final = "59m 59s …"  # as wide as the time of a live run will be soon


@dataclass(frozen=True, slots=True)
class Column:
    """`least` and `most` are widths in cells; where room is short, columns of high `rank` go first.

    `tail`: its end says most, so its beginning is cut. `alike`: it may go before others where it says the same in all rows.
    `telling`: it is there only where it does not.
    """

    title: str
    least: int
    most: int
    rank: int
    right: bool = False
    tail: bool = False
    alike: bool = False
    telling: bool = False


COLUMNS: Final = (
    Column("verdict", 7, 11, 0),
    Column("sweep", 6, 24, 3, tail=True, alike=True, telling=True),
    Column("agent", 7, 18, 1, alike=True),
    Column("model", 7, 40, 3, tail=True, alike=True),
    Column("task", 12, 64, 1, tail=True),
    Column("#", 1, 4, 4, right=True, alike=True),
    Column("cause", 8, 20, 5),
    Column("wall", 9, 9, 2, right=True),
    Column("tokens", 6, 14, 6, right=True),
    Column("composite", 9, 9, 2, right=True),
    Column("started", 16, 16, 7),
)
(VERDICT, SWEEP, AGENT, MODEL, TASK, ATTEMPT, CAUSE, WALL, TOKENS, SCORE, STARTED) = range(len(COLUMNS))


def fit_column(text: str, place: int, width: int) -> SafeText:
    """A cell's text as its column cuts it."""
    return fit_end(text, width) if COLUMNS[place].tail else fit(text, width)


def gap(width: int) -> int:
    """Cells between columns."""
    return 2 if width >= _ROOMY else 1


def column_widths(rows: Sequence[RunRow], width: int, *, sample: int = 200) -> list[int]:
    """A width for each column, 0 for one that has no room or nothing to tell; taken from the first rows.

    Where not all of it fits: what many rows begin with is cut, then columns go that say the same in all rows, then those
    that matter least, and then a cell at a time goes from the column that has the most to spare.
    """
    first = [row for row in rows[:sample] if row.cells]
    texts: list[tuple[str, ...]] = list(zip(*([text for text, _ in row.cells] for row in first), strict=True))
    texts = texts or [()] * len(COLUMNS)
    if any(row.live for row in first):
        texts[WALL] = (*texts[WALL], _LIVE_WALL)
    differ = [len(set(column)) > 1 for column in texts]
    shown = {i for i, c in enumerate(COLUMNS) if differ[i] or not c.telling}
    whole = [_width(c, column) for c, column in zip(COLUMNS, texts, strict=True)]
    cut = [_width(c, _without_prefix(column) if c.tail else column) for c, column in zip(COLUMNS, texts, strict=True)]
    least = [min(c.least, w) for c, w in zip(COLUMNS, cut, strict=True)]

    def total(widths: Sequence[int]) -> int:
        return sum(widths[i] + gap(width) for i in shown)

    if total(whole) <= width:
        return [w if i in shown else 0 for i, w in enumerate(whole)]
    alike = [i for i in shown if COLUMNS[i].alike and not differ[i]] if len(texts[0]) > 1 else []
    for i in sorted(alike, key=lambda i: COLUMNS[i].rank, reverse=True):
        if total(cut) > width:
            shown.discard(i)
    firm = [min(w, _FIRM) if c.tail or c.alike else low for c, w, low in zip(COLUMNS, cut, least, strict=True)]
    for i in sorted(shown, key=lambda i: COLUMNS[i].rank, reverse=True):
        if COLUMNS[i].rank >= _LOOSE_RANK and total(firm) > width:
            shown.discard(i)
    while len(shown) > 1 and total(least) > width:
        shown.discard(max(shown, key=lambda i: COLUMNS[i].rank))
    wanted = list(cut)
    for _ in range(max(total(wanted) - width, 0)):
        most = max(shown, key=lambda i: wanted[i] - least[i])
        wanted[most] -= wanted[most] > least[most]
    for i in sorted(shown, key=lambda i: whole[i] - wanted[i]):  # what is left over goes where it makes a column whole
        if wanted[i] == cut[i] and total(wanted) + whole[i] - cut[i] <= width:
            wanted[i] = whole[i]
    return [wanted[i] if i in shown else 0 for i in range(len(COLUMNS))]


def _width(column: Column, texts: Sequence[str]) -> int:
    return min(max([len(column.title), *map(cell_len, texts)]), column.most)


def _without_prefix(texts: Sequence[str]) -> Sequence[str]:
    """Without what all of them begin with, up to a slash: an ellipsis stands for it."""
    if not texts:
        return texts
    low, high = min(texts), max(texts)  # what these share all share
    prefix = low[: next((at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))]
    slash = prefix.rfind("/")
    return [f"…{text[slash:]}" for text in texts] if slash > 0 else texts
