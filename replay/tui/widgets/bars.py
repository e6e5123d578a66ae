"""The lines at the top and at the bottom: who and how it ended, and which keys there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.strip import Strip

from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.text import SafeText, safe
from replay import display
from replay.document import Piece, Tone, fit, words
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
    """Name on the left; verdict, composite and warnings on the right, which always fit."""

    def __init__(self) -> None:
        super().__init__(id="header")
        self._title: SafeText = safe("")
        self._right: list[Piece] = []
        self._provisional: Piece | None = None

    def show_run(self, snapshot: Snapshot, waiting: Waiting | None = None) -> None:
        """Draws a run's header; of a live one, what it hangs on."""
        header = snapshot.header
        sign, tone = display.verdict(header, live=snapshot.live, aborted=snapshot.aborted)
        cause = f" {header.cause.value}" if header.cause and header.cause.value != "passed" else ""
        self._title = cell_title(header)
        self._right = [(sign, tone), words(cause, Tone.DIM)]
        if waiting is not None:
            self._right += [words("  "), waiting.piece()]
        self._mark(header.provisional)
        if header.scores:
            self._right += [words("  composite ", Tone.DIM), words(header.composite_words, Tone.STRONG)]
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
        self._title, self._right = safe(title, newlines=False), list(right)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        width = self.size.width
        right = [*self._right, words(" ")]
        if width < _ROOMY:
            right = [words("  ! provisional", Tone.WARN) if piece is self._provisional else piece for piece in right]
        taken = sum(cell_len(text) for text, _ in right)
        name: list[Piece] = [words(" cabtrace  ", Tone.HEAD)] if width - taken >= 40 else [words(" ")]
        room = width - taken - sum(cell_len(text) for text, _ in name) - 1
        name.append((fit(self._title, room), Tone.STRONG))
        space = width - taken - sum(cell_len(text) for text, _ in name)
        return self.strip([*name, words(" " * max(space, 1)), *right], width)


class HintBar(Toned):
    """The keys that one needs first, as many as fit, or a sentence about what just happened."""

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__(id="hints")
        self._keys = keys
        self._notice = ""

    def show(self, notice: str) -> None:
        """Shows a sentence instead of the keys; "" shows the keys again."""
        if notice != self._notice:
            self._notice = notice
            self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        width = self.size.width
        if self._notice:
            return self.strip([words(" "), words(fit(self._notice, width - 2), Tone.WARN)], width)
        pieces: list[Piece] = [words(" ")]
        used = 1
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


#: hints that stand for a pair of keys: what stands between them, and the other one
_PAIRS = {
    "span.previous": ("", "span.next"),
    "time.back": ("", "time.forward"),
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
