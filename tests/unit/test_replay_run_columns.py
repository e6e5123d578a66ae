"""Columns of the list of runs: what tells rows apart keeps its room."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from cabtrace.text import safe
from replay.document import Tone, fit_end
from replay.run_columns import AGENT, ATTEMPT, COLUMNS, MODEL, STARTED, SWEEP, TASK, column_widths, fit_column, gap
from replay.runs import RunRow

CELLS = ("✗ FAIL", "demo", "reference", "scripted/hasty", "polyglot/python-error-handling", "1", "tests_failed", "7.0 s", "6,532")
CELLS += ("0.495", "2026-11-22 21:35")


def row(**changed: str) -> RunRow:
    places = {"sweep": SWEEP, "agent": AGENT, "model": MODEL, "task": TASK, "attempt": ATTEMPT}
    cells = list(CELLS)
    for name, text in changed.items():
        cells[places[name]] = text
    return RunRow(Path("x"), tuple((safe(cell), Tone.TEXT) for cell in cells))


def shown(rows: list[RunRow], width: int) -> list[list[str]]:
    widths = column_widths(rows, width)
    return [[fit_column(text, i, w) for i, ((text, _), w) in enumerate(zip(r.cells, widths, strict=True)) if w] for r in rows]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("polyglot/error-handling", 40, "polyglot/error-handling"),
        ("polyglot/error-handling", 16, "…/error-handling"),
        ("polyglot/error-handling", 10, "…-handling"),
        ("a / bb / ccc", 6, "…ccc"),
        ("日本語", 5, "…本語"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_a_text_that_is_cut_keeps_its_end(text: str, width: int, expected: str):
    assert fit_end(text, width) == expected


@given(st.text("ab/ 日", max_size=30), st.integers(0, 30))
def test_a_cut_text_is_never_wider_than_its_room(text: str, width: int):
    assert cell_len(fit_end(text, width)) <= width


def test_sweeps_have_a_column_only_where_they_differ():
    assert column_widths([row(), row()], 200)[SWEEP] == 0
    assert column_widths([row(), row(sweep="rerun")], 200)[SWEEP] == 5


def test_a_column_that_says_the_same_everywhere_goes_before_those_that_tell_rows_apart():
    rows = [row(model="scripted/hasty"), row(model="scripted/careful")]
    widths = column_widths(rows, 74)

    assert widths[ATTEMPT] == widths[AGENT] == widths[STARTED] == 0
    assert [cells[1] for cells in shown(rows, 74)] == ["…/hasty", "…/careful"]


def test_what_all_names_begin_with_is_cut_first_and_comes_back_with_the_room():
    rows = [row(task="polyglot/python-error-handling"), row(task="polyglot/rust-error-handling")]

    assert [cells[1] for cells in shown(rows, 70)] == ["…/python-error-handling", "…/rust-error-handling"]
    assert "polyglot/python-error-handling" in shown(rows, 200)[0]


def test_no_column_is_cut_where_there_are_free_cells_at_the_right():
    rows = [row(), row(agent="claude-code", sweep="rerun"), row(task="smoke/hello-file")]
    for width in range(60, 220):
        widths = column_widths(rows, width)
        free = width - sum(w + gap(width) for w in widths if w)
        assert free >= 0, width
        names = [(i, w) for i, w in enumerate(widths) if w and COLUMNS[i].alike]
        wanted = {i: max(cell_len(r.cells[i][0]) for r in rows) for i, _ in names}
        assert all(w >= min(wanted[i], COLUMNS[i].most) or free < wanted[i] - w for i, w in names), width


def test_unreadable_runs_have_no_say():
    bad = replace(row(), cells=(), error="not JSON")
    assert column_widths([bad, row()], 120) == column_widths([row()], 120)
    assert len(column_widths([bad], 120)) == len(column_widths([], 20)) == len(COLUMNS)
