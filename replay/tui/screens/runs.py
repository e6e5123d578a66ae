"""The list of runs of a store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from cabtrace.store.catalog import run_directories, summarize
from replay.document import Tone, words
from replay.runs import RunRow, in_order, narrowed, run_row
from replay.tui.keys import RUNS_KEYS, bindings
from replay.tui.screens.help import HelpScreen
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.prompt import Ask, Prompt, opens_prompt
from replay.tui.widgets.run_table import RunTable

_BATCH_S = 0.2  # so often the list grows while a large store is read
_SORTING_S = 5e-6  # a run; the longer the list, the more seldom


class RunsScreen(Screen[None]):
    """Failed runs first; enter replays one."""

    KEYS = RUNS_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(RUNS_KEYS)
    AUTO_FOCUS = "#runs"

    class Opened(Message):
        """The user wants to replay this run."""

        def __init__(self, path: Path) -> None:
            super().__init__()
            self.path = path

    class Listed(Message):
        """Some more of the store was read. `count`: runs found so far; `done`: that was all."""

        def __init__(self, rows: list[RunRow], *, done: bool) -> None:
            super().__init__()
            self.rows = rows
            self.done = done

    def __init__(self, store: Path) -> None:
        super().__init__()
        self._store = store
        self._all: list[RunRow] = []
        self._rows: list[RunRow] = []
        self._chosen = 0
        self._failed_only = False
        self._listed = False
        self._moved = False
        self._query = ""
        self._keep_filter = False

    def compose(self) -> ComposeResult:
        """Header, table, keys."""
        yield HeaderBar()
        yield RunTable()
        yield HintBar(RUNS_KEYS)
        yield Prompt()

    def on_mount(self) -> None:
        """Reads the store after the first frame."""
        self._draw()
        self.call_after_refresh(self._list)

    @work(thread=True, exclusive=True, group="runs")
    def _list(self) -> None:
        worker, rows, shown_at = get_current_worker(), [], time.monotonic()
        for path in run_directories(self._store):
            if worker.is_cancelled:
                return
            rows.append(run_row(summarize(path)))
            if time.monotonic() - shown_at > _BATCH_S:
                self.post_message(self.Listed(in_order(rows), done=False))
                shown_at = time.monotonic() + len(rows) * _SORTING_S
        self.post_message(self.Listed(in_order(rows), done=True))

    def on_runs_screen_listed(self, message: Listed) -> None:
        """Shows what was found; the chosen run stays chosen."""
        before = self._rows[self._chosen].path if self._moved and self._chosen < len(self._rows) else None
        self._all, self._listed = message.rows, message.done
        self._filter(before)

    def _filter(self, keep: Path | None) -> None:
        self._rows = narrowed([r for r in self._all if r.failed or not self._failed_only], self._query)
        self._chosen = next((i for i, r in enumerate(self._rows) if r.path == keep), 0)
        self._draw()

    def _draw(self) -> None:
        failed = sum(row.failed for row in self._all)
        known = f"{len(self._all):,} run{'s' * (len(self._all) != 1)}, {failed:,} failed"
        right = [words(known if self._listed else f"{known}, reading …" if self._all else "", Tone.DIM)]
        if self._query:
            right.append(words(f"  {len(self._rows):,} match {self._query!r}", Tone.WARN))
        if self._failed_only:
            right.append(words("  failed only", Tone.WARN))
        self.query_one(HeaderBar).show_text("runs", right)
        self.query_one(RunTable).show(self._rows, self._chosen, self._empty())

    def _empty(self) -> str:
        if self._query and self._all:
            return f"No run matches {self._query!r}."
        if self._all:
            return "No run failed."
        return "There is no run yet; `cabtrace demo` makes two." if self._listed else "reading …"

    # -- the filter

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What opens the prompt does nothing while it is open."""
        return not (opens_prompt(action) and self.query_one(Prompt).display)

    def action_filter(self) -> None:
        """Slash."""
        self.query_one(HintBar).display = False
        self.query_one(Prompt).ask(
            Ask.FILTER, self._query, "words of verdict, agent, model, task, cause; enter keeps it, esc drops it"
        )

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Filters with each letter."""
        self._query = message.text
        self._filter(self._rows[self._chosen].path if self._rows else None)

    def on_prompt_stepped(self, message: Prompt.Stepped) -> None:
        """Up and down while typing."""
        self.action_move(message.by)

    def on_prompt_submitted(self) -> None:
        """Enter: back to the list, filtered."""
        self._keep_filter = True
        self.query_one(Prompt).close()

    def on_prompt_closed(self) -> None:
        """Escape: back to the whole list."""
        self.query_one(HintBar).display = True
        if not self._keep_filter and self._query:
            self._query = ""
            self._filter(self._rows[self._chosen].path if self._rows else None)
        self._keep_filter = False
        self.set_focus(self.query_one(RunTable))

    def action_move(self, by: int) -> None:
        """Up and down."""
        self._moved = True
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
