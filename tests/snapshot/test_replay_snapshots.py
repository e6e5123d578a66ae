"""Pictures of the replay screen at three sizes: every panel, every pane alone, both themes, and what its tools add."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pictures import Compare, Size, app, need_the_same_engines, scripted, sizes
from tests.support.sample_run import build_sample_run

need_the_same_engines()


@sizes
class TestReplay:
    """The replay screen of the failing run."""

    def test_at_the_start(self, snap_compare: Compare, tmp_path: Path, size: Size):
        assert snap_compare(app(tmp_path, build_sample_run(tmp_path)), terminal_size=size, run_before=scripted())

    def test_at_the_error(self, snap_compare: Compare, tmp_path: Path, size: Size):
        assert snap_compare(app(tmp_path, build_sample_run(tmp_path)), terminal_size=size, run_before=scripted("n"))

    @pytest.mark.parametrize("panel", list("cedrlw"))
    def test_panels(self, snap_compare: Compare, tmp_path: Path, panel: str, size: Size):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("n", panel))

    def test_calls(self, snap_compare: Compare, tmp_path: Path, size: Size):
        assert snap_compare(app(tmp_path, build_sample_run(tmp_path)), terminal_size=size, run_before=scripted("6", "c"))

    def test_light(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run, light=True), terminal_size=size, run_before=scripted("end", "w"))

    def test_no_colour(self, snap_compare: Compare, tmp_path: Path, size: Size, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("NO_COLOR", "1")
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("n", "x", "w"))

    @pytest.mark.parametrize("tabs", [0, 1, 2], ids=["spans", "terminal", "panel"])
    def test_zoomed(self, snap_compare: Compare, tmp_path: Path, tabs: int, size: Size):
        run = build_sample_run(tmp_path)
        keys = ("n", *["tab"] * tabs, "z")
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted(*keys))

    def test_passing(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path, failing=False)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("end", "r"))


@sizes
class TestTools:
    """What search, bookmarks, the critical path and log records add to the screen."""

    def test_search(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("slash", *"mismatched", "enter"))

    def test_critical_path_and_bookmark(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        keys = ("n", "m", *"it broke here", "enter", "x", "l")
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted(*keys))

    def test_a_note_is_asked_for(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("n", "m", *"it br"))

    def test_a_line_of_why_is_chosen(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        keys = ("w", "tab", "tab", "down", "down")
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted(*keys))

    def test_go_to_a_place_that_is_not_there(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("g", *"99s", "enter"))

    def test_rows_are_folded(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        keys = ("down", "down", "down", "enter", "greater_than_sign", "i")
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted(*keys))

    def test_time_zoomed(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("n", "plus", "plus", "down", "down"))

    def test_steps_only(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_sample_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("5", "S", "right"))

    @pytest.mark.parametrize("tabs", [0, 1, 2], ids=["spans", "terminal", "panel"])
    def test_help(self, snap_compare: Compare, tmp_path: Path, tabs: int, size: Size):
        run = build_sample_run(tmp_path)
        keys = (*["tab"] * tabs, "question_mark")
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted(*keys))
