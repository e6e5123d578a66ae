"""The list of runs as rows of text, in any order, filtered. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import inf
from typing import TYPE_CHECKING, Final

from replay import display
from replay.document import Piece, Tone, words
from replay.run_columns import ATTEMPT, CAUSE, SWEEP, WALL

if TYPE_CHECKING:
    from pathlib import Path

    from cabtrace.store.catalog import RunSummary
    from cabtrace.text import SafeText

MARK: Final = "*"  # behind the verdict of a provisional run
_NOT_YET: Final = "–"  # of a live run


class Order(StrEnum):
    """What the list is sorted by; the newest first among equals."""

    FAILED = "failed first"
    NEWEST = "newest first"
    WALL = "longest first"
    TOKENS = "most tokens first"
    COMPOSITE = "lowest composite first"


@dataclass(frozen=True, slots=True)
class RunRow:
    """`cells` stand under `COLUMNS`; `error` says why a run cannot be read.

    `failed`: it ended so. `live`: it is being recorded, since `started_at`. `amounts` are wall in seconds, tokens and composite.
    """

    path: Path
    cells: tuple[Piece, ...] = ()
    error: str = ""
    failed: bool = False
    live: bool = False
    provisional: bool = False
    started_at: str = ""
    amounts: tuple[float | None, int | None, float | None] = (None, None, None)

    text: str = ""  # what the filter looks at

    def __post_init__(self) -> None:
        """The filter's text, once: it is looked at with every letter."""
        if not self.text:
            text = " ".join([*(text for text, _ in self.cells), self.error]).casefold()
            object.__setattr__(self, "text", text)

    def wall_s(self, now_s: float) -> float | None:
        """How long it took, or has taken so far; `now_s` is Unix time. None where that is unknown."""
        if not self.live:
            return self.amounts[0]
        try:
            started = datetime.fromisoformat(self.started_at)
        except ValueError:
            return None
        return max(now_s - started.timestamp(), 0.0) if started.tzinfo else None


def in_order(rows: Iterable[RunRow], order: Order = Order.FAILED, now_s: float = 0.0) -> list[RunRow]:
    """Newest first, and over that as `order` says; what is unknown comes last. What is live stands with what failed."""
    newest = sorted(rows, key=lambda row: row.started_at, reverse=True)
    match order:
        case Order.NEWEST:
            return newest
        case Order.FAILED:
            return sorted(newest, key=lambda row: not (row.failed or row.live))
        case Order.WALL:
            return sorted(newest, key=lambda row: _unknown_last(row.wall_s(now_s), downwards=True))
        case Order.TOKENS:
            return sorted(newest, key=lambda row: _unknown_last(row.amounts[1], downwards=True))
        case Order.COMPOSITE:
            return sorted(newest, key=lambda row: _unknown_last(row.amounts[2]))


def _unknown_last(amount: float | None, *, downwards: bool = False) -> float:
    if amount is None:
        return inf
    return -amount if downwards else amount


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
    found = header.scores.get("tokens", {}).get("values")
    total = found.get("total_tokens") if isinstance(found, dict) else None
    tokens = total if isinstance(total, int) and not isinstance(total, bool) else None
    wall = None if header.duration_s is None else header.duration_s * 1e9
    sign, tone = display.verdict(header, live=run.live, aborted=run.aborted)
    cause = header.cause.value if header.cause else display.UNKNOWN
    ended = (cause, display.duration(wall), display.count(tokens), header.composite_words)
    cause, took, spent, score = (_NOT_YET,) * 4 if run.live else ended
    cells = (
        words(f"{sign} {MARK}" if header.provisional else sign, tone),
        words(header.sweep_id[:200], Tone.DIM),
        words(header.agent.name[:200]),
        words(header.model[:200], Tone.DIM),
        words(header.task.id[:400], Tone.STRONG),
        words(str(header.attempt), Tone.DIM),
        words(cause, Tone.DIM),
        words(took),
        words(spent, Tone.DIM),
        words(score),
        words(header.started_at[:16].replace("T", " "), Tone.DIM),
    )
    return RunRow(
        run.path,
        cells,
        failed=run.failed,
        live=run.live,
        provisional=header.provisional,
        started_at=header.started_at,
        amounts=(header.duration_s, tokens, header.composite),
    )


def live_wall(row: RunRow, now_s: float) -> SafeText:
    """`12 s …`: how long a run that is being recorded has taken so far."""
    wall_s = row.wall_s(now_s)
    return words(_NOT_YET if wall_s is None else f"{display.duration(int(wall_s) * 1e9)} …")[0]


def identity(row: RunRow, now_s: float) -> list[Piece]:
    """All that names a run, and how it ended: what the columns had to cut."""
    if not row.cells:
        return [words(str(row.path), Tone.STRONG), words(f"  {row.error}", Tone.WARN)]
    texts = [text for text, _ in row.cells]
    name = " / ".join(texts[SWEEP:ATTEMPT]) + f" #{texts[ATTEMPT]}"
    if row.live:
        wall_s = row.wall_s(now_s)
        so_far = "" if wall_s is None else f", {display.duration(int(wall_s) * 1e9)} so far"
        return [words(name, Tone.STRONG), words(f"  is being recorded{so_far}", Tone.WARN)]
    return [words(name, Tone.STRONG), words(f"  {texts[CAUSE]}, {texts[WALL]}", Tone.DIM)]
