"""The compare screen: keys and messages in, the state of the comparison out to the widgets."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import get_current_worker

from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.text import safe
from replay.compare_panel import panel, run_name
from replay.compare_session import NAMES, STEP_NS, CompareSession
from replay.document import Tone, words
from replay.tapes import index_tape
from replay.tui.keys import COMPARE_KEYS, DIGITS, SHARE_KEYS, bindings, shown_keys
from replay.tui.screens.help import HelpScreen
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.details import DocumentView
from replay.tui.widgets.step_table import StepTable
from replay.tui.widgets.terminal_pane import TerminalPane
from replay.tui.widgets.tracks import Tracks

if TYPE_CHECKING:
    from replay.compare_steps import Compared
    from replay.run import ReplayRun
    from replay.screen import TerminalTape

FRAME_S = 1 / 30
_SIDES = ("left", "right")
_COPY_CHARS = 74_000  # what most terminals take at once, in base64


class CompareScreen(Screen[None]):
    """Two runs. Draws only on a key, and on a frame while it plays."""

    KEYS = COMPARE_KEYS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMPARE_KEYS, SHARE_KEYS)
    AUTO_FOCUS = "#steps"

    class TapeReady(Message):
        """The terminal of one side can be shown. `note` says so where it cannot be shown as it was."""

        def __init__(self, side: int, tape: TerminalTape, note: str) -> None:
            super().__init__()
            self.side = side
            self.tape = tape
            self.note = note

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
        self._frames: Timer | None = None
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
        self.call_after_refresh(self._load_terminals)

    @work(thread=True, exclusive=True, group="terminal")
    def _load_terminals(self) -> None:
        worker = get_current_worker()
        for side, run in enumerate(self.session.runs):
            tape, note = run.tape()
            self.post_message(self.TapeReady(side, tape, note))
            for _ in index_tape(run, tape):
                if worker.is_cancelled:
                    return
                self.post_message(self.TapeReady(side, tape, note))
            self.post_message(self.TapeReady(side, tape, note))

    def on_compare_screen_tape_ready(self, message: TapeReady) -> None:
        """From now on that terminal follows its playhead."""
        self._tapes[message.side] = message.tape, message.note
        self._draw_terminals()

    # -- drawing

    def _frame(self) -> None:
        self.session.tick()
        self.draw()

    def draw(self) -> None:
        """Shows the session as it is now."""
        session = self.session
        if self._frames is not None:
            (self._frames.resume if session.playing else self._frames.pause)()
        self.set_class(session.side == 0, "-side-0")
        self.set_class(session.side == 1, "-side-1")
        self._draw_header()
        table = self.query_one(StepTable)
        count, differ = len(session.pairs), len(session.differences)
        table.border_title = Content(f"Steps {count:,}, {differ:,} difference{'s' * (differ != 1)}")
        table.update_rows()
        self.query_one(Tracks).refresh()
        self.query_one(HintBar).show(session.notice)
        self._draw_terminals()
        self._draw_notes()

    def _draw_header(self) -> None:
        session = self.session
        tasks = dict.fromkeys(run.snapshot.header.task.id for run in session.runs)
        how = words("⇄ locked " if session.locked else "╱ free ", Tone.DIM if session.locked else Tone.WARN)
        where = words("no divergence  ", Tone.GOOD) if session.compared.summary.divergence is None else words("")
        marked = any(run.snapshot.header.provisional for run in session.runs)
        note = words(f"! {PROVISIONAL_NOTE}  " if marked else "", Tone.WARN)
        self.query_one(HeaderBar).show_text("compare  " + " ⇄ ".join(tasks), [note, where, how])

    def _draw_terminals(self) -> None:
        session = self.session
        headers = [run.snapshot.header for run in session.runs]
        for side, (name, position_ns) in enumerate(zip(_SIDES, session.positions_ns(), strict=True)):
            pane, ready = self.query_one(f"#{name}").query_one(TerminalPane), self._tapes[side]
            title = safe(f"{NAMES[side]}  {run_name(headers[side], headers[1 - side])}", max_chars=200, newlines=False)
            pane.border_title = Content(title)
            if ready is None:
                continue
            tape, note = ready
            if not tape.is_near(position_ns):
                pane.show_note(f"reading the recording … {tape.share:.0%}")
            elif len(tape):
                pane.show_screen(tape.at(position_ns), title=f"{title} – {note}" if note else title)
            else:
                pane.show_note("This run has no terminal recording.")

    def _draw_notes(self) -> None:
        session, view = self.session, self.query_one(DocumentView)
        if view.display:
            view.show(list(panel(session)), from_top=self._noted != session.row)
            self._noted = session.row

    # -- keys

    def action_play(self) -> None:
        """Space."""
        self.session.toggle_play()
        self.draw()

    def action_step(self, by: int) -> None:
        """Arrows."""
        self.session.step(by)
        self.draw()

    def action_step_time(self, by: int) -> None:
        """Comma and full stop."""
        self.session.step_time(by * STEP_NS)
        self.draw()

    def action_jump(self, by: int) -> None:
        """N and N, brackets."""
        self.session.jump_difference(by)
        self.draw()

    def action_parted(self) -> None:
        """F."""
        self.session.go_parted()
        self.draw()

    def action_seek_by(self, percent: int) -> None:
        """Shift and arrows."""
        self.session.seek_by(percent)
        self.draw()

    def action_seek_share(self, tenth: int) -> None:
        """Digits, home and end."""
        self.session.seek_share(tenth / 10)
        self.draw()

    def action_faster(self) -> None:
        """Greater-than."""
        self.session.faster()
        self.draw()

    def action_slower(self) -> None:
        """Less-than."""
        self.session.slower()
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

    def _text(self) -> str:
        return "\n".join(line.text.rstrip() for line in panel(self.session))

    def action_copy(self) -> None:
        """Y: what differs as text."""
        text = self._text()[:_COPY_CHARS]
        self.app.copy_to_clipboard(text)
        self.session.notice = f"Copied {len(text):,} characters."
        self.draw()

    def action_copy_link(self) -> None:
        """Shift and Y."""
        link = shlex.join(["cabtrace", "diff", "--tui", *(str(run.path) for run in self.session.runs)])
        self.app.copy_to_clipboard(link)
        self.session.notice = f"Copied {link}"
        self.draw()

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
