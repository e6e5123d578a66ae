"""Small windows: a question with a key for each answer, and a cell that runs beside the app."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.screen import ModalScreen

from replay.document import Line, wrap
from replay.job import Answer, Job, choices, task_folder
from replay.tui.keys import shown_key
from replay.tui.widgets.details import DocumentView
from replay.tui.widgets.prompt import Ask, Prompt

POLL_S = 0.25
_MOST_WIDTH = 92  # as the style sheet has it
_FRAME = 5  # border, padding, and the place of a mark


class Window(ModalScreen[str]):
    """Lines in a frame. Its result is the name of the answer, "" for none."""

    BINDINGS: ClassVar = [
        Binding("escape", "answer('')", show=False),
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
    ]

    def __init__(self, title: str) -> None:
        super().__init__()
        self._window_title = title

    def compose(self) -> ComposeResult:
        """One document."""
        view = DocumentView(id="window")
        view.border_title = Content(self._window_title)
        yield view

    def on_mount(self) -> None:
        """As high as its text."""
        self.draw(first=True)

    def lines(self) -> list[Line]:
        """What it shows."""
        raise NotImplementedError

    def answers(self) -> Sequence[Answer]:
        """Those that can be given now."""
        raise NotImplementedError

    def draw(self, *, first: bool = False) -> None:
        """Shows how things stand."""
        view = self.query_one(DocumentView)
        given = [(shown_key(key), what) for key, what, _ in self.answers()]
        lines = [*self.lines(), Line(), choices(*given)]
        view.show(lines, from_top=first)
        width = min(_MOST_WIDTH, self.app.size.width * 96 // 100) - _FRAME
        rows = sum(len(wrap(line, width)) for line in lines)
        view.styles.height = min(rows + 2, max(self.app.size.height - 4, 5))

    def on_resize(self) -> None:
        """Lines wrap anew."""
        if self.is_mounted:
            self.call_after_refresh(self.draw)

    def on_key(self, event: events.Key) -> None:
        """An answer's key."""
        for key, _, name in self.answers():
            if event.key == key:
                event.stop()
                self.dismiss(name)
                return

    def action_answer(self, name: str) -> None:
        """Escape."""
        self.dismiss(name)

    def action_scroll(self, by: int) -> None:
        """Where the terminal is too low for it."""
        self.query_one(DocumentView).scroll_relative(y=by, animate=False)


class AskScreen(Window):
    """A question."""

    def __init__(self, title: str, lines: Sequence[Line], answers: Sequence[Answer]) -> None:
        super().__init__(title)
        self._lines = list(lines)
        self._answers = answers

    def lines(self) -> list[Line]:
        return self._lines

    def answers(self) -> Sequence[Answer]:
        return self._answers


class FolderScreen(AskScreen):
    """Asks for a folder, which is its result; "" for none."""

    def __init__(self, title: str, lines: Sequence[Line]) -> None:
        super().__init__(title, lines, ())

    def compose(self) -> ComposeResult:
        """The document, and a line to type into."""
        yield from super().compose()
        yield Prompt()

    def on_mount(self) -> None:
        """Types at once."""
        self.query_one(Prompt).ask(Ask.FOLDER, "", "enter runs the cell again, esc leaves it")

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        """Enter: a folder with a task.toml, or a sentence why it is none."""
        folder = task_folder(message.text)
        if folder is None:
            self.query_one(Prompt).say("There is no task.toml in that folder.")
        else:
            self.dismiss(str(folder))

    def on_prompt_closed(self) -> None:
        """Escape."""
        self.dismiss("")


class JobScreen(Window):
    """What a rerun is doing; closing it leaves that running."""

    def __init__(self, job: Job) -> None:
        super().__init__("Rerun")
        self._job = job

    def on_mount(self) -> None:
        """Looks again, several times a second."""
        self.set_interval(POLL_S, self._look)

    def _look(self) -> None:
        if self._job.poll():
            self.draw()

    def lines(self) -> list[Line]:
        return list(self._job.lines())

    def answers(self) -> Sequence[Answer]:
        return self._job.answers()
