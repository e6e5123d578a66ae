"""Where the words of a search stand in pieces, wrapped lines, documents and rows of a screen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.protocols import Run
from replay.document import Line, Tone, line, words, wrap
from replay.finding import Sought, line_of, mark, mark_runs, row_of, row_spans, sought
from replay.search import Hit, Results, Where


def seek(query: str, excerpt: str = "", nth: int = 0) -> Sought:
    results = Results(query, tuple(Hit(5, 0, Where.MESSAGE, excerpt) for _ in range(nth + 1)))
    found = sought(results, nth)
    assert found is not None
    return found


def marked(source: Line, found: Sought) -> list[str]:
    pieces = mark(source.pieces, found.spans(source.text), Tone.HERE)
    assert "".join(text for text, _ in pieces) == source.text
    return [text for text, tone in pieces if tone is Tone.HERE]


def test_words_are_marked_across_pieces_whatever_their_case():
    source = line(words("a Value", Tone.KEY), words("Error and value"), words("ERROR", Tone.BAD))
    assert marked(source, seek("valueerror")) == ["Value", "Error", "value", "ERROR"]
    assert mark(source.pieces, [], Tone.HERE) == list(source.pieces)


@given(st.lists(st.text("ab ", max_size=6), max_size=5), st.text("ab", min_size=1, max_size=3))
def test_what_is_marked_is_what_was_found(parts: list[str], query: str):
    source, found = line(*(words(part) for part in parts)), seek(query)
    assert "".join(marked(source, found)) == "".join(query for _ in found.spans(source.text))


@given(st.lists(st.sampled_from(["needle", "hay", "stack", "nee", "dle"]), min_size=1, max_size=30), st.integers(8, 40))
def test_a_wrapped_line_has_its_words_marked_on_its_rows(texts: list[str], width: int):
    source = Line(line(words(" ".join(texts))).pieces, indent=3)
    rows = [row.text for row in wrap(source, width)]
    spans = row_spans(source.text, rows, seek("needle").spans(source.text))
    shown = "".join(row[first:last] for row, found in zip(rows, spans, strict=True) for first, last in found)
    assert shown == "needle" * texts.count("needle")


def test_words_that_a_row_breaks_are_marked_on_both_rows():
    source = line(words("x" * 10 + "needle" + "y" * 10))
    rows = [row.text for row in wrap(source, 13)]
    assert [[row[a:b] for a, b in spans] for row, spans in zip(rows, row_spans(source.text, rows, [(10, 16)]), strict=True)] == [
        ["nee"],
        ["dle"],
    ]


LINES = [line(words(text)) for text in ("error", "  an error here", "key     the error value", "  an error here", "none")]


@pytest.mark.parametrize(
    ("query", "excerpt", "nth", "place"),
    [
        ("error", "an error here", 0, 1),
        ("error", "an error here", 1, 3),
        ("error", "an error here", 7, 3),
        ("error", "key = the error value", 0, 2),
        ("error", "of another error", 0, 0),
        ("absent", "absent", 0, None),
    ],
)
def test_the_line_of_a_hit(query: str, excerpt: str, nth: int, place: int | None):
    assert line_of(LINES, seek(query, excerpt, nth)) == place


def test_the_row_of_a_hit_is_the_lowest_that_looks_so():
    rows = [[Run("an er"), Run("ror here", bold=True)], [Run("an error here")], [Run("the error")], []]
    assert row_of(rows, seek("error", "an error here")) == (1, (3, 8))
    assert row_of(rows, seek("error", "of another error")) == (2, (4, 9))
    assert row_of(rows, seek("absent")) is None
    assert row_of(rows, seek("error").words_only()) is None
    assert [(run.text, run.bold, found) for run, found in mark_runs(rows[0], [(3, 8)])] == [
        ("an ", False, False),
        ("er", False, True),
        ("ror", True, True),
        (" here", True, False),
    ]


def test_a_hit_that_looks_like_one_before_it_at_that_instant_is_told_apart():
    hit, other = Hit(5, 0, Where.MESSAGE, "same"), Hit(5, 0, Where.LOG, "same")
    results = Results("same", (Hit(4, 0, Where.MESSAGE, "same"), hit, other, hit))
    found = [sought(results, place) for place in range(4)]
    assert [one and one.nth for one in found] == [0, 0, 0, 1]
    assert sought(None, None) is None
    assert sought(Results(""), None) is None
    assert sought(results, None) == found[0].words_only()
