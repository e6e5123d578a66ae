"""The list of runs as a thing that is filtered, grouped, folded and marked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.diagnose.finding import Diagnosis, Finding, Severity
from cabtrace.diagnose.triage import Failure
from cabtrace.text import safe
from replay.document import Tone
from replay.run_list import FINE, GroupRow, RunList, chosen_words, standing
from replay.runs import Filter, Order, RunRow, in_order

WORDS = ["codex", "claude", "fail", "pass", "rust-error", "gpt-x"]


def row(name: str, *cells: str, failed: bool = True, error: str = "") -> RunRow:
    return RunRow(Path(name), tuple((safe(cell), Tone.TEXT) for cell in (name, *cells)), failed=failed, error=error)


def failure(rule: str, signature: str = "", task: str = "") -> Failure:
    found = Finding(rule, Severity.ERROR, None, "", "It failed.")
    return Failure((rule, task, signature), rule, signature, Diagnosis(found, (found,), 0))


def grouped() -> RunList:
    runs = RunList()
    runs.take([row("a"), row("b"), row("c"), row("broken", error="not JSON"), row("fine", failed=False)])
    runs.group({Path("a"): failure("timeout"), Path("b"): failure("loop", "shell ls"), Path("c"): failure("loop", "shell ls")})
    return runs


def shown(runs: RunList) -> list[str]:
    return [
        f"{entry.size} × {entry.rule} {entry.signature}".strip() if isinstance(entry, GroupRow) else f"  {entry.path}"
        for entry in runs.entries
    ]


def test_groups_are_by_cause_and_signature_biggest_first_and_the_rest_comes_last():
    assert shown(grouped()) == [
        "2 × loop shell ls", "  b", "  c",
        "1 × timeout", "  a",
        "1 × not looked at yet, or not readable", "  broken",
        "1 × did not fail",
    ]  # fmt: skip


def test_groups_fold_and_the_chosen_row_stays_in_its_group():
    runs = grouped()
    runs.choose(2)
    assert runs.run is not None
    assert runs.run.path == Path("c")
    assert runs.fold()
    assert shown(runs)[:2] == ["2 × loop shell ls", "1 × timeout"]
    assert (runs.chosen, runs.run) == (0, None)
    assert runs.fold()
    assert shown(runs)[1:3] == ["  b", "  c"]
    runs.choose(len(runs.entries) - 1)
    assert runs.fold(closed=False)
    assert shown(runs)[-1] == "  fine"
    assert FINE not in runs.folded
    runs.group(None)
    assert not runs.fold()
    assert len(runs.entries) == 5


def test_the_filter_counts_within_groups():
    runs = grouped()
    runs.find("c")
    assert shown(runs) == ["1 × loop shell ls", "  c"]
    assert runs.matching == 1
    runs.find("")
    assert len(runs.entries) == 8


def test_two_marks_make_a_pair_a_third_replaces_the_second_and_a_mark_can_be_taken_away():
    runs = RunList()
    runs.take([row(name) for name in "abcd"])
    assert runs.mark() is None
    runs.move(1)
    assert runs.mark() == (Path("a"), Path("b"))
    runs.move(1)
    assert runs.mark() == (Path("a"), Path("c"))
    assert runs.marks == [Path("a"), Path("c")]
    runs.move(-2)
    assert runs.mark() is None
    assert runs.marks == [Path("c")]


def test_the_chosen_run_stays_chosen_while_the_list_grows_once_the_user_has_moved():
    runs = RunList()
    runs.take([row("b")])
    runs.take([row("a"), row("b")])
    assert runs.run is not None
    assert runs.run.path == Path("a")
    runs.move(1)
    runs.take([row("0"), row("a"), row("b")])
    assert runs.run.path == Path("b")


def test_an_empty_list_takes_every_key():
    runs = RunList()
    runs.move(5)
    runs.find("x")
    runs.toggle_failed()
    runs.group({})
    assert runs.mark() is None
    assert not runs.fold()
    assert runs.run is None


rows_strategy = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3), max_size=12)


@given(rows_strategy, st.lists(st.text("adefgilpsux-cot ", max_size=1), max_size=10))
def test_typing_letter_by_letter_leaves_what_the_whole_query_leaves(texts: list[list[str]], letters: list[str]):
    rows = [row(str(number), *cells) for number, cells in enumerate(texts)]
    typed = Filter(rows)
    query = ""
    for letter in letters:
        query += letter
        assert list(typed.narrow(query)) == list(Filter(rows).narrow(query))
    for end in range(len(query), -1, -1):
        assert list(typed.narrow(query[:end])) == list(Filter(rows).narrow(query[:end]))


@pytest.mark.parametrize("query", ["RUST", "claude gpt-x", "clgp"])
def test_the_filter_looks_at_every_cell(query: str):
    rows = [row("1", "Claude", "gpt-x", "rust-error")]
    assert list(Filter(rows).narrow(query)) == (rows if query != "clgp" else [])


def test_sorting_goes_round_through_all_orders_and_puts_what_is_unknown_last():
    def amounts(name: str, day: str, *values: float | None, failed: bool = False, live: bool = False) -> RunRow:
        wall, tokens, composite = values
        found = row(name, failed=failed)
        return replace(found, started_at=f"2026-01-0{day}T00:00:00Z", live=live, amounts=(wall, tokens, composite))

    runs = RunList()
    rows = [
        amounts("fails", "2", 1.0, 30, 0.2, failed=True),
        amounts("new", "4", 5.0, None, 0.9),
        amounts("old", "1", None, 20, None),
        amounts("live", "3", None, None, None, live=True),
    ]
    runs.take(in_order(rows))
    now_s = datetime(2026, 1, 3, 0, 0, 3, tzinfo=UTC).timestamp()
    seen = {}
    for _ in Order:
        seen[runs.order.value] = " ".join(str(entry.path) for entry in runs.entries if isinstance(entry, RunRow))
        runs.sort(now_s)

    assert runs.order is Order.FAILED
    assert seen == {
        "failed first": "live fails new old",
        "newest first": "new live fails old",
        "longest first": "new live fails old",
        "most tokens first": "fails old new live",
        "lowest composite first": "fails new live old",
    }


def test_what_is_live_is_counted_apart_and_is_no_failure():
    runs = RunList()
    runs.take([replace(row("live", failed=False), live=True), row("fails"), row("fine", failed=False)])
    assert "".join(text for text, _ in standing(runs)) == "3 runs, 1 failed, 1 live"
    runs.toggle_failed()
    assert [str(entry.path) for entry in runs.entries if isinstance(entry, RunRow)] == ["fails"]


def test_escape_widens_step_by_step():
    runs = RunList()
    runs.take([row("a"), row("b", failed=False)])
    runs.toggle_failed()
    runs.find("a")
    assert [runs.widen(), len(runs.entries)] == [True, 1]
    assert [runs.widen(), len(runs.entries)] == [True, 2]
    assert not runs.widen()


def test_the_chosen_row_is_named_whole():
    runs = grouped()
    runs.choose(0)
    assert "".join(text for text, _ in chosen_words(runs, 0.0)) == "loop  shell ls"
    bare = RunList()
    bare.take([RunRow(Path("some/run"), error="not JSON")])
    assert "".join(text for text, _ in chosen_words(bare, 0.0)) == "some/run  not JSON"
    assert chosen_words(RunList(), 0.0) == []
