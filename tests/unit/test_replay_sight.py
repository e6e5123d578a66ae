"""Which part of a screen is seen: a function of the screen, so that the way to it does not matter."""

from __future__ import annotations

import pytest

from cabtrace.protocols import Run
from replay.screen import Screen
from replay.sight import Sight, sight


def screen(rows: list[str], cursor: tuple[int, int] | None, *, height: int = 30, columns: int = 100) -> Screen:
    lines = [(Run(text),) if text else () for text in [*rows, *[""] * (height - len(rows))]]
    return Screen(columns, height, lines, cursor, 1)


@pytest.mark.parametrize(
    ("written", "cursor", "top"),
    [
        (5, (0, 5), 0),
        (20, (0, 19), 0),
        (25, (0, 24), 5),
        (30, (0, 29), 10),
        (30, (0, 3), 3),
        (30, None, 10),
        (0, None, 0),
        (5, (0, 29), 10),
    ],
)
def test_the_end_of_what_is_written_is_seen_and_the_cursor_more_so(written: int, cursor: tuple[int, int] | None, top: int):
    assert sight(screen(["x"] * written, cursor), 100, 20) == Sight(top)


def test_blank_rows_are_not_written_but_coloured_ones_are():
    shown = screen(["x", "   "], None)
    assert sight(shown, 100, 1).top == 0
    coloured = Screen(100, 2, [(Run("x"),), (Run("   ", background=0x333333),)], None, 1)
    assert sight(coloured, 100, 1).top == 1


@pytest.mark.parametrize(
    ("column", "left"),
    [(0, 0), (60, 0), (61, 8), (68, 8), (69, 16), (92, 32), (93, 38), (99, 38)],
)
def test_the_row_of_the_cursor_slides_in_steps_and_never_beyond_the_last_column(column: int, left: int):
    found = sight(screen(["x" * 100], (column, 0)), 62, 20)
    assert found.slid == ({0: left} if left else {})
    assert 0 <= column - left < 62 - (left < 38)


def test_nothing_slides_where_there_is_room():
    assert sight(screen(["x" * 100], (99, 0)), 100, 30) == Sight()


@pytest.mark.parametrize(("row", "top"), [(2, 0), (12, 10), (29, 10), (9, 0)])
def test_a_hit_is_seen_wherever_it_is(row: int, top: int):
    found = sight(screen(["x"] * 30, (0, 29)), 62, 20, (row, (70, 80)))
    assert found.top == top
    assert found.top <= row < found.top + 20
    assert found.slid[row] <= 69
    assert found.slid[row] + 62 > 80


def test_the_beginning_of_a_long_hit_is_seen():
    assert sight(screen(["x" * 100], None), 20, 20, (0, (5, 95))).slid == {0: 4}
    assert sight(screen(["x" * 100], None), 20, 20, (0, (0, 95))).slid == {}
