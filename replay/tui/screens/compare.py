"""The compare screen: keys and messages in, the state of the comparison out to the widgets."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message

from replay.compare_panel import panel, side_title, standing, steps_title, title
from replay.compare_session import CompareSession
from replay.tui.keys import COMPARE_DIGIT_KEYS, COMPARE_KEYS, DIGITS, bindings, shown_keys
from replay.tui.screens.help import HelpScreen
from replay.tui.screens.playback import FRAME_S, PlaybackScreen
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.details import DocumentView
from replay.tui.widgets.step_table import StepTable
from replay.tui.widgets.terminal_pane import TerminalPane
from replay.tui.widgets.tracks import Tracks

if TYPE_CHECKING:
    from replay.compare_steps import Compared
    from replay.run import ReplayRun
    from replay.screen import TerminalTape

_SIDES = ("left", "right")


class CompareScreen(PlaybackScreen):
    """Two runs."""

    KEYS = COMPARE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMPARE_KEYS, COMPARE_DIGIT_KEYS)
    AUTO_FOCUS = "#steps"
    session: CompareSession

    class Replay(Message):
        """The user wants to replay one of the runs from an instant."""

        def __init__(self, path: Path, offset_ns: int) -> None:
            super().__init__()
            self.path = path
            self.offset_ns = offset_ns

    class Closed(Message):
        """The user is done with this comparison."""

    def __init__(self, runs: tuple[ReplayRun, ReplayRun], compared: Compared, now_ns: Callable[[], int]) -> None:
        super().__init__()
        self.session = CompareSession(runs, compared, now_ns)
        self._tapes: list[tuple[TerminalTape, str] | None] = [None, None]
        self._noted = -1

    def compose(self) -> ComposeResult:
        """Header, terminals, steps beside what differs, tracks, keys."""
        yield HeaderBar()
        with Horizontal(id="pair"):
            for name in _SIDES:
                with Vertical(id=name):
                    yield TerminalPane()
        with Horizontal(id="lower"):
            yield StepTable(self.session)
            yield DocumentView(id="notes")
        yield Tracks(self.session)
        yield HintBar(shown_keys(self.app, COMPARE_KEYS))

    def on_mount(self) -> None:
        """The first frame; what takes longer comes after it."""
        self._frames = self.set_interval(FRAME_S, self._frame, pause=True)
        self.query_one(DocumentView).border_title = Content("Details")
        self.draw()
        self.call_after_refresh(self.load_tapes, self.session.runs)

    def on_playback_screen_tape_ready(self, message: PlaybackScreen.TapeReady) -> None:
        """From now on that terminal follows its playhead."""
        self._tapes[message.place] = message.tape, message.note
        self._draw_terminals()

    # -- drawing

    def draw(self) -> None:
        """Shows the session as it is now."""
        session = self.session
        if self._frames is not None:
            (self._frames.resume if session.playing else self._frames.pause)()
        self.set_class(session.side == 0, "-side-0")
        self.set_class(session.side == 1, "-side-1")
        self.query_one(HeaderBar).show_text(title(session), standing(session))
        table = self.query_one(StepTable)
        table.border_title = Content(steps_title(session))
        table.update_rows()
        self.query_one(Tracks).refresh()
        self.query_one(HintBar).show(session.notice)
        self._draw_terminals()
        self._draw_notes()

    def _draw_terminals(self) -> None:
        session = self.session
        for side, (name, position_ns) in enumerate(zip(_SIDES, session.positions_ns(), strict=True)):
            pane, ready = self.query_one(f"#{name}").query_one(TerminalPane), self._tapes[side]
            shown = side_title(session, side)
            pane.border_title = Content(shown)
            if ready is not None:
                tape, note = ready
                pane.show_tape(tape, position_ns, name=shown, note=note)

    def _draw_notes(self) -> None:
        session, view = self.session, self.query_one(DocumentView)
        if view.display:
            view.show(list(panel(session)), from_top=self._noted != session.row)
            self._noted = session.row

    # -- keys

    def action_step(self, by: int) -> None:
        """Arrows."""
        self.session.step(by)
        self.draw()

    def action_jump(self, by: int) -> None:
        """N and N, brackets."""
        self.session.jump_difference(by)
        self.draw()

    def action_parted(self) -> None:
        """F."""
        self.session.go_parted()
        self.draw()

    def action_side(self) -> None:
        """Tab."""
        self.session.switch_side()
        self.draw()

    def action_lock(self) -> None:
        """L."""
        self.session.toggle_lock()
        self.draw()

    def action_notes(self) -> None:
        """D: the details have the arrows, and the room where there is little; again: the steps."""
        view = self.query_one(DocumentView)
        reading = not self.has_class("-notes")
        self.set_class(reading, "-notes")
        self.set_focus(view if reading else self.query_one(StepTable))
        self.call_after_refresh(self._draw_notes)

    def action_copy(self) -> None:
        """Y: what differs as text."""
        self.copy("\n".join(line.text.rstrip() for line in panel(self.session)), "what differs")

    def action_copy_link(self) -> None:
        """Shift and Y."""
        link = shlex.join(["cabtrace", "diff", "--tui", *(str(run.path) for run in self.session.runs)])
        self.app.copy_to_clipboard(link)
        self.say(f"Copied {link}")

    def action_open(self) -> None:
        """Enter: this side's run by itself."""
        session = self.session
        for clock in session.clocks:
            clock.pause()
        self.draw()
        self.post_message(self.Replay(session.runs[session.side].path, session.clock.position_ns))

    def action_help(self) -> None:
        """Question mark."""
        self.app.push_screen(HelpScreen((*shown_keys(self.app, COMPARE_KEYS), DIGITS)))

    def action_back(self) -> None:
        """Escape."""
        self.post_message(self.Closed())

    # -- mouse

    def on_tracks_moved(self, message: Tracks.Moved) -> None:
        """A track was clicked or dragged."""
        if message.side != self.session.side:
            self.session.switch_side()
        self.session.seek_share(message.share)
        self.draw()

    def on_step_table_clicked(self, message: StepTable.Clicked) -> None:
        """A row was clicked."""
        self.session.go_row(message.row)
        self.draw()

    def on_click(self, event: events.Click) -> None:
        """A terminal was clicked: keys act on its run."""
        above = () if event.widget is None else event.widget.ancestors_with_self
        side = next((side for side, name in enumerate(_SIDES) if self.query_one(f"#{name}") in above), None)
        if side is not None and side != self.session.side:
            self.action_side()

    def on_resize(self) -> None:
        """Which panes there is room for depends on the width."""
        if self.is_mounted:
            self.call_after_refresh(self._draw_notes)
