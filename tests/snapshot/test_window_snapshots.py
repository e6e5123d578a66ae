"""Pictures of what comes before a screen, and of the windows over one, at three sizes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from replay.run import ReplayRun
from replay.tui.screens.opening import Pane
from tests.support.child_jobs import job, phases
from tests.support.compare_runs import build_pair
from tests.support.pictures import Compare, Size, app, need_the_same_engines, sizes, stepped
from tests.support.pilot import settle
from tests.support.sample_run import build_sample_run
from tests.support.slow_disk import SHARE, never_ending

need_the_same_engines()
RESULT = {
    "verdict": "failed",
    "cause": "tests_failed",
    "cause_detail": "2 of 5 tests failed",
    "answered_from_recording": 6,
    "first_divergence": {"sentence": "The tool calls after model call #4 differ: `cargo test` then, `cargo test -q` now."},
}
NO_TASK = "cabtrace: The task of this run cannot be found. Name its folder with --task."


@pytest.fixture
def _slow_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReplayRun, "__init__", never_ending)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A relative one: its path is in some of the pictures."""
    monkeypatch.chdir(tmp_path)
    return Path("store")


@sizes
@pytest.mark.usefixtures("_slow_disk")
class TestOpening:
    def test_a_run_is_read(self, snap_compare: Compare, store: Path, size: Size):
        async def run_before(pilot: Pilot[Any]) -> None:
            await pilot.pause()
            while pilot.app.screen.query_one("#spans", Pane)._share != SHARE:
                await asyncio.sleep(0.01)

        assert snap_compare(app(store, build_sample_run(store)), terminal_size=size, run_before=run_before)

    def test_two_runs_are_read(self, snap_compare: Compare, store: Path, size: Size):
        left, right = build_pair(store)
        assert snap_compare(app(store, left, against=right), terminal_size=size)


@sizes
class TestWindows:
    @pytest.mark.parametrize("state", ["running", "ended", "failed"])
    def test_a_rerun(self, snap_compare: Compare, store: Path, state: str, size: Size):
        run = build_sample_run(store)
        made = phases(run, {"stats": {"calls": 3, "input_tokens": 4_212, "output_tokens": 391, "terminal_bytes": 5_417}})
        options: dict[str, Any] = {
            "running": {"report": made, "running": True},
            "ended": {"report": [*made, {"at_s": 9.8, "phase": "scoring"}, {"at_s": 9.9, "phase": "cleanup"}], "result": RESULT},
            "failed": {"report": [], "complaint": NO_TASK},
        }[state]
        shown = app(store, run)
        with job(run, **options) as shown._job:
            assert snap_compare(shown, terminal_size=size, run_before=stepped("R"))

    def test_the_folder_of_a_task_is_asked_for(self, snap_compare: Compare, store: Path, size: Size):
        run = build_sample_run(store)
        shown = app(store, run)
        with job(run, [], complaint=NO_TASK) as shown._job:
            assert snap_compare(shown, terminal_size=size, run_before=stepped("R", "t", *"nowh", "enter"))

    def test_quitting_while_a_cell_runs(self, snap_compare: Compare, store: Path, size: Size):
        run = build_sample_run(store)
        shown = app(store, run)
        with job(run, phases(run), running=True) as shown._job:
            assert snap_compare(shown, terminal_size=size, run_before=stepped("q"))

    def test_the_palette(self, snap_compare: Compare, store: Path, size: Size):
        async def run_before(pilot: Pilot[Any]) -> None:
            await settle(pilot)
            await pilot.press("colon")
            pilot.app.screen.query_one(Input).cursor_blink = False
            await settle(pilot)

        assert snap_compare(app(store, build_sample_run(store)), terminal_size=size, run_before=run_before)
