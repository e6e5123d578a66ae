"""The app: which screen is shown, themes, and a terminal that is left as it was found."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from textual.app import App
from textual.screen import Screen

from cabtrace.errors import EXIT_HARNESS, CabtraceError
from replay.run import ReplayRun
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from replay.tui.themes import DARK, DEFAULT_VARIABLES, LIGHT
from replay.tui.widgets.bars import HintBar


class ReplayApp(App[int]):
    """Replays runs of a store: one at once when it is named, else from a list. Its return value is the exit code."""

    CSS_PATH = "app.tcss"
    TITLE = "cabtrace"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (160, "-wide")]  # noqa: RUF012 - Textual does not declare it for the class

    def __init__(
        self, store: Path, run: Path | None = None, *, at_ns: int | None = None, now_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Opens `run` here: one that cannot be read raises NotARunError or SchemaTooNewError before the screen changes."""
        super().__init__()
        self._store = store
        self._now_ns = now_ns
        self._first = None if run is None else ReplayScreen(ReplayRun(run), now_ns, at_ns=at_ns)
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = LIGHT.name if os.environ.get("CABTRACE_THEME") == "light" else DARK.name

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """For themes that do not know this app."""
        return dict(DEFAULT_VARIABLES)

    def get_default_screen(self) -> Screen[None]:
        """No empty screen first."""
        return self._first or RunsScreen(self._store)

    def on_mount(self) -> None:
        """A polite end on SIGTERM and SIGHUP, so that the terminal is restored."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.exit, 128 + number)

    def on_runs_screen_opened(self, message: RunsScreen.Opened) -> None:
        """Replays a run of the list, or says why that cannot be."""
        try:
            run = ReplayRun(message.path)
        except (CabtraceError, OSError) as error:
            self.screen.query_one(HintBar).show(str(error))
            return
        self.push_screen(ReplayScreen(run, self._now_ns))

    def on_replay_screen_closed(self) -> None:
        """Back to the list, which is made now if the app began with a run."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.push_screen(RunsScreen(self._store))


def run_app(store: Path, run: Path | None = None, *, at_ns: int | None = None) -> int:
    """Runs the app on this terminal; the exit code. Raises NotARunError or SchemaTooNewError."""
    app = ReplayApp(store, run, at_ns=at_ns)
    ended = app.run()
    if ended is None and app.return_code:  # it crashed: Textual has printed why, after it restored the terminal
        return EXIT_HARNESS
    return ended or 0
