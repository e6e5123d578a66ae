"""The critical path on the rows, and its key."""

from __future__ import annotations

from pathlib import Path

from replay.path import PathOverlay, cells
from replay.timeline import Timeline
from replay.window import Window, whole
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run
from tests.support.spans import span

MS = 1_000_000


def overlay() -> tuple[Timeline, PathOverlay]:
    root, early, late, inner = "a" * 16, "b" * 16, "c" * 16, "d" * 16
    timeline = Timeline(
        [
            span(root, 0, 100),
            span(early, 10, 40, parent=root),
            span("e" * 16, 10, 30, parent=root),  # runs beside `early` and ends before it
            span(late, 40, 90, parent=root),
            span(inner, 50, 60, parent=late),
        ]
    )
    return timeline, PathOverlay(timeline)


def names(timeline: Timeline, path: PathOverlay) -> list[tuple[str, int, int]]:
    return [(timeline.row(row).span.span_id[0], start // MS, end // MS) for start, end, row in path.in_time]


def test_the_path_covers_the_run_without_gap_or_overlap():
    assert names(*overlay()) == [
        ("a", 0, 10),
        ("b", 10, 40),
        ("c", 40, 50),
        ("d", 50, 60),
        ("c", 60, 90),
        ("a", 90, 100),
    ]


def test_a_closed_row_takes_what_is_below_it():
    timeline, path = overlay()
    late = next(row for row in range(len(timeline)) if timeline.key(row)[0] == "c" * 16)
    assert path.of(late, late + 1) == [(40 * MS, 50 * MS), (60 * MS, 90 * MS)]
    assert path.of(late, timeline.row(late).end_row) == [(40 * MS, 50 * MS), (60 * MS, 90 * MS), (50 * MS, 60 * MS)]
    assert path.row_at(55 * MS) == late + 1
    assert path.row_at(200 * MS) is None


def test_cells_that_are_touched():
    assert cells([(0, 10), (95, 100), (50, 51)], whole(100), 10) == ({0, 5, 9}, {0, 9})
    assert cells([(10, 13), (15, 17)], whole(100), 10) == ({1}, {1})
    assert cells([(99, 99)], whole(100), 10) == ({9}, set())
    assert cells([(0, 1)], whole(0), 10) == (set(), set())


def test_cells_of_a_part_of_the_run():
    part = Window(50, 20, 100)
    assert cells([(0, 52), (60, 61), (80, 90)], part, 10) == ({0, 5}, {0, 5})
    assert cells([(0, 100)], part, 10) == (set(range(10)), set(range(10)))
    assert cells([(70, 70), (50, 50)], part, 10) == ({0}, set())


def test_no_path_of_nothing():
    assert PathOverlay(Timeline([])).in_time == []


def test_its_key_shows_and_hides_it(tmp_path: Path):
    run = build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        assert "critical path" not in driver.text()
        await driver.press("x")
        shown = driver.text()
        assert "critical path" in shown
        assert "━━" in next(row for row in shown.splitlines() if "chat #4" in row)
        await driver.press("x")
        assert "critical path" not in driver.text()

    drive(script, tmp_path, run)
