from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cabtrace.diagnose.diff.align import align

WORDS = st.lists(st.sampled_from("abcdef"), max_size=30)


def longest(left: list[str], right: list[str]) -> int:
    row = [0] * (len(right) + 1)
    for item in left:
        before = row[:]
        for place, other in enumerate(right, 1):
            row[place] = before[place - 1] + 1 if item == other else max(before[place], row[place - 1])
    return row[-1]


@given(WORDS, WORDS)
def test_pairs_are_equal_and_in_order(left: list[str], right: list[str]) -> None:
    pairs = align(left, right)

    assert all(left[i] == right[j] for i, j in pairs)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(pairs))


@given(WORDS)
def test_equal_sequences_are_matched_whole(items: list[str]) -> None:
    assert align(items, list(items)) == [(n, n) for n in range(len(items))]


@given(WORDS, WORDS)
def test_short_sequences_are_aligned_as_well_as_can_be(left: list[str], right: list[str]) -> None:
    assert len(align(left, right)) == longest(left, right)


def test_long_sequences_are_divided_by_what_occurs_once() -> None:
    left = [f"step {n}" for n in range(3_000)]
    right = [*left[1_000:2_000], *left[:1_000], *left[2_000:2_999], "other end"]

    assert len(align(left, right)) == 1_999


def test_an_insertion_and_a_removal_are_found() -> None:
    left = [f"step {n}" for n in range(50)]
    right = [*left[:10], "new", *left[10:30], *left[31:]]

    pairs = align(left, right)

    assert len(pairs) == 49
    assert 30 not in {i for i, _ in pairs}
    assert 10 not in {j for _, j in pairs}


def test_long_sequences_without_order_are_done_with_bounded_cost() -> None:
    chance = random.Random(7)
    left, right = ([chance.choice("abcdefgh") for _ in range(20_000)] for _ in range(2))

    pairs = align(left, right)

    assert len(pairs) > 2_000
    assert all(left[i] == right[j] for i, j in pairs)


def test_repeats_with_one_change_in_the_middle() -> None:
    left = ["chat", "tool"] * 5_000
    right = [*left[:5_001], "other", *left[5_001:]]

    assert len(align(left, right)) == 10_000
