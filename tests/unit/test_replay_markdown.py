"""Markdown as toned lines: nothing is lost but its signs, nothing is run, and nothing takes long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.text import SafeText
from replay.document import Line, Tone
from replay.markdown import markdown_lines

TEXT = """# Plan ##

Some **bold**, *slanted* and `code`.

- one
  - [two](javascript:alert(1))
1. first

> said

```py
x = **1**  # [bold]
```
---
snake_case_name and 2*3*4
"""


def shown(text: str) -> list[str]:
    return [row.text for row in markdown_lines(text, max_chars=64_000)]


def tones(row: Line) -> list[tuple[str, Tone]]:
    return [(text, tone) for text, tone in row.pieces if text]


def test_blocks_and_emphasis_are_told_by_tones():
    rows = list(markdown_lines(TEXT, max_chars=64_000))
    assert tones(rows[0]) == [("Plan", Tone.HEAD)]
    assert tones(rows[2]) == [
        ("Some ", Tone.TEXT),
        ("bold", Tone.STRONG),
        (", ", Tone.TEXT),
        ("slanted", Tone.KEY),
        (" and ", Tone.TEXT),
        ("code", Tone.TOOL),
        (".", Tone.TEXT),
    ]
    assert [row.text for row in rows[4:]] == [
        "• one",
        "  • two (javascript:alert(1))",
        "1. first",
        "",
        "▌ said",
        "",
        "│ py",
        "│ x = **1**  # [bold]",
        "─" * 24,
        "snake_case_name and 2*3*4",
        "",
    ]


def test_a_fence_that_is_never_closed_lasts_to_the_end():
    assert shown("~~~\n# no heading\n```\n~~~\n# heading") == ["│ # no heading", "│ ```", "heading"]
    assert shown("```\n# a\n# b") == ["│ # a", "│ # b"]


def test_it_is_indented_and_cut_like_any_text():
    rows = list(markdown_lines("- a", max_chars=10, indent=4))
    assert (rows[0].text, rows[0].indent) == ("    • a", 6)
    assert "chars]" in shown_cut("word " * 100)


def shown_cut(text: str) -> str:
    return "".join(row.text for row in markdown_lines(text, max_chars=40))


@given(st.text(alphabet="ab*_`[]()!#>-+1. \t\n~\\\x1b\u202e", max_size=300))
def test_anything_is_shown_safely_and_letters_stay(text: str):
    rows = list(markdown_lines(text, max_chars=64_000))
    assert all(isinstance(piece, SafeText) for row in rows for piece, _ in row.pieces)
    assert all("\n" not in row.text and "\x1b" not in row.text for row in rows)
    said = "".join(row.text for row in rows)
    assert [c for c in said if c in "ab"] == [c for c in text if c in "ab"]


@pytest.mark.parametrize(
    "text",
    [
        "*a" * 30_000,
        "[" * 60_000,
        "_ " * 30_000,
        "# a" + " " * 60_000 + "x",
        "[a](" * 15_000,
        "- - " * 15_000 + "x",
        "**a" * 20_000,
    ],
    ids=["stars", "brackets", "underscores", "blanks", "links", "rules", "open"],
)
def test_what_is_meant_to_take_long_comes_out_whole(text: str):
    """Parts are bounded: were they not, these would take minutes."""
    assert sum(len(row.text) for row in markdown_lines(text, max_chars=64_000)) >= 20_000
