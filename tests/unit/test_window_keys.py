"""Keys that are in no table of a screen: of windows, of panes, of the line to type into. Each has a test, or this fails."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path

import pytest
from textual.binding import BindingsMap
from textual.widget import Widget

import replay.tui
from replay.run import ReplayRun
from replay.tui.screens.ask import AskScreen, FolderScreen, JobScreen
from replay.tui.screens.compare_opening import CompareOpeningScreen
from replay.tui.screens.help import HelpScreen
from replay.tui.screens.opening import OpeningScreen
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from replay.tui.widgets.prompt import Prompt
from tests.support.child_jobs import job, phases
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run
from tests.support.slow_disk import never_ending

CLOSING = ("escape", "q", "question_mark", "space", "enter")
SCROLLING = {"down": 1, "up": -1}
PAGING = {**SCROLLING, "pagedown": 2, "pageup": -2}
PANNING = ("ctrl+left", "ctrl+right", "left_parenthesis", "right_parenthesis")  # see test_replay_terminal_sight
JUMPING = ("j", "k", "J", "K")  # see test_replay_panel_parts
CANCELLING = ("q", "escape")
TYPING = ("enter", "shift+enter", "up", "down", "escape", "backspace", "ctrl+h", "ctrl+u", "ctrl+w")
TESTED = {
    "HelpScreen": {*CLOSING, *SCROLLING},
    "Window": {"escape", *SCROLLING},
    "OpeningScreen": {*CANCELLING},
    "CompareOpeningScreen": {*CANCELLING},
    "TerminalPane": {*PAGING, *PANNING},
    "DocumentView": {*PAGING, "enter", *JUMPING},
}
NO_TASK = "cabtrace: The task of this run cannot be found. Name its folder with --task."


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


def test_every_key_is_tested():
    found: dict[str, set[str]] = {}
    for module in pkgutil.walk_packages(replay.tui.__path__, "replay.tui."):
        for name, made in inspect.getmembers(import_module(module.name), inspect.isclass):
            own = vars(made).get("BINDINGS") if made.__module__ == module.name else None
            if own and not hasattr(made, "KEYS"):  # those are in the tables, see test_every_key
                found[name] = set(BindingsMap(own).key_to_bindings)
    assert found == TESTED
    typed = re.findall(r'case ("[^_:]+"):', inspect.getsource(Prompt._on_key))
    assert {key for case in typed for key in re.findall(r'"([^"]+)"', case)} == set(TYPING)


def test_the_help_scrolls_and_each_of_its_keys_closes_it(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        for key in CLOSING:
            await driver.press("question_mark")
            assert isinstance(driver.app.screen, HelpScreen)
            await driver.press(key)
            assert isinstance(driver.app.screen, ReplayScreen), key
        await driver.press("question_mark", "down", "down")
        assert driver.app.screen.query_one("#help").scroll_offset.y == 2
        await driver.press("up")
        assert driver.app.screen.query_one("#help").scroll_offset.y == 1

    drive(script, tmp_path, run, size=(80, 24))


def test_a_window_scrolls_where_the_terminal_is_too_low_and_escape_closes_it(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("R")
        assert isinstance(driver.app.screen, AskScreen)
        await driver.press("down", "down")
        assert driver.app.screen.query_one("#window").scroll_offset.y == 2
        await driver.press("up")
        assert driver.app.screen.query_one("#window").scroll_offset.y == 1
        await driver.press("escape")
        assert isinstance(driver.app.screen, ReplayScreen)

    drive(script, tmp_path, run, size=(60, 10))


@pytest.mark.parametrize("key", CANCELLING)
def test_reading_a_run_can_be_given_up(tmp_path: Path, run: Path, key: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ReplayRun, "__init__", never_ending)

    async def from_the_list(driver: Driver) -> None:
        await driver.pilot.press("enter")
        await driver.pilot.pause()
        assert isinstance(driver.app.screen, OpeningScreen)
        await driver.pilot.press(key)
        await driver.settle()
        assert isinstance(driver.app.screen, RunsScreen)
        assert driver.app.is_running
        driver.app.compare(run, run)
        await driver.pilot.pause()
        assert isinstance(driver.app.screen, CompareOpeningScreen)
        await driver.pilot.press(key)
        await driver.settle()
        assert isinstance(driver.app.screen, RunsScreen)

    drive(from_the_list, tmp_path, None)


def _scrolled(widget: str, first: tuple[str, ...]) -> Callable[[Driver], Awaitable[None]]:
    async def script(driver: Driver) -> None:
        await driver.press(*first)
        pane = driver.app.screen.query_one(widget, Widget)
        assert driver.app.focused is pane
        pane.scroll_to(y=0, animate=False)
        await driver.settle()
        height = pane.scrollable_content_region.height
        for key in ("down", "pagedown", "pageup", "down", "up"):
            top = pane.scroll_offset.y
            await driver.press(key)
            by = {1: 1, -1: -1, 2: height, -2: -height}[PAGING[key]]
            assert pane.scroll_offset.y == min(max(top + by, 0), pane.max_scroll_y), key
            assert pane.scroll_offset.y != top, key

    return script


def test_the_terminal_scrolls(tmp_path: Path, run: Path):
    drive(_scrolled("#terminal", ("end", "tab")), tmp_path, run, size=(80, 24))


def test_a_panel_scrolls(tmp_path: Path, run: Path):
    drive(_scrolled("#document", ("end", "d", "tab", "tab")), tmp_path, run, size=(80, 24))


def test_enter_goes_to_the_line_of_a_panel_that_is_chosen(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("w", "tab", "tab", "down", "down", "enter")
        assert driver.session.position_ns // 1_000_000 == 2_431
        await driver.press("up", "enter")
        assert driver.session.position_ns // 1_000_000 == 48_041

    drive(script, tmp_path, run)


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (("a", "b", "backspace"), "a"),
        (("a", "b", "ctrl+h"), "a"),
        (("a", "b", "ctrl+u", "c"), "c"),
        ((*"one two", "ctrl+w"), "one"),
    ],
)
def test_what_is_typed_can_be_edited(tmp_path: Path, run: Path, keys: tuple[str, ...], typed: str):
    async def script(driver: Driver) -> str:
        await driver.press("slash", *(key if key != " " else "space" for key in keys))
        return driver.app.screen.query_one(Prompt).text

    assert drive(script, tmp_path, run) == typed


def test_up_down_enter_and_shift_enter_step_through_a_search_and_escape_closes_it(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("slash", *"cargo", "enter")
        places = [driver.session._hit]
        for key in ("down", "enter", "up", "shift+enter"):
            await driver.press(key)
            places.append(driver.session._hit)
        assert [place - places[0] for place in places] == [0, 1, 2, 1, 0]
        await driver.press("escape")
        assert not driver.app.screen.query_one(Prompt).display

    drive(script, tmp_path, run)


ANSWERS = {
    "running": {"enter": "replay", "x": "stop", "escape": ""},
    "ended": {"enter": "replay", "c": "compare", "escape": ""},
    "lost": {"t": "task", "escape": ""},
}


@pytest.mark.parametrize("state", ANSWERS)
def test_each_answer_about_a_rerun_has_its_key(tmp_path: Path, run: Path, state: str):
    given: list[str | None] = []
    known = {
        "running": {"report": phases(run), "running": True},
        "ended": {"report": phases(run), "result": {"verdict": "passed"}},
        "lost": {"report": [], "complaint": NO_TASK},
    }[state]

    async def script(driver: Driver) -> None:
        assert {key: name for key, _, name in JobScreen(shown).answers()} == ANSWERS[state]
        for key in ANSWERS[state]:
            driver.app.push_screen(JobScreen(shown), given.append)
            await driver.settle()
            await driver.press(key)
            assert not isinstance(driver.app.screen, JobScreen)

    with job(run, **known) as shown:
        drive(script, tmp_path, run)
    assert given == list(ANSWERS[state].values())


@pytest.mark.parametrize(("key", "left", "stopped"), [("b", 0, False), ("s", 0, True), ("escape", None, False)])
def test_each_answer_to_quitting_has_its_key(tmp_path: Path, run: Path, key: str, left: int | None, stopped: bool):
    async def script(driver: Driver) -> None:
        driver.app._job = shown
        await driver.press("q")
        assert isinstance(driver.app.screen, AskScreen)
        await driver.pilot.press(key)
        await driver.pilot.pause()
        assert driver.app.return_value == left
        assert shown.child.stopping is stopped

    with job(run, phases(run), running=True) as shown:
        drive(script, tmp_path, run)


def test_a_folder_is_typed_and_escape_asks_no_more(tmp_path: Path, run: Path):
    given: list[str | None] = []
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "task.toml").touch()

    async def script(driver: Driver) -> None:
        for keys in (("escape",), (*"task", "enter")):
            driver.app.push_screen(FolderScreen("A folder", []), given.append)
            await driver.settle()
            await driver.press(*keys)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        drive(script, tmp_path, run)
    assert given == ["", str(tmp_path / "task")]


def test_control_c_says_how_to_quit_and_quits_nothing(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> str:
        await driver.press("ctrl+c")
        assert driver.app.is_running
        return " ".join(notice.message for notice in driver.app._notifications)

    assert drive(script, tmp_path, run) == "Press [b]q[/b] to quit the app"
    assert drive(script, tmp_path, run, keymap={"quit": ("left_square_bracket",), "marker.previous": ("f5",)})
