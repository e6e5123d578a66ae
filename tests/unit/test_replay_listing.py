"""Reading a store for its list: what is told when, and what a run that cannot be read does to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay import listing
from replay.listing import read_store, triage
from replay.run_list import RunList, standing, why_empty
from tests.support.sample_run import build_sample_run


@pytest.fixture
def store(tmp_path: Path) -> Path:
    build_sample_run(tmp_path)
    build_sample_run(tmp_path, failing=False)
    broken = tmp_path / "demo" / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "run.json").write_text("{")
    return tmp_path


def words_of(runs: RunList) -> str:
    return "".join(text for text, _ in standing(runs))


def test_the_last_word_is_all_of_the_store_in_order(store: Path):
    *_, last = read_store(store)

    assert last.done
    assert [row.failed for row in last.rows] == [True, True, False]


def test_every_run_is_told_at_once_where_time_passes(store: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(listing, "_TELL_S", -1.0)

    told = list(read_store(store))

    assert [len(listed.rows) for listed in told] == [1, 2, 3, 3]
    assert [listed.done for listed in told] == [False, False, False, True]


def test_reading_ends_without_a_last_word_when_it_is_stopped(store: Path):
    asked = iter([False, True])

    assert list(read_store(store, lambda: next(asked))) == []


def test_what_failed_is_diagnosed_once_and_what_cannot_be_read_is_left_out(store: Path):
    *_, listed = read_store(store)
    *_, first = triage(listed.rows, {})

    assert [path.parts[-2:] for path in first.failures] == [
        row.path.parts[-2:] for row in listed.rows if row.cells and row.failed
    ]
    (failing,) = first.failures
    (failing / "run.json").unlink()
    *_, second = triage(listed.rows, first.failures)
    assert second == first
    *_, third = triage(listed.rows, {})
    assert third.failures == {}


def test_the_header_and_an_empty_list_say_how_things_stand(store: Path):
    *_, listed = read_store(store)
    runs = RunList()
    assert (words_of(runs), why_empty(runs)) == ("", "reading …")
    runs.take([])
    assert (words_of(runs), why_empty(runs)) == ("0 runs, 0 failed", "There is no run yet; `cabtrace demo` makes two.")
    runs.take(listed.rows[2:], reading=True)
    assert words_of(runs) == "1 run, 0 failed, reading …"
    runs.toggle_failed()
    assert why_empty(runs) == "No run failed."
    runs.find("nowhere")
    assert why_empty(runs) == "No run matches 'nowhere'."
    assert words_of(runs) == "1 run, 0 failed, reading …  0 match 'nowhere'  failed only"
    runs.group({}, 7)
    assert "by cause 0 of 7 …" in words_of(runs)
