"""The replay screen: keys and messages in, the session's state out to the widgets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.worker import get_current_worker

from replay import display
from replay.panels.choose import panel_lines
from replay.places import Found
from replay.run import ReplayRun, Snapshot
from replay.screen import TerminalTape
from replay.session import STEP_NS, Session, Tab
from replay.tapes import index_tape
from replay.tui.keys import DIGIT_KEYS, DIGITS, PANE_KEYS, REPLAY_KEYS, bindings, shown_keys
from replay.tui.screens.help import HelpScreen
from replay.tui.screens.tools import ToolScreen
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.details import DocumentView, TabBar
from replay.tui.widgets.minimap import Minimap
from replay.tui.widgets.prompt import Prompt
from replay.tui.widgets.scrubber import Scrubber
from replay.tui.widgets.span_tree import SpanTree
from replay.tui.widgets.terminal_pane import TerminalPane
from replay.waiting import waiting_on

if TYPE_CHECKING:
    from cabtrace.diagnose.finding import Diagnosis

FRAME_S = 1 / 30
POLL_S = 0.5
_PANES = {"terminal": "terminal", "document": "panel"}


class ReplayScreen(ToolScreen):
    """One run. Draws only on a key, on a frame while it plays, and when a live run grew."""

    KEYS = REPLAY_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(REPLAY_KEYS, DIGIT_KEYS)
    AUTO_FOCUS = "#spans"

    class TapeReady(Message):
        """The terminal's recording can be shown. `note` says so where it cannot be shown as it was."""

        def __init__(self, tape: TerminalTape, note: str) -> None:
            super().__init__()
            self.tape = tape
            self.note = note

    class Diagnosed(Message):
        """The rules have been asked."""

        def __init__(self, snapshot: Snapshot, diagnosis: Diagnosis | str) -> None:
            super().__init__()
            self.snapshot = snapshot
            self.diagnosis = diagnosis

    class Grown(Message):
        """A live run has a new snapshot."""

    def __init__(
        self,
        run: ReplayRun,
        now_ns: Callable[[], int],
        *,
        found: Found | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__()
        self._wall_ns = wall_ns
        self.session = Session(run, now_ns)
        if found is not None:
            self.session.go(found)
        self._tape: TerminalTape | None = None
        self._tape_note = ""
        self._frames: Timer | None = None
        self._polling = self._diagnosing = False
        self._panel_shown: Tab | None = None

    def compose(self) -> ComposeResult:
        """The house's screen: header, spans, terminal over panels, scrubber, keys."""
        yield HeaderBar()
        with Horizontal(id="body"):
            yield SpanTree(self.session)
            with Vertical(id="side"):
                yield TerminalPane()
                with Vertical(id="details"):
                    yield TabBar()
                    yield DocumentView()
        scrubber = Scrubber(self.session)
        yield Minimap(self.session, scrubber)
        yield scrubber
        yield HintBar(shown_keys(self.app, REPLAY_KEYS))
        yield Prompt()

    def on_mount(self) -> None:
        """The first frame; what takes longer comes after it."""
        self._frames = self.set_interval(FRAME_S, self._frame, pause=True)
        if self.session.snapshot.live:
            self.set_interval(POLL_S, self._poll)
        self._draw_header()
        self.draw()
        self.call_after_refresh(self._load_terminal)

    # -- data that takes time

    @work(thread=True, exclusive=True, group="terminal")
    def _load_terminal(self) -> None:
        run = self.session.run
        tape, note = run.tape()
        worker = get_current_worker()
        self.post_message(self.TapeReady(tape, note))
        for _ in index_tape(run, tape):
            if worker.is_cancelled:
                return
            self.post_message(self.TapeReady(tape, note))
        self.post_message(self.TapeReady(tape, note))

    def on_replay_screen_tape_ready(self, message: TapeReady) -> None:
        """From now on the terminal follows the playhead."""
        self._tape, self._tape_note = message.tape, message.note
        self._draw_terminal()

    @work(thread=True, group="why")
    def _diagnose(self) -> None:
        from replay.cause import find_cause

        snapshot = self.session.snapshot
        self.post_message(self.Diagnosed(snapshot, find_cause(self.session.run, snapshot)))

    def on_replay_screen_diagnosed(self, message: Diagnosed) -> None:
        """The Why panel can say more."""
        self._diagnosing = False
        self.session.take_diagnosis(message.snapshot, message.diagnosis)
        self._draw_panel()

    def _poll(self) -> None:
        if not self._polling and self.session.snapshot.live:
            self._polling = True
            self._refresh_run()
        self._draw_header()

    @work(thread=True, exclusive=True, group="poll")
    def _refresh_run(self) -> None:
        try:
            if self.session.run.refresh():
                self.post_message(self.Grown())
        finally:
            self._polling = False

    def on_replay_screen_grown(self) -> None:
        """Takes over what a live run appended."""
        self.session.refresh()
        if self._tape is not None:
            self._load_terminal()
        self._draw_header()
        self.draw()

    # -- drawing

    def _frame(self) -> None:
        self.session.tick()
        self.draw()

    def draw(self) -> None:
        """Shows the session as it is now."""
        session = self.session
        if self._frames is not None:
            (self._frames.resume if session.clock.playing else self._frames.pause)()
        tree = self.query_one(SpanTree)
        tree.border_title = Content(f"Spans {display.count(len(session.snapshot.timeline.spans))}")
        tree.update_rows()
        self.query_one(Scrubber).refresh()
        self._draw_path()
        self.query_one(HintBar).show(session.notice)
        if (prompt := self.query_one(Prompt)).display and session.notice:
            prompt.say(session.notice)
        self._draw_terminal()
        self._draw_panel()

    def _draw_header(self) -> None:
        snapshot = self.session.snapshot
        self.query_one(HeaderBar).show_run(snapshot, waiting_on(snapshot, self._wall_ns()))

    def _draw_path(self) -> None:
        session, minimap = self.session, self.query_one(Minimap)
        if session.path_shown and session.path is None:
            self.find_path()
        minimap.display = session.path_shown
        if session.path_shown:
            minimap.refresh()

    def _draw_terminal(self) -> None:
        pane, tape = self.query_one(TerminalPane), self._tape
        if tape is None:
            return
        if not len(tape):
            pane.show_note("This run has no terminal recording.")
            return
        if not tape.is_near(self.session.position_ns):
            pane.show_note(f"reading the recording … {tape.share:.0%}")
            return
        screen = tape.at(self.session.position_ns)
        title = f"Terminal {screen.columns}x{screen.rows}"
        pane.show_screen(screen, title=f"{title} – {self._tape_note}" if self._tape_note else title)

    def _draw_panel(self) -> None:
        view, session = self.query_one(DocumentView), self.session
        self.query_one(TabBar).show(session.tab, {Tab.CALLS: len(session.snapshot.calls)})
        if session.needs_diagnosis and not self._diagnosing:
            self._diagnosing = True
            self._diagnose()
        view.show(panel_lines(session, view.text_width), from_top=self._panel_shown is not session.tab)
        self._panel_shown = session.tab

    # -- keys

    def action_play(self) -> None:
        """Space."""
        self.session.toggle_play()
        self.draw()

    def action_step_span(self, by: int) -> None:
        """Arrows."""
        self.session.step_span(by)
        self.draw()

    def action_step_time(self, by: int) -> None:
        """Comma and full stop."""
        self.session.step_time(by * STEP_NS)
        self.draw()

    def action_jump_error(self, by: int) -> None:
        """N and N."""
        self.session.jump_error(by)
        self.draw()

    def action_jump_marker(self, by: int) -> None:
        """Brackets."""
        self.session.jump_marker(by)
        self.draw()

    def action_seek_by(self, percent: int) -> None:
        """Shift and arrows."""
        clock = self.session.clock
        self.session.seek(clock.position_ns + clock.duration_ns * percent // 100)
        self.draw()

    def action_seek_share(self, tenth: int) -> None:
        """Digits."""
        self.session.seek_share(tenth / 10)
        self.draw()

    def action_home(self) -> None:
        """Home."""
        self.session.home()
        self.draw()

    def action_end(self) -> None:
        """End."""
        self.session.end()
        self.draw()

    def action_faster(self) -> None:
        """Greater-than."""
        self.session.faster()
        self.draw()

    def action_slower(self) -> None:
        """Less-than."""
        self.session.slower()
        self.draw()

    def action_idle(self) -> None:
        """I."""
        self.session.toggle_idle()
        self.draw()

    def action_select(self, by: int) -> None:
        """Up and down."""
        self.session.move_selection(by)
        self.draw()

    def action_activate(self) -> None:
        """Enter."""
        self.session.activate()
        self.draw()

    def action_fold(self, folded: bool) -> None:
        """Minus and plus."""
        self.session.set_folded(folded=folded)
        self.draw()

    def show_tab(self, tab: Tab) -> None:
        """Opens a panel."""
        self.session.tab = tab
        self.draw()

    def action_tab(self, name: str) -> None:
        """A panel's letter."""
        self.show_tab(Tab[name])

    def action_next_tab(self, by: int) -> None:
        """Braces."""
        tabs = list(Tab)
        self.session.tab = tabs[(tabs.index(self.session.tab) + by) % len(tabs)]
        self.draw()

    def action_zoom(self) -> None:
        """Z."""
        zoomed = [name for name in self.classes if name.startswith("-zoom-")]
        if zoomed:
            self.remove_class(*zoomed)
        elif self.focused is not None and self.focused.id:
            self.add_class(f"-zoom-{self.focused.id}")

    def action_help(self) -> None:
        """Question mark."""
        self.session.clock.pause()
        self.draw()
        pane = self.focused.id if self.focused is not None and self.focused.id else ""
        keys = (*shown_keys(self.app, REPLAY_KEYS), DIGITS)
        self.app.push_screen(HelpScreen(keys, _PANES.get(pane, ""), PANE_KEYS.get(pane, ())))

    class Wanted(Message):
        """The user wants something done with this run: `rerun`, or `against` for the nearest passing one beside it."""

        def __init__(self, what: str, run: ReplayRun) -> None:
            super().__init__()
            self.what = what
            self.run = run

    def action_rerun(self) -> None:
        """Shift and R."""
        self.session.clock.pause()
        self.draw()
        self.post_message(self.Wanted("rerun", self.session.run))

    def action_against(self) -> None:
        """Shift and C."""
        self.session.clock.pause()
        self.say("looking for a passing run of this task …")
        self.post_message(self.Wanted("against", self.session.run))

    def action_back(self) -> None:
        """Escape: the list of runs."""
        self.post_message(self.Closed(self.session.run))

    class Closed(Message):
        """The user is done with this run."""

        def __init__(self, run: ReplayRun) -> None:
            super().__init__()
            self.run = run

    # -- mouse

    def on_scrubber_moved(self, message: Scrubber.Moved) -> None:
        """The scrubber was clicked or dragged."""
        self.session.seek_share(message.share)
        self.draw()

    def on_span_tree_clicked(self, message: SpanTree.Clicked) -> None:
        """A row was clicked: it is selected, or opened and closed where its sign was hit."""
        self.session.select(message.row)
        if message.fold:
            self.session.activate()
        self.draw()

    def on_document_view_chosen(self, message: DocumentView.Chosen) -> None:
        """A line of a panel was chosen: to the instant that it tells of."""
        self.session.clock.pause()
        self.session.seek(message.target_ns)
        self.draw()

    def on_tab_bar_chosen(self, message: TabBar.Chosen) -> None:
        """A tab was clicked."""
        self.session.tab = message.tab
        self.draw()

    def on_resize(self) -> None:
        """Tables depend on the width."""
        if self.is_mounted:
            self.call_after_refresh(self._draw_panel)
