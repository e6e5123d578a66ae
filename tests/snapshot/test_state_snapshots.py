"""Pictures of runs in unusual states, at three sizes: under way, hung, cut off, imported, provisional, hardly known, odd."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from replay.run import ReplayRun
from replay.tui.screens.replay import ReplayScreen
from tests.support.odd_runs import build_odd_run
from tests.support.pictures import Compare, Size, app, need_the_same_engines, scripted, sizes
from tests.support.pilot import settle
from tests.support.sample_run import build_sample_run
from tests.support.state_runs import LOSSES, at, changed, cut_off_run, imported_run, sparse_run, under_way

need_the_same_engines()


def shown_at(run: Path, wall_ms: float, *keys: str) -> Callable[[Pilot[Any]], Any]:
    """The replay of a run as of an instant, ms after it began."""

    async def run_before(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        pilot.app.push_screen(ReplayScreen(ReplayRun(run), lambda: 0, wall_ns=lambda: at(wall_ms)))
        await scripted(*keys)(pilot)

    return run_before


@sizes
class TestStates:
    def test_under_way(self, snap_compare: Compare, tmp_path: Path, size: Size):
        with under_way(tmp_path, open_call=False) as writer:
            assert snap_compare(app(tmp_path, None), terminal_size=size, run_before=shown_at(writer.path, 1_200))

    def test_hung(self, snap_compare: Compare, tmp_path: Path, size: Size):
        with under_way(tmp_path, open_call=True) as writer:
            assert snap_compare(app(tmp_path, None), terminal_size=size, run_before=shown_at(writer.path, 93_000, "c"))

    def test_cut_off(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = cut_off_run(tmp_path)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("end", "w"))

    def test_imported(self, snap_compare: Compare, tmp_path: Path, size: Size):
        assert snap_compare(app(tmp_path, imported_run(tmp_path)), terminal_size=size, run_before=scripted("n", "w"))

    def test_provisional(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = changed(build_sample_run(tmp_path, failing=False), provisional=True)
        assert snap_compare(app(tmp_path, run), terminal_size=size, run_before=scripted("end", "r"))

    @pytest.mark.parametrize("panel", list("cer"))
    def test_hardly_known(self, snap_compare: Compare, tmp_path: Path, panel: str, size: Size):
        assert snap_compare(app(tmp_path, sparse_run(tmp_path)), terminal_size=size, run_before=scripted("end", panel))

    def test_odd(self, snap_compare: Compare, tmp_path: Path, size: Size):
        run = build_odd_run(tmp_path, "circle", 40)
        assert snap_compare(app(tmp_path, changed(run, completeness=LOSSES)), terminal_size=size, run_before=scripted("n", "w"))
