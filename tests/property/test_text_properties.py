"""Whatever the text: what `safe` makes can be shown, and making it safe twice changes nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cabtrace.text import safe
from tests.security.escapes_corpus import ESCAPES, harmful_characters

_ANY = st.text(st.characters(exclude_categories=()))
_HOSTILE = st.lists(st.one_of(st.sampled_from(sorted(ESCAPES.values())), _ANY, st.sampled_from("\r\n\t\u200d\u200c\x1b"))).map(
    "".join
)


@given(_HOSTILE, st.booleans(), st.integers(0, 60))
def test_nothing_harmful_is_left(text: str, newlines: bool, max_chars: int) -> None:
    shown = safe(text, newlines=newlines, max_chars=max_chars)

    assert harmful_characters(shown) == set()
    assert len(shown) <= max_chars
    assert newlines or not set(shown) & {"\n", "\t"}
    shown.encode("utf-8")


@given(_HOSTILE, st.booleans(), st.integers(0, 60))
def test_safe_twice_is_safe_once(text: str, newlines: bool, max_chars: int) -> None:
    shown = safe(text, newlines=newlines, max_chars=max_chars)

    assert safe(str(shown), newlines=newlines, max_chars=max_chars) == shown


@given(st.text(st.characters(categories=("L", "N", "P", "S"), max_codepoint=0x2FFF, exclude_characters="\u115f\u1160")))
def test_letters_and_signs_are_untouched(text: str) -> None:
    assert safe(text) == text
