"""The lines at the top and at the bottom: who and how it ended, and which keys there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip

from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.text import SafeText, safe
from replay import display
from replay.document import Piece, Tone, fit, fit_end, words
from replay.tui.keys import Key
from replay.tui.widgets.lines import Toned

if TYPE_CHECKING:
    from cabtrace.model.run import RunHeader
    from replay.run import Snapshot
    from replay.waiting import Waiting

_ROOMY = 110  # columns: the whole sentence and the name of the cell


def cell_title(header: RunHeader) -> SafeText:
    """`demo / codex / gpt-x / polyglot/rust-error-handling #1`."""
    parts = (header.sweep_id, header.agent.name, header.model, header.task.id)
    return safe(" / ".join(parts) + f" #{header.attempt}", max_chars=400, newlines=False)


class HeaderBar(Toned):
    """Name on the left; verdict, composite and warnings on the right.

    Where there is little room the name's beginning goes, and what is told elsewhere; task, attempt and verdict stay.
    """

    def __init__(self) -> None:
        super().__init__(id="header")
        self._title: SafeText = safe("")
        self._right: list[Piece] = []
        self._provisional: Piece | None = None
        self._least = 0
        self._spare: list[Piece] = []

    def show_run(self, snapshot: Snapshot, waiting: Waiting | None = None, behind: Piece | None = None) -> None:
        """Draws a run's header; of a live one, what it hangs on, and how far the playhead is `behind`."""
        header = snapshot.header
        sign, tone = display.verdict(header, live=snapshot.live, aborted=snapshot.aborted)
        cause = f" {header.cause.value}" if header.cause and header.cause.value != "passed" else ""
        self._title = cell_title(header)
        self._least = cell_len(header.task.id[:400]) + len(f" #{header.attempt}") + 1
        self._spare = [words(cause, Tone.DIM)]
        self._right = [(sign, tone), *self._spare]
        if waiting is not None:
            hangs = [words("  "), waiting.piece()]
            self._right += hangs
            self._spare += hangs if behind else []
        if behind is not None:
            self._right += [words("  "), behind]
        self._mark(header.provisional)
        if header.scores:
            label, value = words("  composite", Tone.DIM), words(f" {header.composite_words}", Tone.STRONG)
            self._right += [label, value]
            self._spare += [label, value]
        if snapshot.warnings:
            count = len(snapshot.warnings)
            self._right.append(words(f"  ! {count} warning{'s' * (count > 1)}", Tone.WARN))
        self.refresh()

    def show_raw(self, summary: Mapping[str, object]) -> None:
        """Draws what run.json says before it was read properly; a verdict only where it is certain."""
        self._title = safe(f"{summary.get('cell_id', '')} #{summary.get('attempt', '')}", max_chars=400, newlines=False)
        verdict = display.VERDICTS.get(str(summary.get("verdict"))) if summary.get("status") == "finished" else None
        self._right = [words(*verdict)] if verdict else []
        self._mark(summary.get("provisional") is True)
        self.refresh()

    def _mark(self, provisional: bool) -> None:
        if provisional:
            self._provisional = words(f"  ! {PROVISIONAL_NOTE}", Tone.WARN)
            self._right.append(self._provisional)

    def show_text(self, title: str, right: Sequence[Piece] = ()) -> None:
        """Draws any other title."""
        self._title, self._right, self._least, self._spare = safe(title, newlines=False), list(right), 0, []
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        width = self.size.width
        right = [*self._right, words(" ")]
        if width < _ROOMY:
            right = [words("  ! provisional", Tone.WARN) if piece is self._provisional else piece for piece in right]
        for spare in self._spare:
            if width - _cells(right) - 2 < self._least:
                right = [piece for piece in right if piece is not spare]
        taken = _cells(right)
        name: list[Piece] = [words(" cabtrace  ", Tone.HEAD)] if width - taken - 12 >= max(self._least, 28) else [words(" ")]
        name.append((fit_end(self._title, width - taken - _cells(name) - 1), Tone.STRONG))
        return self.strip([*name, words(" " * max(width - taken - _cells(name), 1)), *right], width)


class NameBar(Toned):
    """The whole name of what is chosen. Where it has no room, dim words behind it go, and then its beginning."""

    def __init__(self) -> None:
        super().__init__(id="name")
        self._pieces: list[Piece] = []

    def show(self, pieces: Sequence[Piece]) -> None:
        """Draws a name, and what is said behind it."""
        self._pieces = list(pieces)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        width = self.size.width
        if not self._pieces:
            return self.strip([], width)
        (name, tone), *rest = self._pieces
        room = width - 2 - _cells(rest)
        if room < cell_len(name):
            rest = [piece for piece in rest if piece[1] is not Tone.DIM]
            room = width - 2 - _cells(rest)
        return self.strip([words(" "), (fit_end(name, max(room, 20)), tone), *rest], width)


class HintBar(Toned):
    """The keys that one needs first, as many as fit, or a sentence about what just happened."""

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__(id="hints")
        self._keys = keys
        self._notice = self._first = ""

    def show(self, notice: str, first: str = "") -> None:
        """Shows a sentence instead of the keys; "" shows the keys again, after `first` if that is any."""
        if (notice, first) != (self._notice, self._first):
            self._notice, self._first = notice, first
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        width = self.size.width
        if self._notice:
            return self.strip([words(" "), words(fit(self._notice, width - 2), Tone.WARN)], width)
        first = f"{self._first}   " if self._first else ""
        pieces: list[Piece] = [words(" "), words(first, Tone.NOW)]
        used = 1 + cell_len(first)
        hinted = [key for key in self._keys if key.hint]
        # what one must never have to guess: why it ended so, help, quit
        kept = [*(key for key in hinted if key.id == "tab.why"), *hinted[-2:]]
        reserved = sum(cell_len(f"{key.shown} {key.hint}  ") for key in kept)
        for key in hinted:
            shown = _pair(key, self._keys)
            need = cell_len(f"{shown} {key.hint}  ")
            if key in kept:
                reserved -= need
            elif used + need + reserved > width:
                continue
            pieces += [words(shown, Tone.KEY), words(f" {key.hint}  ", Tone.DIM)]
            used += need
        return self.strip(pieces, width)


def _cells(pieces: Sequence[Piece]) -> int:
    return sum(cell_len(text) for text, _ in pieces)


#: hints that stand for a pair of keys: what stands between them, and the other one
_PAIRS = {
    "span.previous": ("", "span.next"),
    "time.back": ("", "time.forward"),
    "time.nearer": ("", "time.farther"),
    "error.next": ("/", "error.previous"),
    "marker.previous": ("", "marker.next"),
    "speed.down": ("", "speed.up"),
    "tab.next": ("", "tab.previous"),
    "runs.down": ("", "runs.up"),
    "compare.step.previous": ("", "compare.step.next"),
    "compare.difference.next": ("/", "compare.difference.previous"),
}
_BACKWARDS = ("tab.next", "runs.down")  # the other one is shown first


def _pair(key: Key, keys: Sequence[Key]) -> str:
    """`←→`, `n/N`: both keys of a pair, of each the first."""
    between, partner = _PAIRS.get(key.id, ("", ""))
    other = next((k for k in keys if partner and k.id == partner), None)
    if other is None:
        return key.shown
    shown = [k.shown.split(" ")[0] for k in ((other, key) if key.id in _BACKWARDS else (key, other))]
    return between.join(shown)
