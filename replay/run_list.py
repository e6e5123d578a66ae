"""What the user does with the list of runs: sort, filter, group by what went wrong, fold, choose, mark two. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cabtrace.diagnose.triage import Failure, cluster
from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.text import SafeText, safe
from replay.document import Piece, Tone, words
from replay.runs import MARK, Filter, Order, RunRow, identity, in_order

FINE: Final = ("", "", "")  # the key of the group of runs that did not fail
_UNREAD: Final = ("?", "", "")


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The header of a group. `rule` and `signature` are as recorded; `size`: runs in it that the filter left."""

    key: tuple[str, str, str]
    rule: str
    signature: str
    size: int
    folded: bool


Entry = RunRow | GroupRow


class RunList:
    """State of the list. `entries` is what is shown; `chosen` a place in it. `failures` is None while it is not grouped.

    `reading`: more of the store may come. `to_diagnose`: how many runs the groups wait for, 0 once they are complete.
    """

    def __init__(self) -> None:
        self.all: Sequence[RunRow] = ()
        self.reading = True
        self.query = ""
        self.failed_only = False
        self.entries: Sequence[Entry] = ()
        self.matching = 0
        self.failed = self.live = 0
        self.order = Order.FAILED
        self.provisional = False
        self.chosen = 0
        self.marks: list[Path] = []
        self.failures: Mapping[Path, Failure] | None = None
        self.to_diagnose = 0
        self.folded: set[tuple[str, str, str]] = {FINE}
        self._moved = False
        self._filter = Filter(())

    def take(self, rows: Sequence[RunRow], *, reading: bool = False, now_s: float = 0.0) -> None:
        """Some more of the store was read, failed first; the chosen run stays chosen once the user has moved."""
        self.reading = reading
        kept = self._here() if self._moved else None
        self.all = rows if self.order is Order.FAILED else in_order(rows, self.order, now_s)
        self.failed, self.live = sum(row.failed for row in rows), sum(row.live for row in rows)
        self.provisional = any(row.provisional for row in rows)
        self._show(kept, anew=True)

    def find(self, query: str) -> None:
        """Shows what matches."""
        kept = self._here()
        self.query = query
        self._show(kept)

    def toggle_failed(self) -> None:
        """Only runs that failed, or all."""
        kept = self._here()
        self.failed_only = not self.failed_only
        self._show(kept, anew=True)

    def sort(self, now_s: float) -> None:
        """By what comes next in `Order`; the chosen run stays chosen once the user has moved. `now_s`: Unix time."""
        orders = list(Order)
        self.order = orders[(orders.index(self.order) + 1) % len(orders)]
        kept = self._here() if self._moved else None
        self.all = in_order(self.all, self.order, now_s)
        self._show(kept, anew=True)

    def widen(self) -> bool:
        """Drops the filter or, where there is none, shows more than what failed; False where all runs are shown."""
        if self.query:
            self.find("")
        elif self.failed_only:
            self.toggle_failed()
        else:
            return False
        return True

    def group(self, failures: Mapping[Path, Failure] | None, to_diagnose: int = 0) -> None:
        """In groups by what these say went wrong, or, when it is None, as one list."""
        kept = self._here()
        self.failures, self.to_diagnose = failures, to_diagnose
        self._show(kept)

    def fold(self, *, closed: bool | None = None) -> bool:
        """Closes or opens the group of the chosen row (None: the other way round); False where there is none."""
        if self.failures is None or not self.entries:
            return False
        entry = self.entries[self.chosen]
        key = entry.key if isinstance(entry, GroupRow) else self._key(entry)
        closed = key not in self.folded if closed is None else closed
        (self.folded.add if closed else self.folded.discard)(key)
        self._show(key)
        return True

    def move(self, by: int) -> None:
        """Up and down."""
        self.choose(self.chosen + by)

    def choose(self, place: int) -> None:
        """A place in `entries`, clamped."""
        self._moved = True
        self.chosen = min(max(place, 0), max(len(self.entries) - 1, 0))

    @property
    def run(self) -> RunRow | None:
        """The chosen run; None on the header of a group."""
        entry = self.entries[self.chosen] if self.entries else None
        return entry if isinstance(entry, RunRow) else None

    def mark(self) -> tuple[Path, Path] | None:
        """Marks the chosen run, or takes its mark away; both runs once there are two. A third replaces the second."""
        row = self.run
        if row is None:
            return None
        if row.path in self.marks:
            self.marks.remove(row.path)
            return None
        self.marks = [*self.marks[:1], row.path]
        return (self.marks[0], self.marks[1]) if len(self.marks) == 2 else None

    def _here(self) -> Entry | None:
        return self.entries[self.chosen] if self.chosen < len(self.entries) else None

    def _show(self, keep: Entry | tuple[str, str, str] | None, *, anew: bool = False) -> None:
        if anew:
            self._filter = Filter([row for row in self.all if row.failed] if self.failed_only else self.all)
        rows = self._filter.narrow(self.query)
        self.matching = len(rows)
        self.entries = rows if self.failures is None else self._grouped(rows, self.failures)
        self.chosen = 0 if keep is None else next((i for i, e in enumerate(self.entries) if _same(e, keep)), 0)

    def _key(self, row: RunRow) -> tuple[str, str, str]:
        if self.failures and (failure := self.failures.get(row.path)):
            return failure.key
        return _UNREAD if row.failed else FINE

    def _grouped(self, rows: Sequence[RunRow], failures: Mapping[Path, Failure]) -> list[Entry]:
        """Biggest group first; those that are not diagnosed and those that did not fail come last."""
        known = [(row, failure) for row in rows if (failure := failures.get(row.path)) is not None]
        entries: list[Entry] = []
        for found in cluster(failure for _, failure in known):
            key = known[found.members[0]][1].key
            entries += self._group(key, found.rule, found.signature, [known[m][0] for m in found.members])
        rest = [row for row in rows if row.path not in failures]
        entries += self._group(_UNREAD, "not looked at yet, or not readable", "", [row for row in rest if row.failed])
        return entries + self._group(FINE, "did not fail", "", [row for row in rest if not row.failed])

    def _group(self, key: tuple[str, str, str], rule: str, signature: str, rows: Sequence[RunRow]) -> list[Entry]:
        if not rows:
            return []
        folded = key in self.folded
        return [GroupRow(key, rule, signature, len(rows), folded), *(() if folded else rows)]


def standing(runs: RunList) -> list[Piece]:
    """How many runs there are, and what the list leaves out or waits for."""
    total = len(runs.all)
    live = f", {runs.live:,} live" if runs.live else ""
    counts = f"{total:,} run{'s' * (total != 1)}, {runs.failed:,} failed{live}{', reading …' if runs.reading else ''}"
    pieces = [words(counts if total or not runs.reading else "", Tone.DIM)]
    if runs.failures is not None:
        more = f" {len(runs.failures):,} of {runs.to_diagnose:,} …" if runs.to_diagnose else ""
        pieces.append(words(f"  by cause{more}", Tone.WARN))
    if runs.query:
        pieces.append(words(f"  {runs.matching:,} match {runs.query!r}", Tone.WARN))
    if runs.failed_only:
        pieces.append(words("  failed only", Tone.WARN))
    if runs.provisional:
        pieces.append(words(f"  {MARK} {PROVISIONAL_NOTE}", Tone.WARN))
    return pieces


def table_title(runs: RunList) -> SafeText:
    """`Runs, failed first`."""
    return safe(f"Runs, {runs.order.value}")


def chosen_words(runs: RunList, now_s: float) -> list[Piece]:
    """All that names the chosen run or group, whatever its columns cut. `now_s`: Unix time."""
    entry = runs.entries[runs.chosen] if runs.chosen < len(runs.entries) else None
    if entry is None:
        return []
    if isinstance(entry, RunRow):
        return identity(entry, now_s)
    return [words(entry.rule, Tone.STRONG), words(f"  {entry.signature}")]


def why_empty(runs: RunList) -> str:
    """A sentence for a list that shows nothing."""
    if runs.query and runs.all:
        return f"No run matches {runs.query!r}."
    if runs.all:
        return "No run failed."
    return "reading …" if runs.reading else "There is no run yet; `cabtrace demo` makes two."


def _same(entry: Entry, wanted: Entry | tuple[str, str, str]) -> bool:
    """Whether it is what was chosen; rows are made anew when the store is read again. Paths compare slowly, hence last."""
    if entry is wanted:
        return True
    if isinstance(entry, GroupRow):
        return entry.key == (wanted.key if isinstance(wanted, GroupRow) else wanted)
    return isinstance(wanted, RunRow) and entry.text == wanted.text and entry.path == wanted.path
