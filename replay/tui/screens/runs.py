"""The list of runs of a store."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from cabtrace.store.catalog import list_runs
from replay.document import Tone, words
from replay.runs import RunRow, run_rows
from replay.tui.keys import RUNS_KEYS, bindings
from replay.tui.screens.help import HelpScreen
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.run_table import RunTable


class RunsScreen(Screen[None]):
    """Failed runs first; enter replays one."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(RUNS_KEYS)
    AUTO_FOCUS = "#runs"

    class Opened(Message):
        """The user wants to replay this run."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class Listed(Message):
        """The store was read."""

        def __init__(self, rows: list[RunRow]) -> None:
            super().__init__()
            self.rows = rows

    def __init__(self, store: Path) -> None:
        super().__init__()
        self._store = store
        self._all: list[RunRow] = []
        self._rows: list[RunRow] = []
        self._chosen = 0
        self._failed_only = False
        self._listed = False

    def compose(self) -> ComposeResult:
        """Header, table, keys."""
        yield HeaderBar()
        yield RunTable()
        yield HintBar(RUNS_KEYS)

    def on_mount(self) -> None:
        """Reads the store after the first frame."""
        self._draw()
        self.call_after_refresh(self._list)

    @work(thread=True, exclusive=True, group="runs")
    def _list(self) -> None:
        self.post_message(self.Listed(run_rows(list_runs(self._store))))

    def on_runs_screen_listed(self, message: Listed) -> None:
        """Shows what was found; the chosen run stays chosen."""
        before = self._rows[self._chosen].path if self._chosen < len(self._rows) else None
        self._all, self._listed = message.rows, True
        self._filter(before)

    def _filter(self, keep: Path | None) -> None:
        self._rows = [r for r in self._all if r.failed or not self._failed_only]
        self._chosen = next((i for i, r in enumerate(self._rows) if r.path == keep), 0)
        self._draw()

    def _draw(self) -> None:
        failed = sum(row.failed for row in self._all)
        right = [words(f"{len(self._all):,} runs, {failed:,} failed", Tone.DIM)] if self._listed else []
        if self._failed_only:
            right.append(words("  failed only", Tone.WARN))
        self.query_one(HeaderBar).show_text("runs", right)
        empty = (
            "No run failed." if self._all else "There is no run yet; `cabtrace demo` makes two." if self._listed else "reading …"
        )
        self.query_one(RunTable).show(self._rows, self._chosen, empty)

    def action_move(self, by: int) -> None:
        """Up and down."""
        self._chosen = min(max(self._chosen + by, 0), max(len(self._rows) - 1, 0))
        self._draw()

    def action_open(self) -> None:
        """Enter."""
        if not self._rows:
            return
        row = self._rows[self._chosen]
        if row.error:
            self.query_one(HintBar).show(row.error)
        else:
            self.post_message(self.Opened(row.path))

    def action_failed(self) -> None:
        """F."""
        self._failed_only = not self._failed_only
        self._filter(self._rows[self._chosen].path if self._rows else None)

    def action_reload(self) -> None:
        """R."""
        self._list()

    def action_help(self) -> None:
        """Question mark."""
        self.app.push_screen(HelpScreen(RUNS_KEYS))

    def on_run_table_clicked(self, message: RunTable.Clicked) -> None:
        """A row was clicked."""
        self._chosen = message.place
        self._draw()
        if message.twice:
            self.action_open()
