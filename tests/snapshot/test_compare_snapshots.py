"""Pictures of two runs side by side, at three sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.tui.app import ReplayApp
from tests.support.compare_runs import build_pair
from tests.support.pictures import Compare, Size, app, need_the_same_engines, scripted, sizes, stepped
from tests.support.sample_run import build_sample_run

need_the_same_engines()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A relative one: its path is in some of the pictures."""
    monkeypatch.chdir(tmp_path)
    return Path("store")


def compared(store: Path, *, light: bool = False) -> ReplayApp:
    left, right = build_pair(store)
    return app(store, left, against=right, light=light)


@sizes
class TestCompare:
    def test_at_the_divergence(self, snap_compare: Compare, store: Path, size: Size):
        assert snap_compare(compared(store), terminal_size=size, run_before=stepped())

    def test_the_other_side_free(self, snap_compare: Compare, store: Path, size: Size):
        assert snap_compare(compared(store), terminal_size=size, run_before=stepped("n", "tab", "l", "9"))

    def test_details(self, snap_compare: Compare, store: Path, size: Size):
        assert snap_compare(compared(store), terminal_size=size, run_before=stepped("d"))

    def test_the_same_run_twice(self, snap_compare: Compare, store: Path, size: Size):
        run = build_sample_run(store)
        assert snap_compare(app(store, run, against=run), terminal_size=size, run_before=scripted("n"))

    def test_help(self, snap_compare: Compare, store: Path, size: Size):
        assert snap_compare(compared(store), terminal_size=size, run_before=stepped("question_mark"))

    def test_light(self, snap_compare: Compare, store: Path, size: Size):
        assert snap_compare(compared(store, light=True), terminal_size=size, run_before=stepped("n"))
