"""The part of a run's time that is in sight, and what its cells show: pure, tested by hand and by any numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.density import cells, signs, words
from replay.markers import MARKER_CODES, MarkerKind, Markers
from replay.waterfall import bar_in
from replay.window import LEAST_NS, Window, whole

WHOLE_NS = 1_000_000
ERROR, MODEL, TOOL, TEST = MarkerKind.ERROR, MarkerKind.MODEL_CALL, MarkerKind.TOOL_CALL, MarkerKind.TEST


def markers(*found: tuple[int, MarkerKind]) -> Markers:
    ordered = sorted(found)
    return Markers([at for at, _ in ordered], [0] * len(ordered), [MARKER_CODES[kind] for _, kind in ordered], 1)


def test_zooming_keeps_the_playhead_where_it_is_on_the_screen():
    near = whole(WHOLE_NS).zoom(4, 200_000)

    assert (near.length_ns, near.factor, near.zoomed) == (250_000, 4.0, True)
    assert near.cell(200_000, 100) == whole(WHOLE_NS).cell(200_000, 100) == 20
    assert near.zoom(0.25, 200_000) == whole(WHOLE_NS)


def test_no_window_is_beyond_the_run_nor_without_length():
    assert whole(WHOLE_NS).zoom(0.25, 0) == whole(WHOLE_NS)
    assert whole(WHOLE_NS).zoom(1e9, 0).length_ns == LEAST_NS
    assert whole(0).zoom(4, 0) == whole(0)
    assert whole(0).cell(0, 10) == 0


@pytest.mark.parametrize(
    ("to_ns", "start_ns"),
    [
        (450_000, 400_000),
        (500_000, 487_500),  # the next one, a little of what was before it still in sight
        (590_000, 577_500),
        (399_999, 312_499),  # the one before
        (100_000, 50_000),  # around it
        (0, 0),
        (WHOLE_NS, 900_000),
    ],
)
def test_it_follows_the_playhead(to_ns: int, start_ns: int):
    followed = Window(400_000, 100_000, WHOLE_NS).following(to_ns)

    assert (followed.start_ns, followed.length_ns) == (start_ns, 100_000)
    assert followed.holds(to_ns)


def test_a_span_is_fitted_with_room_beside_it():
    fitted = whole(100_000_000_000).fit(32_000_000_000, 48_000_000_000)

    assert (fitted.start_ns, fitted.end_ns) == (31_000_000_000, 49_000_000_000)
    instant = whole(100_000_000_000).fit(5_000_000_000, 5_000_000_000)
    assert (instant.length_ns, instant.cell(5_000_000_000, 10)) == (1_000_000, 5)
    assert whole(WHOLE_NS).fit(0, WHOLE_NS) == whole(WHOLE_NS)


def test_a_run_that_grows_stays_in_sight_as_it_was():
    assert whole(WHOLE_NS).of(2 * WHOLE_NS) == whole(2 * WHOLE_NS)
    assert Window(0, 500, 1_000).of(2_000) == Window(0, 500, 2_000)
    assert Window(500, 500, 1_000).of(700) == Window(500, 500, 1_000)


@given(st.integers(0, 10**12), st.data(), st.integers(1, 300))
def test_any_window_is_within_the_run_and_its_cells_hold_their_instants(whole_ns: int, data: st.DataObject, width: int):
    window = whole(whole_ns)
    for _ in range(data.draw(st.integers(0, 4))):
        at_ns = data.draw(st.integers(0, whole_ns))
        window = data.draw(st.sampled_from([window.zoom(4, at_ns), window.zoom(0.5, at_ns), window.fit(at_ns, whole_ns)]))
        window = window.following(data.draw(st.integers(0, whole_ns)))
        assert 0 <= window.start_ns <= window.end_ns <= whole_ns
    cell = data.draw(st.integers(0, width - 1))
    found = window.cell(window.instant(cell, width), width)
    assert found == (cell if window.length_ns >= width else found)
    assert found is not None
    assert window.holds(window.share(data.draw(st.floats(0, 1)))) or window.share(1.0) == window.end_ns


def test_bars_out_of_sight_say_where_they_are():
    part = Window(400, 200, 1_000)

    assert bar_in(part, 400, 500, 4) == ("██  ", False)
    assert bar_in(part, 0, 1_000, 4) == ("████", False)
    assert bar_in(part, 0, 400, 4) == ("‹   ", True)
    assert bar_in(part, 600, 700, 4) == ("   ›", True)
    assert bar_in(whole(1_000), 1_000, 1_000, 4)[1] is False


def test_few_markers_are_shown_each_by_the_gravest_of_its_cell():
    found = cells(markers((10, MODEL), (11, ERROR), (90, TOOL)), whole(100), 10)

    assert signs(found, 10) == {1: ERROR, 9: TOOL}
    assert words(found[1]) == "1 error, 1 model call"
    assert signs(cells(markers((0, ERROR), (0, TEST)), whole(0), 10), 10) == {0: ERROR}
    assert cells(markers(), whole(100), 10) == {}


def test_only_what_is_in_sight_is_counted():
    all_of_it = markers(*((at, MODEL) for at in range(100)))

    found = cells(all_of_it, Window(50, 20, 100), 10)
    assert {place: cell.count for place, cell in found.items()} == dict.fromkeys(range(10), 2)


def test_many_markers_become_bars_among_which_rare_errors_are_told():
    calls = [(at, MODEL) for at in range(1_000)] + [(500 + at % 100, TOOL) for at in range(100)]

    found = signs(cells(markers(*calls, (321, ERROR)), whole(1_000), 10), 10)
    assert found == {0: "▄", 1: "▄", 2: "▄", 3: ERROR, 4: "▄", 5: "█", 6: "▄", 7: "▄", 8: "▄", 9: "▄"}


def test_where_errors_are_everywhere_only_more_than_usual_is_told():
    errors = [(at, ERROR) for at in range(0, 1_000, 10)]
    burst = [(700 + at, ERROR) for at in range(90)]

    found = signs(cells(markers(*errors, *((at, MODEL) for at in range(1_000))), whole(1_000), 10), 10)
    assert set(found.values()) == {"▄"}
    found = signs(cells(markers(*errors, *burst, *((at, MODEL) for at in range(1_000))), whole(1_000), 10), 10)
    assert [place for place, sign in found.items() if sign == ERROR] == [7]


@given(st.lists(st.tuples(st.integers(0, 1_000), st.sampled_from([ERROR, MODEL, TOOL, TEST])), max_size=200), st.data())
def test_cells_count_what_is_in_sight(found: list[tuple[int, MarkerKind]], data: st.DataObject):
    start, width = data.draw(st.integers(0, 1_000)), data.draw(st.integers(1, 60))
    window = Window(start, data.draw(st.integers(0, 1_000 - start)), 1_000)

    by_cell = cells(markers(*found), window, width)
    assert sum(cell.count for cell in by_cell.values()) == sum(window.holds(at) for at, _ in found)
    for at, kind in found:
        if (place := window.cell(at, width)) is not None:
            assert kind in by_cell[place].counts
    assert set(signs(by_cell, width)) == set(by_cell)
