"""The list of runs: order, filter, and that it grows while it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.text import safe
from replay.document import Tone
from replay.listing import Listed
from replay.runs import Filter, RunRow, in_order
from replay.tui.screens.runs import RunsScreen
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run


def row(*cells: str, failed: bool = False, started_at: str = "") -> RunRow:
    return RunRow(Path("/x"), tuple((safe(c), Tone.TEXT) for c in cells), failed=failed, started_at=started_at)


def test_failed_first_then_newest():
    rows = [
        row("a", started_at="1"),
        row("b", failed=True, started_at="1"),
        row("c", started_at="3"),
        row("d", failed=True, started_at="2"),
    ]
    assert [r.cells[0][0] for r in in_order(rows)] == ["d", "b", "c", "a"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", True),
        ("codex", True),
        ("CODEX fail", True),
        ("rusterr", True),
        ("rserrh", True),
        ("codex pass", False),
        ("xedoc", False),
        ("z", False),
        ("[", False),
    ],
)
def test_words_and_letters_in_order(query: str, found: bool):
    rows = [row("✗ FAIL", "codex", "gpt-x", "polyglot/rust-error-handling")]
    assert list(Filter(rows).narrow(query)) == (rows if found else [])


def test_letters_count_only_where_no_row_has_the_words():
    passed, failed = row("✓ PASS", "step-flash"), row("✗ FAIL", "step-flash/pa-s-s")
    assert Filter([passed, failed]).narrow("pass") == [passed]
    assert Filter([failed]).narrow("pass") == [failed]


def test_the_filter_narrows_with_each_letter_and_escape_drops_it(tmp_path: Path):
    build_sample_run(tmp_path)
    build_sample_run(tmp_path, failing=False)

    async def script(driver: Driver) -> None:
        assert "2 runs, 1 failed" in driver.text()
        await driver.press("slash", *"pass")
        assert "1 match 'pass'" in driver.text()
        assert "✗ FAIL" not in driver.text()
        await driver.press("escape")
        assert "✗ FAIL" in driver.text()
        assert isinstance(driver.app.screen, RunsScreen)
        await driver.press("slash", *"qqqq")
        assert "No run matches 'qqqq'" in driver.text()
        await driver.press("ctrl+u", *"pass", "enter", "enter")
        assert driver.session.snapshot.header.verdict == "passed"

    drive(script, tmp_path, None)


def test_the_list_grows_while_a_store_is_read_and_the_chosen_run_stays_chosen(tmp_path: Path):
    for failing in (True, False, True):
        build_sample_run(tmp_path, failing=failing)

    async def script(driver: Driver) -> None:
        screen = driver.app.screen
        assert isinstance(screen, RunsScreen)
        rows = list(screen.list.all)
        screen.post_message(RunsScreen.Read(Listed(rows[1:2], done=False)))
        await driver.settle()
        assert "reading …" in driver.text()
        await driver.press("down")
        screen.post_message(RunsScreen.Read(Listed(rows, done=True)))
        await driver.settle()
        assert screen.list.run is not None
        assert screen.list.run.path == rows[1].path
        assert "3 runs" in driver.text()

    drive(script, tmp_path, None)
