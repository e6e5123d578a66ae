"""The list of runs while something is recorded, and what the app remembers of a run that was left."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from cabtrace.store.reader import read_header
from replay.session import Tab
from replay.tui.screens.runs import RunsScreen
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run
from tests.support.state_runs import under_way


def screen_of(driver: Driver) -> RunsScreen:
    screen = driver.app.screen
    assert isinstance(screen, RunsScreen)
    return screen


async def look(driver: Driver) -> None:
    """As the timer does."""
    screen_of(driver).look_again()
    await driver.settle()


def test_a_live_run_is_counted_apart_and_becomes_what_it_is_without_a_key(tmp_path: Path):
    build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        screen = screen_of(driver)
        assert "1 run, 1 failed" in driver.text()
        with under_way(tmp_path, open_call=True) as writer:
            began_s = datetime.fromisoformat(read_header(writer.path).started_at).timestamp()
            screen._wall_ns = lambda: int((began_s + 12.5) * 1e9)
            await look(driver)
            assert "2 runs, 1 failed, 1 live" in driver.text()
            assert "● LIVE" in driver.text()
            assert "12.0 s …" in driver.text()
            await driver.press("home" if screen.list.all[0].live else "end")
            assert "12.0 s so far" in driver.text()
            screen._wall_ns = lambda: int((began_s + 14.5) * 1e9)
            screen._draw_live()
            await driver.settle()
            assert "14.0 s …" in driver.text()
            await driver.press("f")
            assert "● LIVE" not in driver.text()
            await driver.press("f")
        await look(driver)
        assert "live" not in driver.text().splitlines()[0]

    drive(script, tmp_path, None)


def test_escape_shows_all_runs_again_and_then_says_how_to_leave(tmp_path: Path):
    build_sample_run(tmp_path)
    build_sample_run(tmp_path, failing=False)

    async def script(driver: Driver) -> None:
        await driver.press("f", "slash", *"fail", "enter")
        assert "1 match" in driver.text()
        await driver.press("escape")
        assert "match" not in driver.text()
        assert "failed only" in driver.text().splitlines()[0]
        await driver.press("escape")
        assert "✓ PASS" in driver.text()
        await driver.press("escape")
        assert "q quits" in driver.text()
        assert driver.app.is_running

    drive(script, tmp_path, None)


def test_the_order_is_in_the_title_and_the_chosen_run_is_named_below(tmp_path: Path):
    build_sample_run(tmp_path)
    build_sample_run(tmp_path, failing=False)

    async def script(driver: Driver) -> None:
        assert "Runs, failed first" in driver.text()
        await driver.press("s", "s")
        assert "Runs, longest first" in driver.text()
        row = screen_of(driver).list.run
        assert row is not None
        assert " / ".join(text for text, _ in row.cells[1:5]) in driver.text().splitlines()[-2]

    drive(script, tmp_path, None, size=(80, 24))


def test_a_run_is_found_where_it_was_left(tmp_path: Path):
    build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        await driver.press("enter")
        await driver.press("n", "greater_than_sign", "i", "c")
        place = driver.session.position_ns
        assert place > 0
        await driver.press("escape")
        await driver.press("enter")
        session = driver.session
        assert (session.position_ns, session.clock.speed, session.compressing, session.tab) == (place, 2.0, True, Tab.CALLS)
        assert not session.clock.playing

    drive(script, tmp_path, None)


@pytest.mark.parametrize("size", [(60, 15), (69, 40), (120, 17)], ids=["60x15", "69x40", "120x17"])
def test_a_small_terminal_shows_one_pane_and_tab_goes_round(tmp_path: Path, size: tuple[int, int]):
    run = build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        def shown() -> list[str]:
            return [pane for pane in ("spans", "terminal", "document") if driver.app.screen.query_one(f"#{pane}").region.area]

        assert shown() == ["spans"]
        assert "Spans" in driver.text()
        await driver.press("tab")
        assert shown() == ["terminal"]
        assert "Terminal 100x30" in driver.text()
        assert driver.app.screen.query_one("#terminal").size.height >= size[1] - 6
        await driver.press("tab")
        assert shown() == ["document"]
        assert "Messages" in driver.text()
        await driver.press("tab")
        assert shown() == ["spans"]
        assert driver.app.focused is not None
        assert driver.app.focused.id == "spans"
        await driver.press("shift+tab")
        assert shown() == ["document"]
        await driver.press("tab")
        await driver.press("w")
        assert shown() == ["document"]
        assert "Cause" in driver.text()
        await driver.pilot.resize_terminal(120, 40)
        await driver.settle()
        assert shown() == ["spans", "terminal", "document"]

    drive(script, tmp_path, run, size=size)


def test_a_run_without_a_recording_leaves_the_room_to_the_panel(tmp_path: Path):
    run = build_sample_run(tmp_path)
    (run / "terminal.cast").unlink()

    async def script(driver: Driver) -> None:
        assert "This run has no terminal recording." in driver.text()
        assert driver.app.screen.query_one("#terminal").outer_size.height == 3
        assert driver.app.screen.query_one("#document").size.height > 20

    drive(script, tmp_path, run)


def test_eighty_columns_keep_task_attempt_and_verdict(tmp_path: Path):
    run = build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        first = driver.text().splitlines()[0]
        header = driver.session.snapshot.header
        assert f"{header.task.id} #{header.attempt}" in first
        assert "✗ FAIL" in first

    drive(script, tmp_path, run, size=(80, 24))


def test_a_paused_live_run_says_how_far_behind_it_is(tmp_path: Path):
    with under_way(tmp_path, open_call=True) as writer:

        async def script(driver: Driver) -> None:
            assert "behind" not in driver.text()
            await driver.press("home")
            screen = driver.app.screen
            screen._draw_header()
            await driver.settle()
            assert "behind, end catches up" in driver.text().splitlines()[0]
            await driver.press("end")
            screen._draw_header()
            await driver.settle()
            assert "behind" not in driver.text()

        drive(script, tmp_path, writer.path)
