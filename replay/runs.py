"""The list of runs as rows of text, failed ones first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len

from replay import display
from replay.document import Piece, Tone, words

if TYPE_CHECKING:
    from pathlib import Path

    from cabtrace.store.catalog import RunSummary

MARK: Final = "*"  # behind the verdict of a provisional run


@dataclass(frozen=True, slots=True)
class Column:
    """`least` and `most` are widths in cells; where room is short, columns of high `rank` go first."""

    title: str
    least: int
    most: int
    rank: int
    right: bool = False


COLUMNS = (
    Column("verdict", 9, 11, 0),
    Column("agent", 5, 18, 1),
    Column("model", 5, 34, 3),
    Column("task", 12, 48, 1),
    Column("#", 2, 4, 4, right=True),
    Column("cause", 8, 16, 5),
    Column("wall", 6, 8, 2, right=True),
    Column("tokens", 6, 12, 6, right=True),
    Column("score", 5, 7, 2, right=True),
    Column("started", 16, 16, 7),
)


@dataclass(frozen=True, slots=True)
class RunRow:
    """`cells` stand under `COLUMNS`; `error` says why a run cannot be read."""

    path: Path
    cells: tuple[Piece, ...] = ()
    error: str = ""
    failed: bool = False
    provisional: bool = False
    started_at: str = ""

    text: str = ""  # what the filter looks at

    def __post_init__(self) -> None:
        """The filter's text, once: it is looked at with every letter."""
        if not self.text:
            text = " ".join([*(text for text, _ in self.cells), self.error]).casefold()
            object.__setattr__(self, "text", text)


def in_order(rows: Iterable[RunRow]) -> list[RunRow]:
    """Failed ones before the others, newest first."""
    newest = sorted(rows, key=lambda row: row.started_at, reverse=True)
    return sorted(newest, key=lambda row: not row.failed)


class Filter:
    """Rows that hold every word of a query; where there is none, rows that hold the words' letters in that order.

    Each letter more looks only at what the letters before had left.
    """

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self._rows = rows
        self._query = ""
        self._exact: Sequence[RunRow] = rows
        self._loose: Sequence[RunRow] = rows

    def narrow(self, query: str) -> Sequence[RunRow]:
        """In the order of all rows."""
        query = query.casefold()
        if not query.startswith(self._query):
            self._exact = self._loose = self._rows
        self._query = query
        wanted = query.split()
        for word in wanted:
            self._exact = [row for row in self._exact if word in row.text]
        if self._exact or not wanted:
            return self._exact
        for letter in {letter for word in wanted for letter in word}:  # far cheaper than a spelling, and most rows lack one
            self._loose = [row for row in self._loose if letter in row.text]
        spellings = [re.compile("[^ ]*?".join(map(re.escape, word))) for word in wanted]
        self._loose = [row for row in self._loose if all(spelling.search(row.text) for spelling in spellings)]
        return self._loose


def run_row(run: RunSummary) -> RunRow:
    """One run."""
    header = run.header
    if header is None:
        near = "/".join(run.path.parts[-2:])  # the whole path would leave no room for what is wrong
        return RunRow(run.path, error=run.error.replace(str(run.path), near, 1), failed=True)
    tokens = header.scores.get("tokens", {}).get("values")
    total = tokens.get("total_tokens") if isinstance(tokens, dict) else None
    wall = None if header.duration_s is None else header.duration_s * 1e9
    sign, tone = display.verdict(header, live=run.live, aborted=run.aborted)
    cells = (
        words(f"{sign} {MARK}" if header.provisional else sign, tone),
        words(header.agent.name[:200]),
        words(header.model[:200], Tone.DIM),
        words(header.task.id[:400], Tone.STRONG),
        words(str(header.attempt), Tone.DIM),
        words(header.cause.value if header.cause else display.UNKNOWN, Tone.DIM),
        words(display.duration(wall)),
        words(display.count(total if isinstance(total, int) else None), Tone.DIM),
        words(header.composite_words),
        words(header.started_at[:16].replace("T", " "), Tone.DIM),
    )
    failed = run.failed or run.live
    return RunRow(run.path, cells, failed=failed, provisional=header.provisional, started_at=header.started_at)


def column_widths(rows: Sequence[RunRow], width: int, *, sample: int = 200) -> list[int]:
    """A width for each column, 0 for one that has no room; taken from the first rows."""
    wanted = [len(c.title) for c in COLUMNS]
    for row in rows[:sample]:
        if row.cells:
            wanted = [max(w, cell_len(text)) for w, (text, _) in zip(wanted, row.cells, strict=True)]
    wanted = [min(max(w, c.least), c.most) for w, c in zip(wanted, COLUMNS, strict=True)]
    shown = set(range(len(COLUMNS)))

    def total(widths: Sequence[int]) -> int:
        return sum(widths[i] + 2 for i in shown)

    least = [c.least for c in COLUMNS]
    while len(shown) > 1 and total(least) > width:
        shown.discard(max(shown, key=lambda i: COLUMNS[i].rank))
    for _ in range(max(total(wanted) - width, 0)):  # a cell from the column that has the most to spare
        most = max(shown, key=lambda i: wanted[i] - least[i])
        wanted[most] -= wanted[most] > least[most]
    return [wanted[i] if i in shown else 0 for i in range(len(COLUMNS))]
