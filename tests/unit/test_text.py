"""SafeText: what may be shown, and who may make it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from cabtrace.text import SafeText, join, lines, safe
from tests.security.escapes_corpus import ESCAPES, MARKUP, harmful_characters


@pytest.mark.parametrize("name", ESCAPES)
@pytest.mark.parametrize("newlines", [True, False])
def test_no_escape_sequence_survives(name: str, newlines: bool) -> None:
    shown = safe(f"before {ESCAPES[name]} after", newlines=newlines)

    assert harmful_characters(shown) == set()
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert safe(shown, newlines=newlines) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize("name", MARKUP)
def test_markup_is_left_as_it_is(name: str) -> None:
    assert safe(MARKUP[name]) == MARKUP[name]


def test_every_format_character_is_replaced_but_those_that_scripts_are_written_with() -> None:
    arabic_and_indic_marks = {
        0x600,
        0x601,
        0x602,
        0x603,
        0x604,
        0x605,
        0x6DD,
        0x70F,
        0x890,
        0x891,
        0x8E2,
        0x110BD,
        0x110CD,
    }
    joiners = {0x200C, 0x200D}
    kept = {
        code
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in {"Cf", "Cc", "Cs", "Zl", "Zp"} and safe(f"é{chr(code)}é")[1] == chr(code)
    }

    assert kept <= arabic_and_indic_marks | joiners | {0x09, 0x0A}


def test_joiners_are_kept_where_they_join_and_replaced_where_they_hide() -> None:
    family = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"

    assert safe(family) == family
    assert "\u200d" not in safe("ro\u200dot")
    assert "\u200c" not in safe("root\u200c")


def test_newlines_and_tabs_are_kept_or_made_one_line() -> None:
    assert safe("a\n\tb\r\nc") == "a\n\tb\nc"
    assert safe("a\n\tb\r\nc", newlines=False) == "a⏎ b⏎c"
    assert safe("a\rb") == "a␍b"


def test_long_text_is_cut_and_says_so() -> None:
    shown = safe("x" * 1_000, max_chars=50)

    assert len(shown) <= 50
    kept = shown.index("…")
    assert shown == "x" * kept + f"…[+{1_000 - kept} chars]"
    assert safe(shown, max_chars=50) == shown
    assert safe("xyz", max_chars=1) == "…"
    assert safe("xyz", max_chars=0) == ""


def test_anything_can_be_shown() -> None:
    assert safe(None) == "None"
    assert safe(b"a\xff\x1b") == "a\N{REPLACEMENT CHARACTER}␛"
    assert safe(2**70) == str(2**70)
    assert "too long" in safe(10**5_000)


def test_what_is_made_of_safe_texts_is_safe_and_nothing_else_is() -> None:
    a, b = safe("a"), safe("b")

    assert type(a + b) is SafeText
    assert type(a[:1]) is SafeText
    assert type(a[0]) is SafeText
    assert type(join(a, [b, b])) is SafeText
    assert join(a, [b, b]) == "bab"
    assert lines(safe("a\nb\n")) == ["a", "b", ""]
    assert type(a + "\x1b") is str
    assert type("\x1b" + a) is str
    assert type(f"{a}") is str
    with pytest.raises(TypeError, match="safe"):
        SafeText("\x1b")  # type: ignore[arg-type]  # that mypy objects is the point


def test_copies_and_pickles_stay_safe() -> None:
    text = safe("a\x1bb")

    assert copy.deepcopy(text) is text
    again = pickle.loads(pickle.dumps(text))  # our own bytes
    assert again == text
    assert type(again) is SafeText


def test_mypy_rejects_a_plain_string_where_safe_text_is_wanted(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    source = tmp_path / "sample.py"
    source.write_text(
        "from cabtrace.text import SafeText, safe\n"
        "def show(text: SafeText) -> None: ...\n"
        "show(safe('x'))\n"
        "show(safe('x') + safe('y'))\n"
        "show(safe('x')[1:])\n"
        "show('x')\n"
        "show(safe('x') + 'y')\n"
        "show(f\"{safe('x')}\")\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", f"--cache-dir={tmp_path / 'cache'}", str(source)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # our own command

    complaints = [line for line in result.stdout.splitlines() if ": error:" in line]
    assert [int(line.split(":")[-3]) for line in complaints] == [6, 7, 8], result.stdout
    assert all('expected "SafeText"' in line for line in complaints)
