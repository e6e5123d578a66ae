"""Pictures of the screens at three sizes, in both themes. Made with the Textual that the test group pins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from replay.tui.app import ReplayApp
from replay.tui.themes import LIGHT
from tests.support.pilot import settle
from tests.support.sample_run import build_sample_run

textual = pytest.importorskip("textual")
pytest.importorskip("pyghostty", reason="the pictures show the terminal as its engine draws it: cabtrace[terminal]")
if textual.__version__ != "8.2.8":
    pytest.skip("the pictures were made with Textual 8.2.8", allow_module_level=True)

Compare = Callable[..., bool]
SIZES = [(80, 24), (120, 40), (200, 50)]
sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40", "200x50"])


def scripted(*keys: str) -> Callable[[Pilot[Any]], Any]:
    """Presses keys once everything is loaded, and waits until it is drawn."""

    async def run_before(pilot: Pilot[Any]) -> None:
        for batch in ((), keys):
            if batch:
                await pilot.press(*batch)
            await settle(pilot)

    return run_before


def app(store: Path, run: Path | None) -> ReplayApp:
    return ReplayApp(store, run, now_ns=lambda: 0)


class TestReplay:
    """The replay screen of the failing run."""

    @sizes
    def test_at_the_start(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        assert snap_compare(app(tmp_path, build_sample_run(tmp_path)), terminal_size=size, run_before=scripted())

    @sizes
    def test_at_the_error(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        assert snap_compare(app(tmp_path, build_sample_run(tmp_path)), terminal_size=size, run_before=scripted("n"))

    @pytest.mark.parametrize("panel", list("cedrlw"))
    def test_panels(self, snap_compare: Compare, tmp_path: Path, panel: str):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=(120, 40), run_before=scripted("n", panel))

    @sizes
    def test_calls(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        assert snap_compare(app(tmp_path, build_sample_run(tmp_path)), terminal_size=size, run_before=scripted("6", "c"))

    def test_light(self, snap_compare: Compare, tmp_path: Path):
        light = app(tmp_path, build_sample_run(tmp_path))
        light.theme = LIGHT.name
        assert snap_compare(light, terminal_size=(120, 40), run_before=scripted("end", "w"))

    def test_zoomed_terminal(self, snap_compare: Compare, tmp_path: Path):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=(120, 40), run_before=scripted("n", "tab", "z"))

    def test_passing(self, snap_compare: Compare, tmp_path: Path):
        run = build_sample_run(tmp_path, failing=False)
        assert snap_compare(app(tmp_path, run), terminal_size=(120, 40), run_before=scripted("end", "r"))


class TestTools:
    """What search, bookmarks, the critical path and log records add to the screen."""

    @sizes
    def test_search(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("slash", *"mismatched", "enter"))

    @sizes
    def test_critical_path_and_bookmark(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        run = build_sample_run(tmp_path)
        keys = ("n", "m", *"it broke here", "enter", "x", "l")
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted(*keys))

    @sizes
    def test_a_line_of_why_is_chosen(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        run = build_sample_run(tmp_path)
        keys = ("w", "tab", "tab", "down", "down")
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted(*keys))

    def test_go_to_a_place_that_is_not_there(self, snap_compare: Compare, tmp_path: Path):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=(120, 40), run_before=scripted("g", *"99s", "enter"))


class TestOthers:
    """The list of runs and the help."""

    @sizes
    def test_runs(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        for failing in (False, True, True):
            build_sample_run(tmp_path, failing=failing)
        assert snap_compare(app(tmp_path, None), terminal_size=size, run_before=scripted("down"))

    @sizes
    def test_filter(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        for failing in (False, True, True):
            build_sample_run(tmp_path, failing=failing)
        assert snap_compare(app(tmp_path, None), terminal_size=size, run_before=scripted("slash", *"fail"))

    def test_no_runs(self, snap_compare: Compare, tmp_path: Path):
        assert snap_compare(app(tmp_path, None), terminal_size=(80, 24), run_before=scripted())

    @pytest.mark.parametrize("size", SIZES[:2], ids=["80x24", "120x40"])
    def test_help(self, snap_compare: Compare, tmp_path: Path, size: tuple[int, int]):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("question_mark"))
