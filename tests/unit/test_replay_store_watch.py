"""What became of a store since it was read, without reading it again."""

from __future__ import annotations

import shutil
from pathlib import Path

from cabtrace.store import catalog
from replay import store_watch
from replay.listing import read_store
from replay.store_watch import StoreWatch
from tests.support.sample_run import build_sample_run
from tests.support.state_runs import under_way


def watch(store: Path) -> StoreWatch:
    *_, listed = read_store(store)
    return StoreWatch(store, listed.rows)


def test_nothing_is_told_where_nothing_changed(tmp_path: Path):
    build_sample_run(tmp_path)
    looking = watch(tmp_path)

    assert looking.look() is None
    assert looking.look() is None


def test_new_runs_are_found_wherever_they_are_in_a_store_that_was_empty_before(tmp_path: Path):
    looking = watch(tmp_path)
    first = build_sample_run(tmp_path)
    rows = looking.look()
    assert rows is not None
    assert [row.path for row in rows] == [first]

    second = build_sample_run(tmp_path, failing=False)
    rows = looking.look()
    assert rows is not None
    assert [row.path for row in rows] == [first, second]
    assert looking.look() is None


def test_a_live_run_is_live_until_it_ends(tmp_path: Path):
    with under_way(tmp_path, open_call=True):
        looking = watch(tmp_path)
        assert looking.look() is None
    rows = looking.look()

    assert rows is not None
    assert [(row.live, row.failed) for row in rows] == [(False, False)] or not rows[0].live
    assert looking.look() is None


def test_a_run_whose_folder_was_made_before_its_header_is_found_once_it_is_one(tmp_path: Path):
    late = tmp_path / "s" / "a" / "1"
    late.mkdir(parents=True)
    looking = watch(tmp_path)
    assert looking.look() is None
    (late / "run.json").write_text("{")
    rows = looking.look()

    assert rows is not None
    assert [row.path for row in rows] == [late]


def test_runs_that_are_known_are_not_read_again(tmp_path: Path, monkeypatch):
    for _ in range(3):
        build_sample_run(tmp_path)
    looking = watch(tmp_path)
    read: list[Path] = []
    monkeypatch.setattr(store_watch, "summarize", lambda path: read.append(path) or catalog.summarize(path))
    looking.look()
    new = build_sample_run(tmp_path)
    looking.look()

    assert read == [new]


def test_links_are_not_followed_and_a_folder_that_is_gone_is_no_trouble(tmp_path: Path):
    store, elsewhere = tmp_path / "store", tmp_path / "elsewhere"
    build_sample_run(store)
    build_sample_run(elsewhere)
    looking = watch(store)
    (store / "linked").symlink_to(elsewhere)
    assert looking.look() is None

    shutil.rmtree(store)
    assert looking.look() is None
