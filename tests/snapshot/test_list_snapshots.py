"""Pictures of the list of runs at three sizes: all of them, some of them, none, in groups, and runs that cannot be opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.compare_runs import build_pair
from tests.support.pictures import Compare, Size, app, need_the_same_engines, scripted, sizes, stepped
from tests.support.sample_run import build_sample_run
from tests.support.state_runs import changed, sparse_run

need_the_same_engines()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A relative one: its path is in some of the pictures."""
    monkeypatch.chdir(tmp_path)
    return Path("store")


def three_runs(store: Path) -> None:
    for failing in (False, True, True):
        build_sample_run(store, failing=failing)


@sizes
class TestList:
    def test_runs(self, snap_compare: Compare, store: Path, size: Size):
        three_runs(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=scripted("down"))

    def test_light(self, snap_compare: Compare, store: Path, size: Size):
        three_runs(store)
        assert snap_compare(app(store, None, light=True), terminal_size=size, run_before=scripted("down", "c"))

    def test_filter(self, snap_compare: Compare, store: Path, size: Size):
        three_runs(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=scripted("slash", *"fail"))

    def test_failed_only(self, snap_compare: Compare, store: Path, size: Size):
        three_runs(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=scripted("f"))

    def test_nothing_matches(self, snap_compare: Compare, store: Path, size: Size):
        three_runs(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=scripted("slash", *"zebra", "enter"))

    def test_no_runs(self, snap_compare: Compare, store: Path, size: Size):
        assert snap_compare(app(store, None), terminal_size=size, run_before=scripted())

    def test_provisional_unreadable_unknown(self, snap_compare: Compare, store: Path, size: Size):
        three_runs(store)
        changed(build_sample_run(store), provisional=True)
        (build_sample_run(store) / "run.json").write_text('{"format": "cabtrace.run", "schema_version": 99}')
        (build_sample_run(store) / "run.json").write_text("{")
        sparse_run(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=scripted("end"))

    def test_one_that_cannot_be_opened(self, snap_compare: Compare, store: Path, size: Size):
        run = build_sample_run(store)

        async def run_before(pilot):  # type: ignore[no-untyped-def]  # as `scripted`
            await scripted()(pilot)
            (run / "run.json").unlink()
            await scripted("enter")(pilot)

        assert snap_compare(app(store, None), terminal_size=size, run_before=run_before)

    def test_in_groups_with_a_mark(self, snap_compare: Compare, store: Path, size: Size):
        build_pair(store)
        build_sample_run(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=stepped("down", "c", "t", "home"))

    def test_a_group_is_closed(self, snap_compare: Compare, store: Path, size: Size):
        build_pair(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=stepped("t", "home", "minus", "end", "plus"))

    def test_run_again(self, snap_compare: Compare, store: Path, size: Size):
        build_pair(store)
        assert snap_compare(app(store, None), terminal_size=size, run_before=stepped("R"))

    def test_help(self, snap_compare: Compare, store: Path, size: Size):
        assert snap_compare(app(store, None), terminal_size=size, run_before=stepped("question_mark"))
