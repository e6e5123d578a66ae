"""What is shown while a run is being read: its name and verdict at once, the rest when it is there."""

from __future__ import annotations

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

from cabtrace.errors import CabtraceError, NotARunError
from cabtrace.store.lines import nests_deeper, read_regular
from replay.document import Tone, words
from replay.tui.keys import REPLAY_KEYS
from replay.tui.widgets.bars import HeaderBar, HintBar
from replay.tui.widgets.lines import Toned

if TYPE_CHECKING:
    from replay.places import Found, Place
    from replay.run import ReplayRun

_HEADER_BYTES = 4 * 1024 * 1024
_NESTING = 16


class Pane(Toned):
    """A frame that waits for its content."""

    def __init__(self, id: str, title: str = "", note: str = "") -> None:
        super().__init__(id=id)
        self.border_title = Content(title)
        self._note = note

    def render_line(self, y: int) -> Strip:
        """Draws it."""
        return self.strip([words(f"  {self._note}", Tone.DIM)] if y == 1 and self._note else [], self.size.width)


class OpeningScreen(Screen[None]):
    """Reads a run in a worker, as that takes imports and, for a large one, seconds."""

    BINDINGS: ClassVar = [Binding("q,escape", "app.quit", show=False)]

    class Opened(Message):
        """The run can be replayed; `found` is the place that was asked for."""

        def __init__(self, run: ReplayRun, found: Found | None) -> None:
            super().__init__()
            self.run = run
            self.found = found

    class Failed(Message):
        """The run cannot be read, or has no such place."""

        def __init__(self, error: CabtraceError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, path: Path, place: Place | None = None) -> None:
        super().__init__()
        self._path = path
        self._place = place

    def compose(self) -> ComposeResult:
        """The replay screen's frames."""
        yield HeaderBar()
        with Horizontal(id="body"):
            yield Pane("spans", "Spans", "reading …")
            with Vertical(id="side"):
                yield Pane("terminal", "Terminal")
                with Vertical(id="details"):
                    yield Pane("document")
        yield Pane("scrubber")
        yield HintBar(REPLAY_KEYS)

    def on_mount(self) -> None:
        """The first frame, then the run."""
        self.query_one(HeaderBar).show_raw(read_summary(self._path))
        self.call_after_refresh(self._open)

    @work(thread=True, exclusive=True, group="open")
    def _open(self) -> None:
        from replay.places import resolve
        from replay.run import ReplayRun

        try:
            run = ReplayRun(self._path)
            found = None if self._place is None else resolve(self._place, run.snapshot.timeline, run.snapshot.calls)
        except CabtraceError as error:
            self.post_message(self.Failed(error))
        except OSError as error:
            self.post_message(self.Failed(NotARunError(f"{self._path} cannot be read: {error.strerror or error}.")))
        else:
            _preload()
            self.post_message(self.Opened(run, found))


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
