"""What the mouse does on the replay screen, and what the keys for time and rows do there: by pilot."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from replay.tui.widgets.minimap import Minimap
from replay.tui.widgets.pointed import Pointed
from replay.tui.widgets.scrubber import Scrubber
from replay.tui.widgets.span_tree import SpanTree
from tests.support.pilot import Driver, drive
from tests.support.sample_run import DURATION_NS, build_sample_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


def turn(widget: Pointed | SpanTree, x: int, *, down: bool = True, ctrl: bool = False) -> None:
    kind = events.MouseScrollDown if down else events.MouseScrollUp
    widget.post_message(kind(widget, x, 0, 0, 0, 0, False, False, ctrl))


def bottom(driver: Driver) -> str:
    return driver.text().split("\n")[-1]


def test_a_double_click_goes_to_the_start_of_a_row_and_one_click_does_not(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        session = driver.session
        await driver.pilot.click("#spans", offset=(20, 9))
        await driver.settle()
        row = session.selected_row
        assert row is not None
        assert row.start_ns > 0
        assert session.position_ns == 0
        assert "G goes there" in bottom(driver)
        await driver.pilot.click("#spans", offset=(20, 9), times=2)
        await driver.settle()
        assert (session.position_ns, session.selected) == (row.start_ns, row.index)
        assert "G goes there" not in bottom(driver)

    drive(script, tmp_path, run)


def test_the_selection_that_parted_from_the_playhead_is_gone_to_by_a_key(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        session = driver.session
        await driver.press("n")
        assert session.away is None
        await driver.press("down", "down")
        assert "selected: starts in" in bottom(driver)
        await driver.press("G")
        row = session.selected_row
        assert row is not None
        assert session.position_ns == row.start_ns
        assert session.away is None

    drive(script, tmp_path, run)


def test_a_click_in_the_waterfall_goes_to_that_instant(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        tree, session = driver.app.screen.query_one(SpanTree), driver.session
        right = tree.gutter.left + tree.scrollable_content_region.width - 1
        await driver.pilot.click("#spans", offset=(right, 1))
        await driver.settle()
        assert 0.9 * DURATION_NS < session.position_ns < DURATION_NS
        assert session.selected == 0
        await driver.press("home", "plus", "plus")
        await driver.pilot.click("#spans", offset=(right, 1))
        await driver.settle()
        assert 0.9 * DURATION_NS / 16 < session.position_ns < DURATION_NS / 16

    drive(script, tmp_path, run)


def test_zoomed_the_scrubber_shows_a_part_and_the_minimap_the_whole(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        session, screen = driver.session, driver.app.screen
        scrubber, minimap = screen.query_one(Scrubber), screen.query_one(Minimap)
        await driver.press("5")
        assert not minimap.display
        await driver.press("plus", "plus")
        assert (minimap.display, round(session.window.factor)) == (True, 16)
        assert "×16" in driver.text()
        lane = driver.text().split("\n")[-3]
        assert "[" in lane
        assert "]" in lane
        await driver.pilot.click(scrubber, offset=(sum(scrubber.track) - 1, 0))
        await driver.settle()
        assert session.position_ns == session.window.end_ns or session.window.start_ns < session.position_ns
        assert DURATION_NS * 0.5 < session.position_ns < DURATION_NS * 0.6
        await driver.pilot.click(minimap, offset=(minimap.track[0], 0))
        await driver.settle()
        assert (session.position_ns, session.window.start_ns) == (0, 0)
        assert round(session.window.factor) == 16
        await driver.press("F")
        assert not minimap.display

    drive(script, tmp_path, run)


def test_the_window_goes_where_the_playhead_goes(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        session = driver.session
        await driver.press("n", "f")
        fitted = session.window
        row = session.selected_row
        assert row is not None
        assert fitted.start_ns <= row.start_ns <= row.end_ns <= fitted.end_ns
        assert fitted.zoomed
        await driver.press("end")
        assert session.window.end_ns == DURATION_NS
        assert session.window.length_ns == fitted.length_ns

    drive(script, tmp_path, run)


def test_the_wheel_steps_and_with_control_zooms(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        session, screen = driver.session, driver.app.screen
        scrubber, tree = screen.query_one(Scrubber), screen.query_one(SpanTree)
        turn(scrubber, 60)
        await driver.settle()
        assert session.position_ns == DURATION_NS // 50
        turn(scrubber, 60, down=False)
        await driver.settle()
        assert session.position_ns == 0
        turn(scrubber, 60, down=False, ctrl=True)
        turn(tree, 10, down=False, ctrl=True)
        await driver.settle()
        assert round(session.window.factor) == 4
        turn(tree, 10, ctrl=True)
        await driver.settle()
        assert round(session.window.factor) == 2

    drive(script, tmp_path, run)


def test_pointing_at_the_scrubber_says_what_is_there(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        scrubber = driver.app.screen.query_one(Scrubber)
        at, width = scrubber.track
        error = next(x for x in range(width) if "error" in scrubber.told(x, width))
        await driver.pilot.hover(scrubber, offset=(at + error, 0))
        await driver.settle()
        assert "1 error" in bottom(driver)
        assert driver.session.position_ns == 0
        await driver.pilot.hover("#terminal", offset=(3, 3))
        await driver.settle()
        assert "play" in bottom(driver)

    drive(script, tmp_path, run)


def test_the_track_does_not_move_with_the_speed(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        scrubber = driver.app.screen.query_one(Scrubber)
        before = scrubber.lead_width
        await driver.press("less_than_sign", "less_than_sign", "i")
        assert "0.25×»" in driver.text()
        assert scrubber.lead_width == before

    drive(script, tmp_path, run)


def test_what_is_above_the_rows_in_sight_is_named(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        tree = driver.app.screen.query_one(SpanTree)
        await driver.press("asterisk")
        tree.scroll_to(y=12, animate=False, immediate=True)
        await driver.settle()
        first = driver.text().split("\n")[1]
        assert "agent.session › 12 quiet spans" in first

    drive(script, tmp_path, run, size=(80, 24))
    drive(script, tmp_path, run, size=(120, 20))
