"""The list of runs of a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from replay.listing import Listed, Triaged, read_store, triage
from replay.run_list import RunList, chosen_words, standing, table_title, why_empty
from replay.runs import RunRow
from replay.store_watch import StoreWatch
from replay.tui.keys import RUNS_KEYS, bindings, shown_keys
from replay.tui.screens.help import HelpScreen
from replay.tui.widgets.bars import HeaderBar, HintBar, NameBar
from replay.tui.widgets.prompt import Ask, Prompt, opens_prompt
from replay.tui.widgets.run_table import RunTable

if TYPE_CHECKING:
    from cabtrace.diagnose.triage import Failure


LOOK_S = 2.0
_LIVE_S = 1.0


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

    class Read(Message):
        """Some more of the store was read."""

        def __init__(self, listed: Listed) -> None:
            super().__init__()
            self.listed = listed

    class Diagnosed(Message):
        """Some more failing runs were diagnosed."""

        def __init__(self, triaged: Triaged) -> None:
            super().__init__()
            self.triaged = triaged

    class Looked(Message):
        """The store was looked at again; `rows` are all of them, failed first, or None where nothing changed."""

        def __init__(self, watch: StoreWatch, rows: Sequence[RunRow] | None) -> None:
            super().__init__()
            self.watch = watch
            self.rows = rows

    def __init__(self, store: Path, *, wall_ns: Callable[[], int] = time.time_ns) -> None:
        super().__init__()
        self._store = store
        self._wall_ns = wall_ns
        self._watch: StoreWatch | None = None
        self._looking = False
        self.list = RunList()
        self._known: Mapping[Path, Failure] = {}
        self._keep_filter = False

    def compose(self) -> ComposeResult:
        """Header, table, keys."""
        yield HeaderBar()
        yield RunTable()
        yield NameBar()
        yield HintBar(shown_keys(self.app, RUNS_KEYS))
        yield Prompt()

    def on_mount(self) -> None:
        """Reads the store after the first frame."""
        self._draw()
        self.call_after_refresh(self._read)
        self.set_interval(LOOK_S, self.look_again)
        self.set_interval(_LIVE_S, self._draw_live)

    # -- what takes time

    @work(thread=True, exclusive=True, group="runs")
    def _read(self) -> None:
        worker = get_current_worker()
        for listed in read_store(self._store, lambda: worker.is_cancelled):
            self.post_message(self.Read(listed))

    def on_runs_screen_read(self, message: Read) -> None:
        """Shows what was found; the chosen run stays chosen."""
        self.list.take(message.listed.rows, reading=not message.listed.done, now_s=self._now_s())
        self._watch = None
        if message.listed.done and self.list.failures is not None:
            self._diagnose(self.list.all, self._known)
        self._draw()

    def look_again(self) -> None:
        """What is new, and what became of live runs; not while nobody sees it."""
        if not (self._looking or self.list.reading) and self.is_current:
            self._looking = True
            self._look(self._watch, self.list.all)

    @work(thread=True, exclusive=True, group="look")
    def _look(self, watch: StoreWatch | None, rows: Sequence[RunRow]) -> None:
        worker = get_current_worker()
        watch = watch or StoreWatch(self._store, rows)
        self.post_message(self.Looked(watch, watch.look(lambda: worker.is_cancelled)))

    def on_runs_screen_looked(self, message: Looked) -> None:
        """Takes over what changed."""
        self._looking = False
        if self.list.reading:
            return
        self._watch = message.watch
        if message.rows is not None:
            self.list.take(message.rows, now_s=self._now_s())
            if self.list.failures is not None:
                self._diagnose(self.list.all, self._known)
            self._draw()

    def _draw_live(self) -> None:
        """Time goes on for what is being recorded."""
        if self.list.live and self.is_current:
            self._draw()

    def _now_s(self) -> float:
        return self._wall_ns() / 1e9

    @work(thread=True, exclusive=True, group="triage")
    def _diagnose(self, rows: Sequence[RunRow], known: Mapping[Path, Failure]) -> None:
        worker = get_current_worker()
        for triaged in triage(rows, known, lambda: worker.is_cancelled):
            self.post_message(self.Diagnosed(triaged))

    def on_runs_screen_diagnosed(self, message: Diagnosed) -> None:
        """Groups by what is known so far."""
        self._known = message.triaged.failures
        if self.list.failures is not None:
            self.list.group(self._known, message.triaged.total)
            self._draw()

    # -- drawing

    def _draw(self) -> None:
        self.query_one(HeaderBar).show_text("runs", standing(self.list))
        table, now_s = self.query_one(RunTable), self._now_s()
        table.border_title = Content(table_title(self.list))
        table.show(self.list, why_empty(self.list), now_s)
        self.query_one(NameBar).show(chosen_words(self.list, now_s))

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

    def action_sort(self) -> None:
        """S."""
        self.list.sort(self._now_s())
        self._draw()

    def action_back(self) -> None:
        """Escape."""
        if self.list.widen():
            self._draw()
        else:
            self.say("This is the first screen: q quits.")

    def action_triage(self) -> None:
        """T: in groups by what went wrong, or as one list."""
        if self.list.failures is None:
            self.list.group(self._known)
            self._diagnose(self.list.all, self._known)
        else:
            self.list.group(None)
            self.workers.cancel_group(self, "triage")
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
        self.list.reading = True
        self._read()

    def action_help(self) -> None:
        """Question mark."""
        self.app.push_screen(HelpScreen(shown_keys(self.app, RUNS_KEYS)))

    def on_run_table_clicked(self, message: RunTable.Clicked) -> None:
        """A row was clicked."""
        self.list.choose(message.place)
        self._draw()
        if message.twice:
            self.action_open()
