"""Whatever the text: nothing clean changes, nothing known survives, and twice is once."""

from __future__ import annotations

import json
import random
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from cabtrace.redact import Redactor
from cabtrace.redaction.known import known_values
from cabtrace.redaction.scan import clean, paths, scan
from tests.security.secrets_corpus import benign_texts, fake_secrets

_PLAIN = st.text(st.characters(codec="utf-8", categories=("L", "Z", "P", "N"), exclude_characters=":=@"), max_size=200)
_ANY = st.text(st.characters(exclude_categories=()), max_size=200)
_KNOWN = st.text("abcdefgh0123456789ABCD-_.!/+", min_size=8, max_size=40).filter(lambda value: len(set(value)) > 3)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("xyz", max_size=6), inner, max_size=4),
    max_leaves=12,
)


def _split(text: str, seed: int) -> list[str]:
    rng = random.Random(seed)
    edges = [0, *sorted(rng.choices(range(len(text) + 1), k=rng.randrange(6))), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def _through_stream(redactor: Redactor, pieces: list[str]) -> list[tuple[int, str]]:
    running = redactor.stream()
    out = [piece for time_ns, text in enumerate(pieces) for piece in running.feed(time_ns, text)]
    return out + running.close()


@given(_ANY, st.integers(0, 1_000))
@example("\x1b[", 1)
@example("İsk-", 2)
def test_a_stream_gives_what_the_whole_text_gives(text: str, seed: int) -> None:
    r = Redactor(["pear-tree-garden"], paths={"/home/ann": "~"})
    out = _through_stream(r, _split(text, seed))

    assert "".join(piece for _, piece in out) == r.text(text)
    assert [time_ns for time_ns, _ in out] == sorted(time_ns for time_ns, _ in out)


@given(_PLAIN)
def test_plain_text_is_the_same_object(text: str) -> None:
    r = Redactor(["pear-tree-garden"])

    assert r.text(text) is text


@given(_ANY, _KNOWN, _ANY, st.integers(0, 1_000))
def test_no_known_value_survives(before: str, value: str, after: str, seed: int) -> None:
    r = Redactor([value])
    text = before + value + after

    assert value not in r.text(text)
    assert value not in "".join(piece for _, piece in _through_stream(r, _split(text, seed)))


@given(st.sampled_from(fake_secrets()), st.sampled_from(benign_texts(50)), st.sampled_from(benign_texts(50)))
def test_redacting_twice_changes_nothing(secret: object, before: str, after: str) -> None:
    r = Redactor()
    once = r.text(f"{before} {getattr(secret, 'carrier', '')} {after}")

    assert r.text(once) == once


@given(_JSON)
def test_a_clean_value_is_the_same_object(value: object) -> None:
    r = Redactor(["pear-tree-garden"])

    assert r.value(value) is value


@given(_JSON, _JSON, _KNOWN)
def test_no_known_value_survives_in_a_value(left: object, right: object, secret: str) -> None:
    r = Redactor([secret])
    value = {"left": left, f"k {secret}": [right, {"deep": (f"x{secret}y", left)}]}

    result = r.value(value)

    assert secret not in json.dumps(result, ensure_ascii=False)
    assert json.dumps(result).count("[redacted:known]") >= 2


@given(
    st.lists(
        st.one_of(
            _ANY, st.sampled_from([s.carrier for s in fake_secrets()]), st.sampled_from(["/home/ann", "\r\n", "pear-tree-"])
        )
    )
)
def test_the_quick_look_never_overlooks_what_the_scan_finds(parts: list[str]) -> None:
    text = "".join(parts)
    values = known_values({"pear-tree-garden": "known"})
    prefixes = paths({"/home/ann": "~"})

    assert not (clean(text, values, prefixes) and scan(text, values, prefixes, final=True).spans)
