"""The app: which screen is shown, themes, and a terminal that is left as it was found."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import work
from textual.app import SystemCommand
from textual.message import Message
from textual.screen import Screen

from cabtrace.errors import CabtraceError
from replay.tui.jobs import JobApp
from replay.tui.keys import shown_keys
from replay.tui.last_words import error_console
from replay.tui.screens.opening import OpeningScreen
from replay.tui.settings import THEMES, chosen_theme, remember_theme
from replay.tui.themes import DARK, DEFAULT_VARIABLES, LIGHT, fitted
from replay.tui.widgets.bars import HintBar

if TYPE_CHECKING:
    from replay.child import Child
    from replay.left_off import LeftOff
    from replay.opening import OpenedRun
    from replay.places import Place
    from replay.tui.keymap import Keymap
    from replay.tui.screens.compare import CompareScreen
    from replay.tui.screens.compare_opening import CompareOpeningScreen
    from replay.tui.screens.replay import ReplayScreen
    from replay.tui.screens.runs import RunsScreen


class ReplayApp(JobApp):
    """Replays runs of a store: one at once when it is named, else from a list. Its return value is the exit code."""

    CSS_PATH = "app.tcss"
    TITLE = "cabtrace"
    COMMAND_PALETTE_BINDING = "colon"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012 - Textual does not declare it for the class

    def __init__(
        self,
        store: Path,
        run: Path | None = None,
        *,
        place: Place | None = None,
        against: Path | None = None,
        child: Child | None = None,
        keymap: Keymap | None = None,
        now_ns: Callable[[], int] = time.monotonic_ns,
        opened: OpenedRun | None = None,
        theme: str | None = None,
        settings: Path | None = None,
    ) -> None:
        """Opens `run` at `place`, or beside `against`. When that fails the app ends, and `failure` says why.

        `opened` is `run` at `place`, read before.
        `theme` is `dark` or `light`; without it the environment's, then that of the file `settings`, where the choice is kept.
        `child` is the command that records `run` now. `keymap`: keys by id, which the defaults give way to.
        """
        super().__init__(store, child)
        self.error_console = error_console()
        self.remapped: Keymap = keymap or {}
        self.set_keymap({f"cabtrace.{name}": ",".join(keys) for name, keys in self.remapped.items()})
        self._now_ns = now_ns
        self._first = _first_screen(run, place, against, opened)
        self.failure: CabtraceError | None = None
        self._left_off: dict[Path, LeftOff] = {}
        self._settings = settings
        self.fit_colors(None)
        named = theme or os.environ.get("CABTRACE_THEME") or (chosen_theme(settings) if settings else None)
        self.theme = LIGHT.name if named == "light" else DARK.name

    def fit_colors(self, color_system: str | None) -> None:
        """For a terminal of so many colours, as Rich names them."""
        for theme in (DARK, LIGHT):
            self.register_theme(fitted(theme, color_system))

    def choose_theme(self, theme: str) -> None:
        """`dark` or `light`, now and from now on."""
        self.theme = LIGHT.name if theme == "light" else DARK.name
        if self._settings is not None and not remember_theme(self._settings, theme):
            self.say(f"The theme is {theme} until you quit: {self._settings} cannot be written.")

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """For themes that do not know this app."""
        return dict(DEFAULT_VARIABLES)

    def get_default_screen(self) -> Screen[None]:
        """No empty screen first."""
        return self._first or self._runs_screen()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key of the screen by its words, and the themes. Nothing of a run is in it: the palette reads markup."""
        for key in shown_keys(self, getattr(screen, "KEYS", ())):
            title = f"{key.help[:1].upper()}{key.help[1:]}"
            yield SystemCommand(title, f"{key.group}, key {key.shown}", partial(self._run_key, screen, key.action))
        for theme in THEMES:
            yield SystemCommand(f"Theme {theme}", "Change the colours, now and from now on", partial(self.choose_theme, theme))

    def _run_key(self, screen: Screen[object], action: str) -> None:
        self.call_later(self.run_action, action, screen)

    def on_mount(self) -> None:
        """A polite end on the signals that ask for one, so that the terminal is restored."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.exit, 128 + number)

    def on_runs_screen_opened(self, message: RunsScreen.Opened) -> None:
        """Replays a run of the list."""
        self.push_screen(OpeningScreen(message.path))

    def on_runs_screen_compared(self, message: RunsScreen.Compared) -> None:
        """Two runs of the list side by side."""
        self.compare(message.left, message.right)

    def on_replay_screen_wanted(self, message: ReplayScreen.Wanted) -> None:
        """Something is to be done with the run that is replayed."""
        self._do(message.what, message.run.path)

    def on_runs_screen_wanted(self, message: RunsScreen.Wanted) -> None:
        """Likewise with a run of the list."""
        self._do(message.what, message.path)

    def _do(self, what: str, path: Path) -> None:
        if what == "rerun":
            self.rerun(path)
        else:
            self.find_passing(path)

    class PassingFound(Message):
        """The nearest passing run of the same task; None when there is none."""

        def __init__(self, path: Path, passing: Path | None) -> None:
            super().__init__()
            self.path = path
            self.passing = passing

    @work(thread=True, exclusive=True, group="passing")
    def find_passing(self, path: Path) -> None:
        """Looks through the store for what to hold a run against, then shows both."""
        from cabtrace.diagnose.nearest import nearest_passing
        from cabtrace.store.catalog import list_runs
        from cabtrace.store.reader import read_header

        try:
            others = [(run.path, run.header) for run in list_runs(self._store) if run.header is not None]
            found = nearest_passing(read_header(path), others)
        except (CabtraceError, OSError):
            found = None
        self.post_message(self.PassingFound(path, found))

    def on_replay_app_passing_found(self, message: PassingFound) -> None:
        """Side by side, or a sentence."""
        if message.passing is None:
            self.say("No other run of this task passed.")
        else:
            self.compare(message.path, message.passing)

    def on_opening_screen_opened(self, message: OpeningScreen.Opened) -> None:
        """The run was read."""
        from replay.tui.screens.replay import ReplayScreen

        screen = ReplayScreen(message.opened.run, self._now_ns, found=message.opened.found)
        if message.opened.found is None and (left := self._left_off.get(message.opened.run.path)) is not None:
            left.restore(screen.session)
        self._show(screen)

    def on_compare_opening_screen_opened(self, message: CompareOpeningScreen.Opened) -> None:
        """Two runs were read."""
        from replay.tui.screens.compare import CompareScreen

        self._show(CompareScreen(message.runs, message.compared, self._now_ns))

    def _show(self, screen: Screen[None]) -> None:
        """In place of the screen that read what it shows."""
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)  # Textual cannot switch away from its first screen
        # What a run needs stays as long as it is shown; a collection that looks through all of it would make a key wait.
        self.call_after_refresh(gc.freeze)

    def on_opening_screen_failed(self, message: OpeningScreen.Failed) -> None:
        """Says so in the list that it was chosen from; without one the app has nothing to show."""
        self._fail(message.error)

    def on_compare_opening_screen_failed(self, message: CompareOpeningScreen.Failed) -> None:
        """Likewise."""
        self._fail(message.error)

    def _fail(self, error: CabtraceError) -> None:
        if len(self.screen_stack) > 1:
            self.pop_screen()
            self.screen.query_one(HintBar).show(str(error))
        else:
            self.failure = error
            self.exit(error.exit_code)

    def on_compare_screen_replay(self, message: CompareScreen.Replay) -> None:
        """One of two runs by itself."""
        from replay.places import Offset

        self.push_screen(OpeningScreen(message.path, Offset(message.offset_ns)))

    def on_compare_screen_closed(self) -> None:
        """Back to where it was opened."""
        self._close()

    def on_replay_screen_closed(self, message: ReplayScreen.Closed) -> None:
        """Back to where it was opened."""
        from replay.left_off import LeftOff

        self._left_off[message.session.run.path] = LeftOff.of(message.session)
        self._close()

    def _close(self) -> None:
        """To the screen below, or to the list, which is made now if the app began without it."""
        if self.screen_stack[-2] is self._first:
            self.switch_screen(self._runs_screen())
        else:
            self.pop_screen()

    def _runs_screen(self) -> Screen[None]:
        from replay.tui.screens.runs import RunsScreen

        return RunsScreen(self._store)


def _first_screen(run: Path | None, place: Place | None, against: Path | None, opened: OpenedRun | None) -> Screen[None] | None:
    if run is None:
        return None
    if against is None:
        return OpeningScreen(run, place, opened)
    from replay.tui.screens.compare_opening import CompareOpeningScreen

    return CompareOpeningScreen(run, against)
