"""What the screens that play have in common: frames, recordings that a worker reads, the keys that move a playhead."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from textual import work
from textual.message import Message
from textual.screen import Screen
from textual.timer import Timer
from textual.worker import get_current_worker

from replay.session import STEP_NS

if TYPE_CHECKING:
    from replay.clock import ReplayClock
    from replay.run import ReplayRun
    from replay.screen import TerminalTape

FRAME_S = 1 / 30
COPY_CHARS = 74_000  # what most terminals take at once, in base64


class Player(Protocol):
    """What is played: one run, or two beside each other. Offsets are from the start of the run that keys act on."""

    notice: str

    @property
    def clock(self) -> ReplayClock: ...

    def tick(self) -> None: ...
    def toggle_play(self) -> None: ...
    def seek(self, offset_ns: int, /) -> None: ...
    def seek_share(self, share: float) -> None: ...
    def step_time(self, by_ns: int) -> None: ...
    def faster(self) -> None: ...
    def slower(self) -> None: ...


class PlaybackScreen(Screen[None]):
    """Draws only on a key, on a frame while it plays, and when there is more to show."""

    session: Player
    _frames: Timer | None = None

    class TapeReady(Message):
        """The recording of one run, by its place, can be shown. `note` says so where it cannot be shown as it was."""

        def __init__(self, place: int, tape: TerminalTape, note: str) -> None:
            super().__init__()
            self.place = place
            self.tape = tape
            self.note = note

    def draw(self) -> None:
        """Shows the session as it is now."""
        raise NotImplementedError

    def say(self, notice: str) -> None:
        """A sentence in place of the keys."""
        self.session.notice = notice
        self.draw()

    def _frame(self) -> None:
        self.session.tick()
        self.draw()

    @work(thread=True, exclusive=True, group="terminal")
    def load_tapes(self, runs: Iterable[ReplayRun]) -> None:
        """Reads recordings one after the other, and says so whenever more of one can be shown."""
        from replay.tapes import index_tape

        worker = get_current_worker()
        for place, run in enumerate(runs):
            tape, note = run.tape()
            for _ in chain((tape.share,), index_tape(run, tape), (tape.share,)):
                if worker.is_cancelled:
                    return
                self.post_message(self.TapeReady(place, tape, note))

    def copy(self, text: str, what: str, *, all_of_it: str = "") -> None:
        """Puts text on the clipboard, as much of it as terminals take, and says so; `all_of_it`: where the rest is."""
        self.app.copy_to_clipboard(text[:COPY_CHARS])
        cut = f" of {len(text):,}, as many as terminals take" if len(text) > COPY_CHARS else ""
        cut += f"; {all_of_it}" if cut and all_of_it else ""
        self.say(f"Copied {what}, {min(len(text), COPY_CHARS):,} characters{cut}.")

    # -- keys

    def action_play(self) -> None:
        """Space."""
        self.session.toggle_play()
        self.draw()

    def action_step_time(self, by: int) -> None:
        """Comma and full stop."""
        self.session.step_time(by * STEP_NS)
        self.draw()

    def action_seek_by(self, percent: int) -> None:
        """Shift and arrows."""
        self.session.seek(self.session.clock.ahead(percent))
        self.draw()

    def action_seek_share(self, tenth: int) -> None:
        """Digits."""
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
