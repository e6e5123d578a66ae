from __future__ import annotations

from itertools import pairwise

import pytest

from cabtrace.diagnose.critical_path import critical_path, shares
from cabtrace.model.span import SpanRecord
from tests.support.spans import BASE_NS, MS, span


def path(*spans: SpanRecord, end_ms: int = 100) -> list[tuple[str, int, int]]:
    sections = critical_path(spans, BASE_NS + end_ms * MS)
    return [(s.span.span_id, (s.start_ns - BASE_NS) // MS, (s.end_ns - BASE_NS) // MS) for s in sections]


def root(end_ms: int | None = 100) -> SpanRecord:
    return span("root", 0, end_ms, kind="cell")


CASES = {
    "alone": ([root()], [("root", 0, 100)]),
    "one after the other": (
        [root(), span("a", 10, 30, parent="root"), span("b", 40, 90, parent="root")],
        [("root", 0, 10), ("a", 10, 30), ("root", 30, 40), ("b", 40, 90), ("root", 90, 100)],
    ),
    "in parallel, the last to finish counts": (
        [root(), span("a", 10, 60, parent="root"), span("b", 20, 90, parent="root")],
        [("root", 0, 20), ("b", 20, 90), ("root", 90, 100)],
    ),
    "a child within a child": (
        [root(), span("a", 10, 90, parent="root"), span("b", 30, 50, parent="a")],
        [("root", 0, 10), ("a", 10, 30), ("b", 30, 50), ("a", 50, 90), ("root", 90, 100)],
    ),
    "a child beyond its parent is cut": (
        [root(), span("a", 10, 50, parent="root"), span("b", 30, 80, parent="a")],
        [("root", 0, 10), ("a", 10, 30), ("b", 30, 50), ("root", 50, 100)],
    ),
    "a child that starts after its parent is left out": (
        [root(50), span("a", 60, 80, parent="root")],
        [("root", 0, 50)],
    ),
    "a child before its parent is cut": (
        [root(), span("a", 20, 80, parent="root"), span("b", 10, 40, parent="a")],
        [("root", 0, 20), ("b", 20, 40), ("a", 40, 80), ("root", 80, 100)],
    ),
    "no length": ([root(), span("a", 10, 10, parent="root")], [("root", 0, 100)]),
    "never ended": ([root(None), span("a", 40, None, parent="root")], [("root", 0, 40), ("a", 40, 100)]),
    "its own parent": ([root(), span("a", 10, 20, parent="a")], [("root", 0, 100)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_path_is_that_of_the_last_to_finish(name: str) -> None:
    spans, expected = CASES[name]

    assert path(*spans) == expected


def test_the_sections_cover_the_root_without_gap_or_overlap() -> None:
    spans = [
        root(),
        *(span(f"s{n}", n * 7 % 90, n * 7 % 90 + 5 + n % 11, parent="root" if n % 3 else f"s{n - 1}") for n in range(1, 60)),
    ]
    sections = path(*sorted(spans, key=lambda s: s.start_ns))

    assert sections[0][1] == 0
    assert sections[-1][2] == 100
    assert all(a[2] == b[1] for a, b in pairwise(sections))


def test_a_circle_of_parents_does_not_hang() -> None:
    assert path(root(), span("a", 10, 20, parent="b"), span("b", 12, 18, parent="a")) == [("root", 0, 100)]


def test_shares_say_what_the_time_went_into() -> None:
    spans = [
        root(),
        span("launch", 10, 90, parent="root", kind="container"),
        span("c", 20, 50, parent="launch", kind="model_call"),
        span("t", 50, 80, parent="launch", kind="tool_call"),
    ]

    assert shares(critical_path(spans, BASE_NS)) == {"model": 0.3, "tools": 0.3, "harness": 0.2, "idle": 0.2}
    assert shares([]) == {}
