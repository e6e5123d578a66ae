"""A key draws only what it changes, and what is on the screen afterwards is what drawing all of it would give."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from textual._compositor import Compositor
from textual.strip import Strip
from textual.widget import Widget

from replay.tui.screens.replay import ReplayScreen
from replay.tui.widgets.span_tree import SpanTree
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run

_KEYS = (
    "right right right up down minus plus enter right n n n N right_square_bracket d c m shift+tab tab down down up enter "
    "s w l pagedown home shift+right left x right n x 5 comma full_stop plus end left left z right z a"
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


def strips(driver: Driver) -> list[list[Segment]]:
    """Text and styles of each row, as its widgets keep them."""
    return [list(strip.simplify()) for strip in driver.app.screen._compositor.render_strips()]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_nothing_stale_is_left_by_any_key(tmp_path: Path, run: Path, size: tuple[int, int]) -> None:
    keys = _KEYS.split()

    async def script(driver: Driver) -> None:
        for number, key in enumerate(keys):
            await driver.press(key)
            if number % 5 == 4:
                driver.pass_time(150)
                await driver.pilot.pause()
            shown = strips(driver)
            for widget in driver.app.screen.walk_children(Widget):
                widget._styles_cache.clear()
            assert strips(driver) == shown, f"after {keys[: number + 1]}"

    drive(script, tmp_path, run, size=size)


def test_a_step_draws_few_rows_and_lays_nothing_out(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    laid_out: list[object] = []
    render_line, reflow = SpanTree.render_line, Compositor.reflow

    def noted(self: SpanTree, y: int) -> Strip:
        drawn.append(y)
        return render_line(self, y)

    def noted_reflow(self: Compositor, *args: object) -> object:
        laid_out.append(args)
        return reflow(self, *args)  # type: ignore[arg-type]  # handed on as they came

    async def script(driver: Driver) -> None:
        await driver.press("right", "right", "right")
        monkeypatch.setattr(SpanTree, "render_line", noted)
        monkeypatch.setattr(Compositor, "reflow", noted_reflow)
        height = driver.app.screen.query_one(SpanTree).size.height
        await driver.press("full_stop")
        assert isinstance(driver.app.screen, ReplayScreen)
        assert len(set(drawn)) < height // 2
        assert not laid_out

    drive(script, tmp_path, run, size=(120, 40))
