"""The app: which screen is shown, themes, and a terminal that is left as it was found."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import App, SystemCommand
from textual.screen import Screen

from cabtrace.errors import EXIT_HARNESS, CabtraceError
from replay.tui.screens.opening import OpeningScreen
from replay.tui.themes import DARK, DEFAULT_VARIABLES, LIGHT
from replay.tui.widgets.bars import HintBar

if TYPE_CHECKING:
    from replay.places import Place
    from replay.tui.screens.runs import RunsScreen


class ReplayApp(App[int]):
    """Replays runs of a store: one at once when it is named, else from a list. Its return value is the exit code."""

    CSS_PATH = "app.tcss"
    TITLE = "cabtrace"
    COMMAND_PALETTE_BINDING = "colon"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012 - Textual does not declare it for the class

    def __init__(
        self, store: Path, run: Path | None = None, *, place: Place | None = None, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Opens `run` at `place`. When that fails the app ends, and `failure` says why."""
        super().__init__()
        self._store = store
        self._now_ns = now_ns
        self._first = None if run is None else OpeningScreen(run, place)
        self.failure: CabtraceError | None = None
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if os.environ.get("CABTRACE_THEME") == "light" else DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """For themes that do not know this app."""
        return dict(DEFAULT_VARIABLES)

    def get_default_screen(self) -> Screen[None]:
        """No empty screen first."""
        return self._first or self._runs_screen()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key of the screen by its words, and the themes. Nothing of a run is in it: the palette reads markup."""
        for key in getattr(screen, "KEYS", ()):
            title = f"{key.help[:1].upper()}{key.help[1:]}"
            yield SystemCommand(title, f"{key.group}, key {key.shown}", partial(self._run_key, screen, key.action))
        for theme in (DARK.name, LIGHT.name):
            yield SystemCommand(f"Theme {theme}", "Change the colours", partial(setattr, self, "theme", theme))

    def _run_key(self, screen: Screen[object], action: str) -> None:
        self.call_later(self.run_action, action, screen)

    def on_mount(self) -> None:
        """A polite end on SIGTERM and SIGHUP, so that the terminal is restored."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.exit, 128 + number)

    def on_runs_screen_opened(self, message: RunsScreen.Opened) -> None:
        """Replays a run of the list."""
        self.push_screen(OpeningScreen(message.path))

    def on_opening_screen_opened(self, message: OpeningScreen.Opened) -> None:
        """The run was read."""
        from replay.tui.screens.replay import ReplayScreen

        screen = ReplayScreen(message.run, self._now_ns, found=message.found)
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)  # Textual cannot switch away from its first screen

    def on_opening_screen_failed(self, message: OpeningScreen.Failed) -> None:
        """Says so in the list that it was chosen from; without one the app has nothing to show."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
            self.screen.query_one(HintBar).show(str(message.error))
        else:
            self.failure = message.error
            self.exit(message.error.exit_code)

    def on_replay_screen_closed(self) -> None:
        """Back to the list, which is made now if the app began with a run."""
        if isinstance(self.screen_stack[-2], OpeningScreen):
            self.switch_screen(self._runs_screen())
        else:
            self.pop_screen()

    def _runs_screen(self) -> Screen[None]:
        from replay.tui.screens.runs import RunsScreen

        return RunsScreen(self._store)


def run_app(store: Path, run: Path | None = None, *, place: Place | None = None) -> int:
    """Runs the app on this terminal; the exit code. Raises NotARunError, SchemaTooNewError, or UsageError for the place."""
    app = ReplayApp(store, run, place=place)
    ended = app.run()
    if app.failure is not None:
        raise app.failure
    if ended is None and app.return_code:  # it crashed: Textual has printed why, after it restored the terminal
        return EXIT_HARNESS
    return ended or 0
