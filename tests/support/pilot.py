"""Drives the app without a terminal, by a clock that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from textual.pilot import Pilot

from replay.session import Session
from replay.tui.app import ReplayApp
from replay.tui.screens.replay import ReplayScreen


async def settle(pilot: Pilot[Any]) -> None:
    """Until no worker is left, nor one that the end of another has started, and everything is drawn."""
    for _ in range(100):
        await pilot.pause()
        await pilot.pause()
        if not list(pilot.app.workers):
            return
        await pilot.app.workers.wait_for_complete()


T = TypeVar("T")
Script = Callable[["Driver"], Awaitable[T]]


class Driver:
    """An app that runs, and the clock behind it."""

    def __init__(self, app: ReplayApp, pilot: Pilot[Any], now: list[int]) -> None:
        self.app = app
        self.pilot = pilot
        self._now = now

    @property
    def session(self) -> Session:
        """Of the run that is shown."""
        screen = self.app.screen
        assert isinstance(screen, ReplayScreen), screen
        return screen.session

    async def settle(self) -> None:
        """Until workers are done and everything is drawn."""
        await settle(self.pilot)

    async def press(self, *keys: str) -> None:
        """Keys, as Textual names them."""
        await self.pilot.press(*keys)
        await self.settle()

    def pass_time(self, ms: int) -> None:
        """Moves the clock and draws a frame, as the timer would."""
        self._now[0] += ms * 1_000_000
        screen = self.app.screen
        assert isinstance(screen, ReplayScreen)
        screen._frame()

    def text(self) -> str:
        """What is on the screen."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)


def drive(script: Script[T], store: Path, run: Path | None, *, size: tuple[int, int] = (120, 40), **options: Any) -> T:
    """Runs a script against the app and hands back its result."""
    now = [0]

    async def main() -> T:
        app = ReplayApp(store, run, now_ns=lambda: now[0], **options)
        async with app.run_test(size=size) as pilot:
            driver = Driver(app, pilot, now)
            await driver.settle()
            return await script(driver)

    return asyncio.run(main())
