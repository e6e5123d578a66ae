"""The list of runs as rows of text, failed ones first. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len

from cabtrace.store.catalog import RunSummary
from replay import display
from replay.document import Piece, Tone, words


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
    started_at: str = ""

    @property
    def text(self) -> str:
        """What the filter looks at."""
        return " ".join([*(text for text, _ in self.cells), self.error]).casefold()


def in_order(rows: Iterable[RunRow]) -> list[RunRow]:
    """Failed ones before the others, newest first."""
    newest = sorted(rows, key=lambda row: row.started_at, reverse=True)
    return sorted(newest, key=lambda row: not row.failed)


def narrowed(rows: Sequence[RunRow], query: str) -> list[RunRow]:
    """Rows that hold every word of a filter; where there is none, rows that hold the words' letters in that order."""
    wanted = query.casefold().split()
    exact = [row for row in rows if all(word in row.text for word in wanted)]
    if exact or not wanted:
        return exact
    spellings = [re.compile("[^ ]*?".join(map(re.escape, word))) for word in wanted]
    return [row for row in rows if all(spelling.search(row.text) for spelling in spellings)]


def run_rows(runs: Iterable[RunSummary]) -> list[RunRow]:
    """Failed ones before the others, newest first."""
    return in_order(map(run_row, runs))


def run_row(run: RunSummary) -> RunRow:
    """One run."""
    header = run.header
    if header is None:
        near = "/".join(run.path.parts[-2:])  # the whole path would leave no room for what is wrong
        return RunRow(run.path, error=run.error.replace(str(run.path), near, 1), failed=True)
    tokens = header.scores.get("tokens", {}).get("values")
    total = tokens.get("total_tokens") if isinstance(tokens, dict) else None
    wall = None if header.duration_s is None else header.duration_s * 1e9
    cells = (
        display.verdict(header, live=run.live, aborted=run.aborted),
        words(header.agent.name[:200]),
        words(header.model[:200], Tone.DIM),
        words(header.task.id[:400], Tone.STRONG),
        words(str(header.attempt), Tone.DIM),
        words(header.cause.value if header.cause else display.UNKNOWN, Tone.DIM),
        words(display.duration(wall)),
        words(display.count(total if isinstance(total, int) else None), Tone.DIM),
        words(display.score(display.composite(header))),
        words(header.started_at[:16].replace("T", " "), Tone.DIM),
    )
    return RunRow(run.path, cells, failed=run.failed or run.live, started_at=header.started_at)


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
    over = total(wanted) - width
    for i in sorted(shown, key=lambda i: wanted[i] - least[i], reverse=True):
        if over <= 0:
            break
        cut = min(over, wanted[i] - least[i])
        wanted[i] -= cut
        over -= cut
    return [wanted[i] if i in shown else 0 for i in range(len(COLUMNS))]
