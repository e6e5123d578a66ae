"""The list of runs of a store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from cabtrace.errors import CabtraceError
from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.store.catalog import run_directories, summarize
from replay.document import Piece, Tone, words
from replay.run_list import RunList
from replay.runs import MARK, RunRow, in_order, run_row
from replay.tui.keys import RUNS_KEYS, bindings, shown_keys
from replay.tui.screens.help import HelpScreen
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.prompt import Ask, Prompt, opens_prompt
from replay.tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from cabtrace.diagnose.triage import Failure

_BATCH_S = 0.2  # so often the list grows while a large store is read
_ROWS_AT_ONCE = 8
_BREATH_S = 0.001
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

    class Compared(Message):
        """The user wants to see these two side by side."""

        def __init__(self, left: Path, right: Path) -> None:
            super().__init__()
            self.left = left
            self.right = right

    class Wanted(Message):
        """The user wants something done with a run: `rerun`, or `against` for the nearest passing one beside it."""

        def __init__(self, what: str, path: Path) -> None:
            super().__init__()
            self.what = what
            self.path = path

    class Listed(Message):
        """Some more of the store was read. `done`: that was all."""

        def __init__(self, rows: list[RunRow], *, done: bool) -> None:
            super().__init__()
            self.rows = rows
            self.done = done

    class Triaged(Message):
        """Some more failing runs were diagnosed, of `total`."""

        def __init__(self, failures: dict[Path, Failure], total: int) -> None:
            super().__init__()
            self.failures = failures
            self.total = total

    def __init__(self, store: Path) -> None:
        super().__init__()
        self._store = store
        self.list = RunList()
        self._listed = False
        self._triage_total = 0
        self._diagnosed: dict[Path, Failure] = {}
        self._keep_filter = False

    def compose(self) -> ComposeResult:
        """Header, table, keys."""
        yield HeaderBar()
        yield RunTable()
        yield HintBar(shown_keys(self.app, RUNS_KEYS))
        yield Prompt()

    def on_mount(self) -> None:
        """Reads the store after the first frame."""
        self._draw()
        self.call_after_refresh(self._list)

    # -- what takes time

    @work(thread=True, exclusive=True, group="runs")
    def _list(self) -> None:
        worker, rows, shown_at = get_current_worker(), [], time.monotonic()
        for path in run_directories(self._store):
            if worker.is_cancelled:
                return
            rows.append(run_row(summarize(path)))
            if len(rows) % _ROWS_AT_ONCE == 0:
                time.sleep(_BREATH_S)  # keys first: a thread that never waits leaves the others little
            if time.monotonic() - shown_at > _BATCH_S:
                self.post_message(self.Listed(in_order(rows), done=False))
                shown_at = time.monotonic() + len(rows) * _SORTING_S
        self.post_message(self.Listed(in_order(rows), done=True))

    def on_runs_screen_listed(self, message: Listed) -> None:
        """Shows what was found; the chosen run stays chosen."""
        self.list.take(message.rows)
        self._listed = message.done
        if message.done and self.list.failures is not None:
            self._triage()
        self._draw()

    @work(thread=True, exclusive=True, group="triage")
    def _triage(self) -> None:
        from cabtrace.diagnose.triage import failure_of
        from cabtrace.store.reader import RunView

        worker, shown_at = get_current_worker(), time.monotonic()
        failing = [row.path for row in self.list.all if row.failed and not row.error]
        found = {path: failure for path in failing if (failure := self._diagnosed.get(path)) is not None}
        for path in failing:
            if worker.is_cancelled:
                return
            if path not in found:
                try:
                    found[path] = failure_of(RunView(path))
                except (CabtraceError, OSError):
                    continue
                except Exception:  # noqa: BLE001, S112 - rules read hostile records; the group of those not read shows it
                    continue
            if time.monotonic() - shown_at > _BATCH_S:
                self.post_message(self.Triaged(dict(found), len(failing)))
                shown_at = time.monotonic() + len(found) * _SORTING_S
        self.post_message(self.Triaged(found, 0))

    def on_runs_screen_triaged(self, message: Triaged) -> None:
        """Groups by what is known so far."""
        self._diagnosed, self._triage_total = message.failures, message.total
        if self.list.failures is not None:
            self.list.group(message.failures)
            self._draw()

    # -- drawing

    def _draw(self) -> None:
        shown = self.list
        total, failed = len(shown.all), shown.failed
        known = f"{total:,} run{'s' * (total != 1)}, {failed:,} failed"
        right: list[Piece] = [words(known if self._listed else f"{known}, reading …" if total else "", Tone.DIM)]
        if shown.failures is not None:
            more = f" {len(shown.failures):,} of {self._triage_total:,} …" if self._triage_total else ""
            right.append(words(f"  by cause{more}", Tone.WARN))
        if shown.query:
            right.append(words(f"  {shown.matching:,} match {shown.query!r}", Tone.WARN))
        if shown.failed_only:
            right.append(words("  failed only", Tone.WARN))
        if shown.provisional:
            right.append(words(f"  {MARK} {PROVISIONAL_NOTE}", Tone.WARN))
        self.query_one(HeaderBar).show_text("runs", right)
        self.query_one(RunTable).show(shown, self._empty())

    def _empty(self) -> str:
        if self.list.query and self.list.all:
            return f"No run matches {self.list.query!r}."
        if self.list.all:
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
            Ask.FILTER, self.list.query, "words of verdict, agent, model, task, cause; enter keeps it, esc drops it"
        )

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Filters with each letter."""
        self.list.find(message.text)
        self._draw()

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
        if not self._keep_filter and self.list.query:
            self.list.find("")
            self._draw()
        self._keep_filter = False
        self.set_focus(self.query_one(RunTable))

    # -- keys

    def say(self, notice: str) -> None:
        """A sentence in place of the keys."""
        self.query_one(HintBar).show(notice)

    def action_move(self, by: int) -> None:
        """Up and down."""
        self.say("")
        self.list.move(by)
        self._draw()

    def action_open(self) -> None:
        """Enter: replays a run, opens or closes a group."""
        row = self.list.run
        if row is None:
            self.action_fold(None)
        elif row.error:
            self.say(row.error)
        else:
            self.post_message(self.Opened(row.path))

    def action_fold(self, closed: bool | None) -> None:
        """Minus and plus."""
        if not self.list.fold(closed=closed):
            self.say("The list is not in groups: t groups it by what went wrong.")
        self._draw()

    def action_failed(self) -> None:
        """F."""
        self.list.toggle_failed()
        self._draw()

    def action_triage(self) -> None:
        """T: in groups by what went wrong, or as one list."""
        if self.list.failures is None:
            self.list.group(dict(self._diagnosed))
            self._triage()
        else:
            self.list.group(None)
            self.workers.cancel_group(self, "triage")
            self._triage_total = 0
        self._draw()

    def action_compare(self) -> None:
        """C: marks a run; with two marked, shows them side by side."""
        row = self.list.run
        if row is not None and row.error:
            self.say(row.error)
            return
        both = self.list.mark()
        if both is not None:
            self.post_message(self.Compared(*both))
        elif self.list.marks:
            self.say("Marked A; c on another run shows both side by side, c here takes the mark away.")
        else:
            self.say("")
        self._draw()

    def _want(self, what: str) -> None:
        row = self.list.run
        if row is not None and row.error:
            self.say(row.error)
        elif row is not None:
            self.post_message(self.Wanted(what, row.path))

    def action_against(self) -> None:
        """Shift and C."""
        self._want("against")

    def action_rerun(self) -> None:
        """Shift and R."""
        self._want("rerun")

    def action_reload(self) -> None:
        """R."""
        self._list()

    def action_help(self) -> None:
        """Question mark."""
        self.app.push_screen(HelpScreen(shown_keys(self.app, RUNS_KEYS)))

    def on_run_table_clicked(self, message: RunTable.Clicked) -> None:
        """A row was clicked."""
        self.list.choose(message.place)
        self._draw()
        if message.twice:
            self.action_open()
