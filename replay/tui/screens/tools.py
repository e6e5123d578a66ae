"""What the replay screen does beside moving the playhead: search, go to, bookmarks, copy, pager."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.app import SuspendNotSupported
from textual.message import Message
from textual.worker import get_current_worker

from cabtrace.errors import CabtraceError
from replay import display
from replay.panels.choose import panel_lines
from replay.session import Session
from replay.timeline import Timeline
from replay.tui.screens.playback import PlaybackScreen
from replay.tui.widgets.bars import HintBar
from replay.tui.widgets.prompt import Ask, Prompt, opens_prompt

if TYPE_CHECKING:
    from replay.path import PathOverlay
    from replay.run import Snapshot
    from replay.search import Results

_PAPER_WIDTH = 120
_PAGER = "less"
_EDITOR = "vi"


class ToolScreen(PlaybackScreen):
    """The base of the replay screen. It has a `Prompt` and a `HintBar`."""

    session: Session
    _last_query = ""

    class Searched(Message):
        """A search found more, or is done."""

        def __init__(self, snapshot: Snapshot, results: Results) -> None:
            super().__init__()
            self.snapshot = snapshot
            self.results = results

    class PathFound(Message):
        """The critical path of a timeline is known."""

        def __init__(self, timeline: Timeline, path: PathOverlay) -> None:
            super().__init__()
            self.timeline = timeline
            self.path = path

    def on_screen_suspend(self) -> None:
        """Another screen is shown: what was said is no news any more when this one is seen again."""
        self.session.notice = ""
        for hints in self.query(HintBar):
            hints.show("")

    # -- the prompt

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What opens the prompt does nothing while it is open."""
        return not (opens_prompt(action) and self.query_one(Prompt).display)

    def _ask(self, ask: Ask, text: str = "", aside: str = "") -> None:
        self.query_one(HintBar).display = False
        self.query_one(Prompt).ask(ask, text, aside)

    def on_prompt_closed(self) -> None:
        """The keys are shown again."""
        self.query_one(HintBar).display = True
        self.set_focus(self.query_one("#spans"))

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        """Enter."""
        match message.ask:
            case Ask.SEARCH:
                self._submit_search(message.text, again=message.again)
            case Ask.GO:
                self._go(message.text)
            case Ask.NOTE:
                self._bookmark(message.text)

    def on_prompt_stepped(self, message: Prompt.Stepped) -> None:
        """Up and down in the search."""
        if message.ask is Ask.SEARCH:
            self.action_step_hit(message.by)

    def _close_prompt(self) -> None:
        self.query_one(Prompt).close()

    # -- search

    def action_search(self) -> None:
        """Slash."""
        last, results = self._last_query, self.session.results
        recall = f"↑ {last[:20]}{'…' * (len(last) > 20)}; " if last else ""
        self._ask(Ask.SEARCH, "", f"{recall}enter searches, then enter ↓ next, ↑ previous, esc closes")
        if last:
            self.query_one(Prompt).offer(last, searched=results is not None and results.query == last)

    def _submit_search(self, query: str, *, again: bool) -> None:
        if not query:
            self.session.end_search()
            self._close_prompt()
            self.draw()
        elif again and self.session.results is not None:
            self.action_step_hit(1)
        else:
            self._last_query = query
            self.query_one(Prompt).say("searching …")
            self._search(query)

    @work(thread=True, exclusive=True, group="search")
    def _search(self, query: str) -> None:
        from replay.search import searching
        from replay.sources import LateScreen, spoken

        run, snapshot, worker = self.session.run, self.session.snapshot, get_current_worker()

        def stop() -> bool:
            return worker.is_cancelled

        said, screen, now_ns = spoken(run, snapshot, query, stop), LateScreen(run, stop), self.session.now_ns
        for results in searching(query, snapshot.timeline, said, screen, stop=stop, now_ns=now_ns):
            if stop():
                return
            self.post_message(self.Searched(snapshot, results))

    def on_tool_screen_searched(self, message: Searched) -> None:
        """To the first hit; what is found later only lengthens the list."""
        grown = message.snapshot is not self.session.snapshot
        self.session.take_results(message.results.without_rows() if grown else message.results)
        self.draw()

    def action_step_hit(self, by: int) -> None:
        """Control and N or P."""
        self.session.step_hit(by)
        self.draw()

    # -- critical path

    def action_path(self) -> None:
        """X: shows or hides it."""
        session = self.session
        session.path_shown = not session.path_shown
        session.notice = "" if not session.path_shown or session.path else "working out the critical path …"
        self.draw()

    @work(thread=True, exclusive=True, group="path")
    def find_path(self) -> None:
        """Works it out for what is known now."""
        from replay.path import PathOverlay

        timeline, worker = self.session.snapshot.timeline, get_current_worker()
        path = PathOverlay(timeline, lambda: worker.is_cancelled)
        if not worker.is_cancelled:
            self.post_message(self.PathFound(timeline, path))

    def on_tool_screen_path_found(self, message: PathFound) -> None:
        """It was worked out; a live run may have grown since."""
        if message.timeline is self.session.snapshot.timeline:
            self.session.path = message.path
            self.session.notice = ""
        self.draw()

    # -- go to

    def action_go(self) -> None:
        """G."""
        self._ask(Ask.GO, "", "12.3s  01:02.5  50%  #3 (call)  error  a span's id, name or words")

    def _go(self, text: str) -> None:
        if not text.strip():
            self._close_prompt()
            return
        from replay.places import parse_anywhere, resolve

        snapshot = self.session.snapshot
        try:
            found = resolve(parse_anywhere(text), snapshot.timeline, snapshot.calls)
        except CabtraceError as error:
            self.query_one(Prompt).say(str(error))
            return
        self.session.go(found)
        self._close_prompt()
        self.draw()

    # -- bookmarks

    def action_bookmark(self) -> None:
        """M."""
        self.session.clock.pause()
        here = self.session.bookmark_here()
        aside = "enter keeps it, an empty note takes it away" if here else "a note, then enter"
        self._ask(Ask.NOTE, here.note if here else "", aside)

    def _bookmark(self, note: str) -> None:
        try:
            self.session.set_bookmark(note.strip())
        except CabtraceError as error:
            self.session.notice = str(error)
        self._close_prompt()
        self.draw()

    def action_jump_bookmark(self, by: int) -> None:
        """Quotes."""
        self.session.jump_bookmark(by)
        self.draw()

    # -- out of the app

    def _panel_text(self) -> str:
        return "\n".join(line.text.rstrip() for line in panel_lines(self.session, _PAPER_WIDTH, whole=True))

    def action_copy(self) -> None:
        """Y: the open panel as text."""
        self.copy(self._panel_text(), f"the {self.session.tab} panel", all_of_it="o opens all of it")

    def action_copy_link(self) -> None:
        """Shift and Y: the command that opens this moment."""
        import shlex

        link = shlex.join(["cabtrace", "replay", str(self.session.run.path), "--at", display.at_words(self.session.position_ns)])
        self.app.copy_to_clipboard(link)
        self.say(f"Copied {link}")

    def action_pager(self) -> None:
        """O: the open panel in the user's pager."""
        self._open_with(os.environ.get("PAGER") or _PAGER, "pager")

    def action_editor(self) -> None:
        """Shift and O: the open panel in the user's editor."""
        self._open_with(os.environ.get("VISUAL") or os.environ.get("EDITOR") or _EDITOR, "editor")

    def _open_with(self, program: str, what: str) -> None:
        import tempfile

        self.session.clock.pause()
        with tempfile.TemporaryDirectory(prefix="cabtrace-") as folder:
            path = Path(folder) / f"{self.session.tab.value.lower()}.txt"
            path.write_text(self._panel_text() + "\n", "utf-8")
            self.session.notice = self._hand_to(program, what, path)
        self.draw()

    def _hand_to(self, program: str, what: str, path: Path) -> str:
        import shlex
        import subprocess

        try:
            argv = [*shlex.split(program), str(path)]
            with self.app.suspend():
                subprocess.run(argv, check=False)
        except SuspendNotSupported:
            return f"This terminal cannot be handed to {'a' if what == 'pager' else 'an'} {what}."
        except (OSError, ValueError) as error:
            return f"The {what} {program!r} could not be started: {error}."
        return ""
