"""What is shown while two runs are read and aligned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.worker import WorkerCancelled, get_current_worker

from cabtrace.errors import CabtraceError
from replay.tui.keys import COMPARE_KEYS, shown_keys
from replay.tui.screens.opening import Pane, read_summary
from replay.tui.widgets.bars import HeaderBar, HintBar

if TYPE_CHECKING:
    from replay.compare_steps import Compared
    from replay.run import ReplayRun


class CompareOpeningScreen(Screen[None]):
    """Reads and compares in a worker, as that takes imports and, for large runs, seconds."""

    BINDINGS: ClassVar = [Binding("q,escape", "cancel", show=False)]

    class Opened(Message):
        """The comparison can be shown."""

        def __init__(self, runs: tuple[ReplayRun, ReplayRun], compared: Compared) -> None:
            super().__init__()
            self.runs = runs
            self.compared = compared

    class Failed(Message):
        """One of the runs cannot be read."""

        def __init__(self, error: CabtraceError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, left: Path, right: Path) -> None:
        super().__init__()
        self._paths = left, right

    def compose(self) -> ComposeResult:
        """The compare screen's frames."""
        yield HeaderBar()
        with Horizontal(id="pair"):
            for name, title in (("left", "A"), ("right", "B")):
                with Vertical(id=name):
                    yield Pane("terminal", title, "reading …")
        with Horizontal(id="lower"):
            yield Pane("steps", "Steps")
            yield Pane("notes", "Details")
        yield Pane("tracks")
        yield HintBar(shown_keys(self.app, COMPARE_KEYS))

    def on_mount(self) -> None:
        """The first frame, then the runs."""
        names = [str(read_summary(path).get("cell_id", "")) for path in self._paths]
        self.query_one(HeaderBar).show_text("compare  " + "  ⇄  ".join(dict.fromkeys(names)))
        self.add_class("-side-0")
        self.call_after_refresh(self._open)

    @work(thread=True, exclusive=True, group="open")
    def _open(self) -> None:
        import replay.tui.screens.compare  # noqa: F401 - imported here instead of while keys wait
        from replay.compare_opening import open_pair

        worker = get_current_worker()

        def go_on(_: float) -> None:
            if worker.is_cancelled:
                raise WorkerCancelled

        try:
            runs, compared = open_pair(*self._paths, progress=go_on)
            go_on(1.0)
        except WorkerCancelled:
            return
        except CabtraceError as error:
            self.post_message(self.Failed(error))
        else:
            self.post_message(self.Opened(runs, compared))

    def action_cancel(self) -> None:
        """Q and escape: back to where it was opened, else out."""
        self.workers.cancel_group(self, "open")
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        else:
            self.app.exit()
