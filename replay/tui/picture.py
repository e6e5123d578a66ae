"""The replay screen as an SVG, drawn without a terminal, that shows the same wherever it is opened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from replay.session import Tab
from replay.svg import stand_alone
from replay.tui.app import ReplayApp

if TYPE_CHECKING:
    from replay.places import Place

_ROUNDS = 1_000


def take_picture(store: Path, run: Path, *, place: Place | None, tab: Tab, size: tuple[int, int], light: bool = False) -> str:
    """The screen at a place, `size` in columns and rows. Raises NotARunError, SchemaTooNewError, or UsageError for the place."""
    return asyncio.run(_take(store, run, place, tab, size, light=light))


async def _take(store: Path, run: Path, place: Place | None, tab: Tab, size: tuple[int, int], *, light: bool) -> str:
    app = ReplayApp(store, run, place=place)
    if light:
        app.theme = "cabtrace-light"
    async with app.run_test(size=size) as pilot:
        await _settle(app, pilot.pause)
        if app.failure is None:
            from replay.tui.screens.replay import ReplayScreen

            if isinstance(app.screen, ReplayScreen):
                app.screen.session.clock.pause()
                app.screen.show_tab(tab)
            await _settle(app, pilot.pause)
            return as_picture(app, "cabtrace replay")
    raise app.failure


def as_picture(app: ReplayApp, title: str) -> str:
    """What the app shows now."""
    colors = app.theme_variables
    svg = app.export_screenshot(title=title)
    return stand_alone(svg, frame=colors["panel"], line=colors["cab-line"], title=colors["cab-dim"])


async def _settle(app: ReplayApp, pause: Callable[[], Awaitable[None]]) -> None:
    """Until no worker is left, nor one that the end of another has started, and everything is drawn."""
    for _ in range(_ROUNDS):
        await pause()
        await pause()
        if app.failure is not None or not list(app.workers):
            return
        await app.workers.wait_for_complete()
