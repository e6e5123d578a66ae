"""Each key of the compare screen does what the help says; how one gets there and back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from replay.compare_opening import open_pair
from replay.compare_session import CompareSession
from replay.tui.app import ReplayApp
from replay.tui.keys import COMPARE_KEYS
from replay.tui.screens.compare import CompareScreen
from replay.tui.screens.help import HelpScreen
from replay.tui.screens.playback import COPY_CHARS
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from tests.support.compare_runs import build_pair
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run

MS = 1_000_000
Runs = tuple[Path, Path]


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return build_pair(tmp_path)


def session(driver: Driver) -> CompareSession:
    screen = driver.app.screen
    assert isinstance(screen, CompareScreen), screen
    return screen.session


def compare(tmp_path: Path, runs: Runs, script: Callable[[Driver], Awaitable[None]], size: tuple[int, int] = (120, 40)) -> None:
    drive(script, tmp_path, runs[0], against=runs[1], size=size)


@pytest.mark.parametrize(
    ("keys", "row", "ms"),
    [
        (["down", "down", "up"], 8, (28_466, 29_166)),
        (["right_square_bracket", "right_square_bracket", "left_square_bracket"], 8, (28_466, 29_166)),
        (["pageup", "comma"], 0, (0, 0)),
    ],
)
def test_where_keys_end_up(tmp_path: Path, runs: Runs, keys: list[str], row: int, ms: tuple[int, int]):
    async def script(driver: Driver) -> None:
        await driver.press(*keys)
        here = session(driver)
        assert here.row == row
        for position_ns, wanted in zip(here.positions_ns(), ms, strict=True):
            assert position_ns // MS == wanted

    compare(tmp_path, runs, script)


def test_both_terminals_and_the_steps_are_shown_and_follow(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        shown = driver.text()
        assert shown.count("could not compile") == 2
        assert "✗ FAIL" in shown
        assert "✓ PASS" in shown
        assert "⋔" in shown
        await driver.press("end")
        assert "2 failed" in driver.text()
        assert "5 passed" in driver.text()

    compare(tmp_path, runs, script)


def test_tab_changes_sides_and_l_unlocks(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        await driver.press("tab", "l", "end")
        here = session(driver)
        assert (here.side, here.locked) == (1, False)
        assert here.positions_ns()[0] // MS == 23_551
        assert here.positions_ns()[1] == here.compared.lengths_ns[1]
        assert "free" in driver.text()
        await driver.press("l")
        assert here.positions_ns() == here.compared.lengths_ns

    compare(tmp_path, runs, script)


def test_space_plays_both_and_speed_keys_change_how_fast(tmp_path: Path, runs: Runs):
    now = [0]

    async def main() -> None:
        app = ReplayApp(tmp_path, runs[0], against=runs[1], now_ns=lambda: now[0])
        async with app.run_test(size=(120, 40)) as pilot:
            driver = Driver(app, pilot, now)
            await driver.settle()
            await driver.press("home", "greater_than_sign")
            await pilot.press("space")
            screen = app.screen
            assert isinstance(screen, CompareScreen)
            for _ in range(10):
                now[0] += 100 * MS
                screen._frame()
            assert session(driver).positions_ns()[0] == 2_000 * MS
            assert "▶" in driver.text()
            await pilot.press("space", "less_than_sign", "less_than_sign")
            assert not session(driver).playing
            assert session(driver).clock.speed == 0.5

    asyncio.run(main())


@pytest.mark.parametrize("side", [0, 1])
def test_enter_replays_that_run_from_there_and_escape_comes_back(tmp_path: Path, runs: Runs, side: int):
    async def script(driver: Driver) -> None:
        await driver.press(*["tab"] * side, "n")
        at_ns = session(driver).positions_ns()[side]
        await driver.press("enter")
        assert driver.session.run.path == runs[side]
        assert driver.session.position_ns == at_ns
        await driver.press("escape")
        assert session(driver).positions_ns()[side] == at_ns
        await driver.press("escape")
        assert isinstance(driver.app.screen, RunsScreen)

    compare(tmp_path, runs, script)


def test_d_reads_the_details_and_goes_back(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        assert "First divergence" not in driver.text()
        await driver.press("d")
        assert "First divergence" in driver.text()
        assert driver.app.focused.id == "notes"
        await driver.press("down", "down")
        assert driver.app.focused.scroll_offset.y == 2
        await driver.press("right")
        assert "other arguments" in driver.text()
        await driver.press("d")
        assert driver.app.focused.id == "steps"

    compare(tmp_path, runs, script)


def test_y_copies_what_differs_and_shift_y_the_command(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        await driver.press("y")
        assert "First divergence" in driver.app.clipboard
        await driver.press("Y")
        assert driver.app.clipboard == f"cabtrace diff --tui {runs[0]} {runs[1]}"

    compare(tmp_path, runs, script)


def test_help_lists_every_key(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        await driver.press("question_mark")
        assert isinstance(driver.app.screen, HelpScreen)
        shown = driver.text()
        for key in COMPARE_KEYS:
            assert f"  {key.shown} " in shown
            assert key.help in shown
        await driver.press("escape")
        assert isinstance(driver.app.screen, CompareScreen)

    compare(tmp_path, runs, script, size=(120, 80))


def test_the_palette_offers_every_action_of_every_screen(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        screen = driver.app.screen
        titles = {command.title for command in driver.app.get_system_commands(screen)}
        assert {f"{key.help[:1].upper()}{key.help[1:]}" for key in screen.KEYS} <= titles
        for key in screen.KEYS:
            name = key.action.partition("(")[0]
            owner = driver.app if name.startswith("app.") else screen
            assert hasattr(owner, f"action_{name.removeprefix('app.')}"), key.action

    compare(tmp_path, runs, script)
    drive(script, tmp_path, runs[0])
    drive(script, tmp_path, None)


def test_rows_tracks_and_terminals_are_pointed_at(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        await driver.pilot.click("#steps", offset=(10, 3))
        await driver.settle()
        assert session(driver).row == 1
        await driver.pilot.click("#tracks", offset=(118, 1))
        await driver.settle()
        assert session(driver).side == 1
        assert session(driver).positions_ns() == session(driver).compared.lengths_ns
        await driver.pilot.mouse_down("#tracks", offset=(118, 0))
        await driver.pilot.hover("#tracks", offset=(75, 0))
        await driver.pilot.mouse_up("#tracks", offset=(75, 0))
        await driver.settle()
        assert session(driver).side == 0
        assert 0.3 < session(driver).positions_ns()[0] / session(driver).compared.lengths_ns[0] < 0.7
        await driver.pilot.click("#right #terminal", offset=(10, 5))
        await driver.settle()
        assert session(driver).side == 1

    compare(tmp_path, runs, script)


def test_at_80x24_the_terminal_of_the_side_in_use_is_shown(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        for name in ("left", "right"):
            assert driver.app.screen.query_one("#left").display == (name == "left")
            assert driver.app.screen.query_one("#right").display == (name == "right")
            assert "chat #4" in driver.text()
            await driver.press("tab")

    compare(tmp_path, runs, script, size=(80, 24))


def test_c_marks_two_runs_of_the_list_and_a_third_replaces_the_second(tmp_path: Path, runs: Runs):
    build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        await driver.press("c")
        assert "▸A" in driver.text()
        assert "Marked A" in driver.text()
        await driver.press("end", "c")
        left, right = (run.path for run in session(driver).runs)
        assert right == runs[1]
        await driver.press("escape")
        assert "▸B" in driver.text()
        await driver.press("up", "c")
        again, other = (run.path for run in session(driver).runs)
        assert again == left
        assert other not in (left, right)
        await driver.press("escape", "home", "c")
        assert "▸A" not in driver.text()

    drive(script, tmp_path, None)


def test_shift_c_finds_the_nearest_passing_run_from_the_list_and_from_a_replay(tmp_path: Path, runs: Runs):
    async def from_list(driver: Driver) -> None:
        await driver.press("C")
        assert tuple(run.path for run in session(driver).runs) == runs

    async def from_replay(driver: Driver) -> None:
        await driver.press("C")
        assert tuple(run.path for run in session(driver).runs) == runs
        await driver.press("escape")
        assert isinstance(driver.app.screen, ReplayScreen)

    drive(from_list, tmp_path, None)
    drive(from_replay, tmp_path, runs[0])


def test_a_task_that_nothing_passed_is_said(tmp_path: Path):
    run = build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        await driver.press("C")
        assert "No other run of this task passed." in driver.text()

    drive(script, tmp_path, run)
    drive(script, tmp_path, None)


def test_a_run_that_cannot_be_read_ends_the_app_with_the_reason(tmp_path: Path, runs: Runs):
    (runs[1] / "run.json").unlink()

    async def main() -> ReplayApp:
        app = ReplayApp(tmp_path, runs[0], against=runs[1])
        async with app.run_test():
            while app.failure is None:
                await asyncio.sleep(0.01)
        return app

    app = asyncio.run(main())
    assert app.return_value == 2
    assert "is not a run" in str(app.failure)


def test_a_sentence_of_what_runs_beside_is_shown_also_below_a_window(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        app = driver.app
        assert isinstance(app, ReplayApp)
        app.say("The rerun ended.")
        await driver.press()
        assert "The rerun ended." in driver.text()
        await driver.press("right", "question_mark")
        assert isinstance(app.screen, HelpScreen)
        app.say("Another one ended.")
        await driver.press("escape")
        assert "Another one ended." in driver.text()

    compare(tmp_path, runs, script)


def test_copying_says_how_much(tmp_path: Path, runs: Runs):
    async def script(driver: Driver) -> None:
        await driver.press("y")
        assert f"Copied what differs, {len(driver.app.clipboard):,} characters." in driver.text()
        screen = driver.app.screen
        assert isinstance(screen, CompareScreen)
        screen.copy("x" * (COPY_CHARS + 1), "much")
        await driver.press()
        assert "Copied much, 74,000 characters of 74,001, as many as terminals take." in driver.text()
        assert len(driver.app.clipboard) == COPY_CHARS

    compare(tmp_path, runs, script)


def test_reading_two_runs_ends_when_nobody_waits_any_more(runs: Runs):
    shares: list[float] = []
    open_pair(*runs, progress=shares.append)
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= 0.5 <= shares[-1] <= 1

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_pair(*runs, progress=stop)


def test_triage_groups_the_list_and_enter_opens_and_closes_a_group(tmp_path: Path, runs: Runs):
    build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        await driver.press("t")
        shown = driver.text()
        assert "2 × tests_failed" in shown
        assert "tests::empty" in shown
        assert "1 × did not fail" in shown
        await driver.press("home", "enter")
        assert "✗ FAIL" not in driver.text()
        await driver.press("plus", "down", "enter")
        assert driver.session.snapshot.header.verdict == "failed"
        await driver.press("escape", "minus")
        assert "✗ FAIL" not in driver.text()
        await driver.press("t")
        assert "tests failed  " not in driver.text()
        assert driver.text().count("✗ FAIL") == 2

    drive(script, tmp_path, None)
