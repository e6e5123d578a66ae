"""The map between instants of two runs: monotone, exact at its anchors, the same there and back."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from replay.compare import InstantMap, longest_chain

INSTANTS = st.integers(-5, 2_000)
AXES = st.integers(0, 1_500)
ANCHORS = st.lists(st.tuples(INSTANTS, INSTANTS), max_size=30)


@given(ANCHORS, AXES, AXES, st.lists(INSTANTS, min_size=2, max_size=20))
def test_neither_direction_goes_back_and_both_stay_on_their_axis(anchors, left, right, instants):
    instants.sort()
    between = InstantMap(anchors, left, right)
    for across, length in ((between.to_right, right), (between.to_left, left)):
        found = [across(instant) for instant in instants]
        assert found == sorted(found)
        assert all(0 <= offset <= length for offset in found)


@given(ANCHORS, AXES, AXES)
def test_ends_belong_to_ends(anchors, left, right):
    between = InstantMap(anchors, left, right)
    assert (between.to_right(0), between.to_left(0)) == (0, 0)
    assert left == 0 or between.to_right(left + 1) == right
    assert right == 0 or between.to_left(right + 1) == left


@given(ANCHORS, AXES, AXES)
def test_instants_that_belong_together_map_to_each_other(anchors, left, right):
    """Where each is on one anchor only: an instant with several partners maps to the first."""
    between = InstantMap(anchors, left, right)
    chain = longest_chain(sorted({(a, b) for a, b in anchors if 0 <= a <= left and 0 <= b <= right}))
    for a, b in chain:
        if sum(x == a for x, _ in chain) == 1 and a not in (0, left):
            assert between.to_right(a) == b
        if sum(y == b for _, y in chain) == 1 and b not in (0, right):
            assert between.to_left(b) == a


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), max_size=12), st.integers(0, 10_000))
def test_there_and_back_is_where_it_was_up_to_the_rounding(steps, instant):
    anchors, a, b = [], 0, 0
    for da, db in steps:
        a, b = a + da, b + db
        anchors.append((a, b))
    between = InstantMap(anchors, a, b)
    instant = min(instant, a)
    steepest = max((-(-da // db) for da, db in steps), default=0)
    assert abs(between.to_left(between.to_right(instant)) - instant) <= steepest


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=9, unique=True))
def test_the_chain_is_a_longest_one(anchors):
    anchors.sort()
    found = longest_chain(anchors)
    best = 0
    for choice in range(1 << len(anchors)):
        kept = [anchor for i, anchor in enumerate(anchors) if choice >> i & 1]
        if all(x[1] <= y[1] for x, y in itertools.pairwise(kept)):
            best = max(best, len(kept))
    assert len(found) == best
    assert [b for _, b in found] == sorted(b for _, b in found)


def test_a_run_that_stood_still_maps_to_the_one_instant():
    between = InstantMap([(10, 100), (50, 100)], 60, 110)
    assert [between.to_right(a) for a in (5, 10, 30, 50, 55)] == [50, 100, 100, 100, 105]
    assert [between.to_left(b) for b in (50, 100, 105)] == [5, 10, 55]
