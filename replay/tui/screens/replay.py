"""The replay screen: keys and messages in, the session's state out to the widgets."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message

from replay import display
from replay.panels.choose import panel_lines
from replay.run import ReplayRun, Snapshot
from replay.session import Session, Tab
from replay.tui.keys import DIGIT_KEYS, DIGITS, PANE_KEYS, PROMPT_KEYS, REPLAY_KEYS, bindings, shown_keys
from replay.tui.screens.help import HelpScreen
from replay.tui.screens.one_pane import OnePaneScreen
from replay.tui.screens.playback import FRAME_S, PlaybackScreen
from replay.tui.screens.tools import ToolScreen
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.details import DocumentView, TabBar
from replay.tui.widgets.minimap import Minimap
from replay.tui.widgets.pointed import Pointed
from replay.tui.widgets.prompt import Prompt
from replay.tui.widgets.scrubber import Scrubber
from replay.tui.widgets.span_tree import SpanTree
from replay.tui.widgets.terminal_pane import TerminalPane
from replay.waiting import behind, waiting_on

if TYPE_CHECKING:
    from cabtrace.diagnose.finding import Diagnosis
    from replay.places import Found
    from replay.screen import TerminalTape

POLL_S = 0.5
_PANES = {"terminal": "terminal", "document": "panel"}


class ReplayScreen(ToolScreen, OnePaneScreen):
    """One run, which may still be growing."""

    KEYS = REPLAY_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(REPLAY_KEYS, DIGIT_KEYS)
    AUTO_FOCUS = "#spans"

    class Diagnosed(Message):
        """The rules have been asked."""

        def __init__(self, snapshot: Snapshot, diagnosis: Diagnosis | str) -> None:
            super().__init__()
            self.snapshot = snapshot
            self.diagnosis = diagnosis

    class Polled(Message):
        """A live run was looked at again; `grown`: it has a new snapshot."""

        def __init__(self, *, grown: bool) -> None:
            super().__init__()
            self.grown = grown

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
        self.call_after_refresh(self.load_tapes, (self.session.run,))

    # -- data that takes time

    def on_playback_screen_tape_ready(self, message: PlaybackScreen.TapeReady) -> None:
        """From now on the terminal follows the playhead."""
        self._tape, self._tape_note = message.tape, message.note
        self.set_class(not len(message.tape), "-untaped")
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
        self.post_message(self.Polled(grown=self.session.run.refresh()))

    def on_replay_screen_polled(self, message: Polled) -> None:
        """Takes over what a live run appended."""
        self._polling = False
        if not message.grown:
            return
        self.session.refresh()
        if self._tape is not None:
            self.load_tapes((self.session.run,))
        self._draw_header()
        self.draw()

    # -- drawing

    def draw(self) -> None:
        """Shows the session as it is now."""
        session = self.session
        if self._frames is not None:
            (self._frames.resume if session.clock.playing else self._frames.pause)()
        self.query_one(SpanTree).update_rows()
        self.query_one(Scrubber).refresh()
        self._draw_path()
        self.query_one(HintBar).show(session.notice, self._away())
        if (prompt := self.query_one(Prompt)).display and session.notice:
            prompt.say(session.notice)
        self._draw_terminal()
        self._draw_panel()

    def _draw_header(self) -> None:
        snapshot, clock = self.session.snapshot, self.session.clock
        self.query_one(HeaderBar).show_run(snapshot, waiting_on(snapshot, self._wall_ns()), behind(snapshot, clock))

    def _draw_path(self) -> None:
        if self.session.path_shown and self.session.path is None:
            self.find_path()
        self.query_one(Minimap).update()

    def _away(self) -> str:
        """A hint where the selected row is not what the playhead is at."""
        row = self.session.away
        if row is None:
            return ""
        key = next(key.shown for key in shown_keys(self.app, REPLAY_KEYS) if key.id == "go.selected")
        return f"selected: {display.when_words(row, self.session.position_ns)}, {key} goes there"

    def _draw_terminal(self) -> None:
        pane, tape = self.query_one(TerminalPane), self._tape
        if tape is not None:
            pane.show_tape(tape, self.session.position_ns, name="", note=self._tape_note)
            pane.show_search(self.session.sought_on_screen)

    def _draw_panel(self) -> None:
        view, session = self.query_one(DocumentView), self.session
        self.query_one(TabBar).show(session.tab, {Tab.CALLS: len(session.snapshot.calls)})
        if session.needs_diagnosis and not self._diagnosing:
            self._diagnosing = True
            self._diagnose()
        lines, is_other = panel_lines(session, view.text_width), self._panel_shown is not session.tab
        view.show(lines, from_top=is_other, sought=session.sought_in_panel)
        self._panel_shown = session.tab

    # -- keys

    def action_step_span(self, by: int) -> None:
        """Arrows."""
        self.session.step_span(by)
        self.draw()

    def action_jump_error(self, by: int) -> None:
        """N and N."""
        self.session.jump_error(by)
        self.draw()

    def action_jump_marker(self, by: int) -> None:
        """Brackets."""
        self.session.jump_marker(by)
        self.draw()

    def action_home(self) -> None:
        """Home."""
        self.session.home()
        self.draw()

    def action_end(self) -> None:
        """End."""
        self.session.end()
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

    def action_go_to_selected(self) -> None:
        """Shift and G."""
        self.session.go_to_selected()
        self.draw()

    def action_fold_all(self, closed: bool) -> None:
        """Underscore and asterisk."""
        self.session.fold_all(closed=closed)
        self.draw()

    def action_steps(self) -> None:
        """Shift and S."""
        self.session.toggle_steps()
        self.draw()

    def action_magnify(self, by: float) -> None:
        """Plus and minus."""
        self.session.zoom(by)
        self.draw()

    def action_fit(self) -> None:
        """F."""
        self.session.fit_selected()
        self.draw()

    def action_whole(self) -> None:
        """Shift and F."""
        self.session.unzoom()
        self.draw()

    def show_tab(self, tab: Tab) -> None:
        """Opens a panel."""
        self.session.tab = tab
        self.turn_to("document")
        self.draw()

    def action_tab(self, name: str) -> None:
        """A panel's letter."""
        self.show_tab(Tab[name])

    def action_next_tab(self, by: int) -> None:
        """Braces."""
        tabs = list(Tab)
        self.show_tab(tabs[(tabs.index(self.session.tab) + by) % len(tabs)])

    def action_markdown(self) -> None:
        """Shift and M."""
        self.session.toggle_markdown()
        self.show_tab(Tab.MESSAGES)

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
        keys = (*shown_keys(self.app, REPLAY_KEYS), DIGITS, *PROMPT_KEYS)
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
        self.post_message(self.Closed(self.session))

    class Closed(Message):
        """The user is done with this run."""

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session

    # -- mouse

    def on_pointed_moved(self, message: Pointed.Moved) -> None:
        """The scrubber or the minimap was clicked or dragged."""
        self.session.seek(message.offset_ns)
        self.draw()

    def on_pointed_turned(self, message: Pointed.Turned) -> None:
        """The wheel was turned over it."""
        self.session.step_time(message.by_ns)
        self.draw()

    def on_pointed_hovered(self, message: Pointed.Hovered) -> None:
        """The mouse is over it."""
        self.query_one(HintBar).show(message.text or self.session.notice, self._away())

    def on_pointed_zoomed(self, message: Pointed.Zoomed) -> None:
        """The wheel was turned over it, with control."""
        self.action_magnify(message.by)

    def on_span_tree_zoomed(self, message: SpanTree.Zoomed) -> None:
        """The same over the waterfall."""
        self.action_magnify(message.by)

    def on_span_tree_clicked(self, message: SpanTree.Clicked) -> None:
        """A row was clicked: it is selected, opened and closed where its sign was hit, gone to if twice or in the waterfall."""
        if message.at_ns is not None:
            self.session.clock.pause()
            self.session.seek(message.at_ns)
        self.session.select(message.row)
        if message.fold:
            self.session.activate()
        elif message.go and message.at_ns is None:
            self.session.go_to_selected()
        self.draw()

    def on_document_view_chosen(self, message: DocumentView.Chosen) -> None:
        """A line of a panel was chosen: to the instant that it tells of."""
        self.session.clock.pause()
        self.session.seek(message.target_ns)
        self.draw()

    def on_document_view_opened(self, message: DocumentView.Opened) -> None:
        """A line that stands for more was chosen."""
        self.session.toggle_part(message.part)
        self.draw()

    def on_tab_bar_chosen(self, message: TabBar.Chosen) -> None:
        """A tab was clicked."""
        self.show_tab(message.tab)

    def on_resize(self) -> None:
        """Tables depend on the width."""
        if self.is_mounted:
            self.call_after_refresh(self._draw_panel)
