"""Pictures of two runs side by side, of the list in groups, and of the questions that the app asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from replay.tui.app import ReplayApp
from replay.tui.themes import LIGHT
from tests.support.compare_runs import build_pair
from tests.support.pilot import settle
from tests.support.sample_run import build_sample_run

textual = pytest.importorskip("textual")
pytest.importorskip("pyghostty", reason="the pictures show the terminal as its engine draws it: cabtrace[terminal]")
if textual.__version__ != "8.2.8":
    pytest.skip("the pictures were made with Textual 8.2.8", allow_module_level=True)

Compare = Callable[..., bool]
SIZES = [(80, 24), (120, 40), (200, 50)]
sizes = pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40", "200x50"])


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A relative one: its path is in some of the pictures."""
    monkeypatch.chdir(tmp_path)
    return Path("store")


def scripted(*keys: str) -> Callable[[Pilot[Any]], Any]:
    async def run_before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in keys:
            await pilot.press(key)
            await settle(pilot)

    return run_before


def compared(store: Path) -> ReplayApp:
    left, right = build_pair(store)
    return ReplayApp(store, left, against=right, now_ns=lambda: 0)


class TestCompare:
    @sizes
    def test_at_the_divergence(self, snap_compare: Compare, store: Path, size: tuple[int, int]):
        assert snap_compare(compared(store), terminal_size=size, run_before=scripted())

    @sizes
    def test_the_other_side_free(self, snap_compare: Compare, store: Path, size: tuple[int, int]):
        assert snap_compare(compared(store), terminal_size=size, run_before=scripted("n", "tab", "l", "9"))

    @sizes
    def test_details(self, snap_compare: Compare, store: Path, size: tuple[int, int]):
        assert snap_compare(compared(store), terminal_size=size, run_before=scripted("d"))

    @pytest.mark.parametrize("size", SIZES[:2], ids=["80x24", "120x40"])
    def test_help(self, snap_compare: Compare, store: Path, size: tuple[int, int]):
        assert snap_compare(compared(store), terminal_size=size, run_before=scripted("question_mark"))

    def test_light(self, snap_compare: Compare, store: Path):
        app = compared(store)
        app.theme = LIGHT.name
        assert snap_compare(app, terminal_size=(120, 40), run_before=scripted("n"))


class TestList:
    @sizes
    def test_in_groups_with_a_mark(self, snap_compare: Compare, store: Path, size: tuple[int, int]):
        build_pair(store)
        build_sample_run(store)
        app = ReplayApp(store, None, now_ns=lambda: 0)
        assert snap_compare(app, terminal_size=size, run_before=scripted("down", "c", "t", "home"))

    @sizes
    def test_run_again(self, snap_compare: Compare, store: Path, size: tuple[int, int]):
        build_pair(store)
        app = ReplayApp(store, None, now_ns=lambda: 0)
        assert snap_compare(app, terminal_size=size, run_before=scripted("R"))
