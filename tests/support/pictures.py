"""What the tests that compare pictures have in common: sizes, keys, and the Textual that the pictures were made with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from replay.tui.app import ReplayApp
from replay.tui.themes import LIGHT
from tests.support.pilot import settle

Compare = Callable[..., bool]
Size = tuple[int, int]
MADE_WITH = "8.2.8"
SIZES: list[Size] = [(80, 24), (120, 40), (200, 50)]
sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40", "200x50"])


def need_the_same_engines() -> None:
    """Skips a module where its pictures would differ for reasons that are not ours."""
    pytest.importorskip("pyghostty", reason="the pictures show the terminal as its engine draws it: cabtrace[terminal]")
    if version("textual") != MADE_WITH:
        pytest.skip(f"the pictures were made with Textual {MADE_WITH}", allow_module_level=True)


def scripted(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """Presses keys once everything is loaded, and waits until it is drawn."""

    async def run_before(pilot: Pilot[Any]) -> None:
        for batch in ((), keys):
            if batch:
                await pilot.press(*batch)
            await settle(pilot)

    return run_before


def stepped(*keys: str) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """As `scripted`, waiting after each key: for keys that mean something else on the screen that the one before opens."""

    async def run_before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    return run_before


def app(store: Path, run: Path | None, *, light: bool = False, **options: Any) -> ReplayApp:
    """The app with a clock that stands still."""
    made = ReplayApp(store, run, now_ns=lambda: 0, **options)
    if light:
        made.theme = LIGHT.name
    return made
