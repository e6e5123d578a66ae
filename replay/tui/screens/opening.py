"""What is shown while a run is being read: its name and verdict at once, the rest when it is there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import orjson
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.strip import Strip
from textual.worker import Worker, WorkerCancelled, get_current_worker

from cabtrace.errors import CabtraceError
from cabtrace.store.lines import nests_deeper, read_regular
from replay.document import Piece, Tone, words
from replay.tui.keys import REPLAY_KEYS, shown_keys
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.lines import Toned

if TYPE_CHECKING:
    from replay.opening import OpenedRun
    from replay.places import Place

_HEADER_BYTES = 4 * 1024 * 1024
_NESTING = 16
_REPORT_S = 0.1


class Pane(Toned):
    """A frame that waits for its content."""

    def __init__(self, id: str, title: str = "", note: str = "") -> None:
        super().__init__(id=id)
        self.border_title = Content(title)
        self._note = note
        self._share: float | None = None

    def show_share(self, share: float) -> None:
        """How much of the work is done, 0 to 1."""
        self._share = share
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        pieces: list[Piece] = []
        if y == 1 and self._note:
            pieces = [words(f"  {self._note}", Tone.DIM)]
        elif y == 3 and self._share is not None:
            room = max(self.size.width - 10, 4)
            done = round(room * min(max(self._share, 0.0), 1.0))
            pieces = [words("  "), words("━" * done, Tone.KEY), words("─" * (room - done), Tone.DIM)]
            pieces.append(words(f" {self._share:4.0%}", Tone.DIM))
        elif y == 5 and self._share is not None:
            pieces = [words("  q stops", Tone.DIM)]
        return self.strip(pieces, self.size.width)


class OpeningScreen(Screen[None]):
    """Reads a run in a worker, as that takes imports and, for a large one, seconds."""

    BINDINGS: ClassVar = [Binding("q,escape", "cancel", show=False)]

    class Opened(Message):
        """The run can be replayed."""

        def __init__(self, opened: OpenedRun) -> None:
            super().__init__()
            self.opened = opened

    class Advanced(Message):
        """So much of the run is read, 0 to 1."""

        def __init__(self, share: float) -> None:
            super().__init__()
            self.share = share

    class Failed(Message):
        """The run cannot be read, or has no such place."""

        def __init__(self, error: CabtraceError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, path: Path, place: Place | None = None, opened: OpenedRun | None = None) -> None:
        """With `opened` there is nothing to wait for, hence nothing to show."""
        super().__init__()
        self._path = path
        self._place = place
        self._opened = opened

    def compose(self) -> ComposeResult:
        """The replay screen's frames."""
        if self._opened is not None:
            return
        yield HeaderBar()
        with Horizontal(id="body"):
            yield Pane("spans", "Spans", "reading …")
            with Vertical(id="side"):
                yield Pane("terminal", "Terminal")
                with Vertical(id="details"):
                    yield Pane("document")
        yield Pane("scrubber")
        yield HintBar(shown_keys(self.app, REPLAY_KEYS))

    def on_mount(self) -> None:
        """The first frame, then the run."""
        if self._opened is not None:
            self.post_message(self.Opened(self._opened))
            return
        self.query_one(HeaderBar).show_raw(read_summary(self._path))
        self.call_after_refresh(self._open)

    @work(thread=True, exclusive=True, group="open")
    def _open(self) -> None:
        from replay.opening import open_run

        try:
            opened = open_run(self._path, self._place, progress=self._progress(get_current_worker()))
        except WorkerCancelled:
            return
        except CabtraceError as error:
            self.post_message(self.Failed(error))
        else:
            _preload()
            self.post_message(self.Opened(opened))

    def _progress(self, worker: Worker[None]) -> Callable[[float], None]:
        shown_at = time.monotonic()

        def report(share: float) -> None:
            nonlocal shown_at
            if worker.is_cancelled:
                raise WorkerCancelled
            if time.monotonic() - shown_at > _REPORT_S:
                shown_at = time.monotonic()
                self.post_message(self.Advanced(share))

        return report

    def on_opening_screen_advanced(self, message: Advanced) -> None:
        """The bar grows."""
        self.query_one("#spans", Pane).show_share(message.share)

    def action_cancel(self) -> None:
        """Q and escape: back to the list that it was chosen from, else out."""
        self.workers.cancel_group(self, "open")
        if len(self.app.screen_stack) > 1:
            self.app.pop_screen()
        else:
            self.app.exit()


def _preload() -> None:
    """What the replay screen needs, imported here instead of while keys wait."""
    import replay.tui.screens.replay  # noqa: F401 - imported for the import's sake


def read_summary(path: Path) -> dict[str, object]:
    """run.json as it is, for the title alone; {} when it is no such thing. The reader proper says what is wrong with it."""
    try:
        raw = orjson.loads(read_regular(path / "run.json", _HEADER_BYTES))
    except (OSError, orjson.JSONDecodeError):
        return {}
    return raw if isinstance(raw, dict) and not nests_deeper(raw, _NESTING) else {}
