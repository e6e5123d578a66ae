"""Each key of the app does what the help says."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from replay.places import Offset
from replay.session import Session, Tab
from replay.tui.app import ReplayApp
from replay.tui.keys import REPLAY_KEYS, TAB_KEYS, TABLES
from replay.tui.screens.help import HelpScreen
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from replay.tui.widgets.scrubber import Scrubber
from tests.support.pilot import Driver, drive
from tests.support.sample_run import DURATION_NS, build_sample_run

MS = 1_000_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


def state(session: Session) -> tuple[int, str]:
    row = session.selected_row
    assert row is not None
    return session.position_ns // MS, row.span.name


def after(store: Path, run: Path, *keys: str) -> tuple[int, str]:
    async def script(driver: Driver) -> tuple[int, str]:
        await driver.press(*keys)
        return state(driver.session)

    return drive(script, store, run)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["comma"], (0, "cell reference polyglot/rust-error-handling")),
        (["right_square_bracket", "right_square_bracket"], (2_266, "execute_tool shell")),
        (["n", "n", "N"], (20_901, "execute_tool shell")),
        (["pagedown", "enter"], (48_050, "score:latency")),
    ],
)
def test_where_keys_end_up(tmp_path: Path, run: Path, keys: list[str], expected: tuple[int, str]):
    assert after(tmp_path, run, *keys) == expected


def test_space_plays_and_pauses_and_the_screen_follows(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        assert "‖ 00:00.000" in driver.text()
        await driver.pilot.press("space")
        assert driver.session.clock.playing
        for _ in range(20):
            driver.pass_time(100)
        await driver.pilot.pause()
        assert "▶ 00:02.000" in driver.text()
        assert "I will look at" in driver.text()
        await driver.press("space")
        driver.pass_time(5_000)
        await driver.pilot.pause()
        assert "‖ 00:02.000" in driver.text()

    drive(script, tmp_path, run)


def test_speed_keys(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("greater_than_sign", "greater_than_sign")
        assert "4×" in driver.text()
        await driver.press("less_than_sign")
        assert driver.session.clock.speed == 2.0
        await driver.press("i")
        assert "2×»" in driver.text()

    drive(script, tmp_path, run)


def test_playing_to_the_end_stops_there_and_space_begins_anew(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press(*["greater_than_sign"] * 6)
        await driver.pilot.press("space")
        for _ in range(12):
            driver.pass_time(100)
        assert (driver.session.position_ns, driver.session.clock.playing) == (DURATION_NS, False)
        await driver.pilot.press("space")
        assert driver.session.position_ns == 0

    drive(script, tmp_path, run)


def test_enter_and_parentheses_fold(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        rows = len(driver.session.visible)
        await driver.press("enter")
        assert len(driver.session.visible) == 1
        await driver.press("right_parenthesis")
        assert len(driver.session.visible) == rows
        await driver.press("left_parenthesis")
        assert len(driver.session.visible) == 1

    drive(script, tmp_path, run)


@pytest.mark.parametrize(
    ("tab", "expected"),
    [
        (Tab.SPAN, "exit code 101"),
        (Tab.CALLS, "12,225 prompt"),
        (Tab.MESSAGES, "call #3"),
        (Tab.DIFF, "unexpected"),
        (Tab.SCORES, "composite"),
        (Tab.LOGS, "cabtrace.model_call"),
        (Tab.WHY, "Evidence ("),
    ],
)
def test_each_panel_has_its_letter(tmp_path: Path, run: Path, tab: Tab, expected: str):
    async def script(driver: Driver) -> str:
        await driver.press("n", TAB_KEYS[tab])
        assert driver.session.tab is tab
        return driver.text()

    assert expected in drive(script, tmp_path, run)


def test_braces_go_round_the_panels(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("left_curly_bracket")
        assert driver.session.tab is Tab.WHY
        await driver.press("right_curly_bracket", "right_curly_bracket")
        assert driver.session.tab is Tab.CALLS

    drive(script, tmp_path, run)


def test_tab_goes_round_the_panes_and_arrows_scroll_there_while_the_seed_keys_still_work(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        panes = []
        for _ in range(4):
            panes.append(driver.app.focused.id)
            await driver.press("tab")
        assert panes == ["spans", "terminal", "document", "spans"]
        await driver.press("tab", "d", "down", "down")
        assert driver.app.focused.scroll_offset.y == 2
        assert driver.session.selected == 0
        await driver.press("right", "right", "full_stop")
        assert driver.session.position_ns // MS == 113

    drive(script, tmp_path, run)


def test_zoom_shows_one_pane_and_then_all_again(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("z")
        assert not driver.app.screen.query_one("#terminal").is_on_screen
        assert "/ 00:48.263" in driver.text()
        await driver.press("z")
        assert driver.app.screen.query_one("#terminal").is_on_screen

    drive(script, tmp_path, run)


def test_help_lists_every_key_and_closes(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> str:
        await driver.press("question_mark")
        assert isinstance(driver.app.screen, HelpScreen)
        shown = driver.text()
        await driver.press("escape")
        assert isinstance(driver.app.screen, ReplayScreen)
        return shown

    shown = drive(script, tmp_path, run, size=(120, 100))
    for key in REPLAY_KEYS:
        assert f"  {key.shown} " in shown
        assert key.help in shown


@pytest.mark.parametrize("key", ["q"])
def test_quit(tmp_path: Path, run: Path, key: str):
    async def script(driver: Driver) -> bool:
        await driver.pilot.press(key)
        await driver.pilot.pause()
        return driver.app.is_running

    assert drive(script, tmp_path, run) is False


def test_escape_goes_to_the_list_and_enter_comes_back(tmp_path: Path, run: Path):
    build_sample_run(tmp_path, failing=False)

    async def script(driver: Driver) -> None:
        await driver.press("escape")
        assert isinstance(driver.app.screen, RunsScreen)
        assert "2 runs, 1 failed" in driver.text()
        await driver.press("down", "enter")
        assert driver.session.snapshot.header.verdict == "passed"
        await driver.press("escape")
        assert isinstance(driver.app.screen, RunsScreen)
        await driver.press("f", "enter")
        assert driver.session.snapshot.header.verdict == "failed"

    drive(script, tmp_path, run)


def test_the_list_reloads_and_names_what_cannot_be_read(tmp_path: Path):
    async def script(driver: Driver) -> None:
        assert "There is no run yet" in driver.text()
        build_sample_run(tmp_path)
        (tmp_path / "x" / "1").mkdir(parents=True)
        (tmp_path / "x" / "1" / "run.json").write_text('{"format": "cabtrace.run", "schema_version": 99}')
        await driver.press("r")
        assert "later cabtrace" in driver.text()
        await driver.press("home", "end", "enter", "pageup", "pagedown")
        assert isinstance(driver.app.screen, RunsScreen)
        await driver.press("question_mark")
        assert "read the store again" in driver.text()

    drive(script, tmp_path, None)


def test_the_scrubber_is_clicked_and_dragged(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        scrubber = driver.app.screen.query_one(Scrubber)
        await driver.pilot.click(scrubber, offset=(118, 0))
        await driver.settle()
        assert driver.session.position_ns == DURATION_NS
        await driver.pilot.mouse_down(scrubber, offset=(118, 0))
        await driver.pilot.hover(scrubber, offset=(75, 0))
        await driver.settle()
        dragged = driver.session.position_ns
        assert 0.3 * DURATION_NS < dragged < 0.7 * DURATION_NS
        await driver.pilot.mouse_up(scrubber, offset=(75, 0))
        await driver.pilot.hover(scrubber, offset=(40, 0))
        await driver.settle()
        assert driver.session.position_ns == dragged

    drive(script, tmp_path, run)


def test_rows_and_tabs_are_clicked(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.pilot.click("#spans", offset=(10, 4))
        await driver.settle()
        assert driver.session.place_of(driver.session.selected) == 3
        await driver.pilot.click("#spans", offset=(1, 1))
        await driver.settle()
        assert len(driver.session.visible) == 1
        await driver.pilot.click("#tabs", offset=(7, 0))
        await driver.settle()
        assert driver.session.tab is Tab.CALLS

    drive(script, tmp_path, run)


def test_it_begins_where_it_is_told(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> int:
        return driver.session.position_ns

    assert drive(script, tmp_path, run, place=Offset(12_300 * MS)) == 12_300 * MS


def test_no_key_is_bound_twice():
    for table in TABLES.values():
        keys = [name for key in table for name in key.keys.split(",")]
        assert sorted(set(keys)) == sorted(keys)
        assert len({key.id for key in table}) == len(table)


def test_a_place_that_the_run_does_not_have_ends_the_app_with_the_reason(tmp_path: Path, run: Path):
    async def main() -> ReplayApp:
        app = ReplayApp(tmp_path, run, place=Offset(99_000 * MS))
        async with app.run_test():
            while app.failure is None:
                await asyncio.sleep(0.01)
        return app

    app = asyncio.run(main())
    assert app.return_value == 2
    assert "lies after its end" in str(app.failure)


def test_a_run_that_vanished_is_named_in_the_list(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        (run / "run.json").unlink()
        await driver.press("enter")
        assert isinstance(driver.app.screen, RunsScreen)
        assert "is not a run" in driver.text()

    drive(script, tmp_path, None, size=(300, 40))
