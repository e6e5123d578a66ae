"""The quick looks never change what redaction finds: held against the scan of each text, and against each string by itself."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cabtrace.model.span import SpanEvent, SpanLink, SpanRecord
from cabtrace.otel.cleaning import RecordCleaner
from cabtrace.redact import Redactor
from cabtrace.redaction.scan import clean, long_runs, paths
from cabtrace.redaction.structure import redact_value
from cabtrace.redaction.vendors import formats, maybe
from cabtrace.redaction.views import squeezed
from tests.security.secrets_corpus import benign_texts, fake_secrets, known_values

SECRETS = fake_secrets()
KNOWN = {**known_values(SECRETS), "spaced": "pear tree garden", "word": "correct-horse-battery"}
_CONTROLS = "\x00\x07\x0b\x1b\x1c\x7f\x85\x9b\xa0 \t\r\n│┃|İK"
_WORDS = (
    "key", "token", "secret", "password", "pwd", "passphrase", "credentials", "api_key", "authorization", "cookie", "bearer", "Basic",
    "--", "--token", ":", "=", ":=", " ", "\t", "\n", '"', "'", "\\", "://", "@", "_PROD", "_2", "hunter22", "Ab1Ab1Ab1Ab1Ab1Ab1",
    "sid=abcdef12", "ann:pa55word@", "-----BEGIN ", "RSA PRIVATE KEY-----", "sk-", "SG.", "ya29.", "a" * 16, "[redacted:x]", "/home/ann",
)  # fmt: skip
_CARRIERS = tuple(s.carrier for s in SECRETS)
_PIECES = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(_CARRIERS + tuple(KNOWN.values())),
    st.sampled_from(benign_texts(60)),
    st.text(_CONTROLS, max_size=3),
    st.tuples(st.sampled_from(_CARRIERS), st.integers(0, 40), st.text(_CONTROLS, max_size=2)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :]
    ),
    st.text(max_size=6),
)
_TEXTS = st.lists(_PIECES, max_size=7).map("".join)
_KEYS = st.sampled_from(
    ["content", "name", "key", "value", "stringValue", "password", "api_key", "token", "session_key", "a b", "x"]
) | st.text(max_size=3)
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=3) | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(st.sampled_from(["authorization", "password", "token", "x"]), inner)
        | st.dictionaries(_KEYS, inner, max_size=3)
    ),
    max_leaves=6,
)


def redactor() -> Redactor:
    return Redactor(KNOWN, paths={"/home/ann": "~"})


def looked_through(r: Redactor, text: str) -> str:
    """What the scan alone makes of a text."""
    pieces, last = [], 0
    for span in r.find(text, final=True).spans:
        pieces += [text[last : span.start], r.replacement(span)]
        last = span.end
    return "".join([*pieces, text[last:]])


@given(_TEXTS)
@example("--password\thunter22")
@example("pear\ttree\tgarden")
@example("correct-\x00horse-battery")
@settings(max_examples=500, deadline=None)
def test_a_text_is_what_the_scan_makes_of_it(text: str) -> None:
    quick, slow = redactor(), redactor()

    assert quick.text(text) == looked_through(slow, text)
    assert quick.counts == slow.counts


@given(_TEXTS, _TEXTS, st.sampled_from(["", " ", "\n", "\x00"]))
@settings(max_examples=300, deadline=None)
def test_a_clean_whole_has_clean_parts(left: str, right: str, between: str) -> None:
    r = redactor()
    prefixes = paths({"/home/ann": "~"})

    if clean(left + between + right, r.known, prefixes):
        assert clean(left, r.known, prefixes)
        assert clean(right, r.known, prefixes)


@given(st.lists(_VALUES, min_size=1, max_size=3))
@settings(max_examples=400, deadline=None)
def test_a_value_is_what_looking_at_each_string_makes_of_it(values: list[Any]) -> None:
    quick, slow = redactor(), redactor()
    for value in values:
        assert repr(quick.value(value)) == repr(redact_value(slow, value))
        assert quick.counts == slow.counts


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_format_of_a_vendor_stands_where_the_quick_look_looks(data: st.DataObject) -> None:
    literal = data.draw(st.sampled_from(sorted(formats().rules)))
    _, pattern = data.draw(st.sampled_from(formats().rules[literal]))
    key = data.draw(st.from_regex(re.compile(pattern.pattern, re.ASCII), fullmatch=True))

    assert maybe(long_runs(data.draw(st.sampled_from(["", "é", "say ", "x=", "\\n"])) + key))


@given(st.text(st.characters(exclude_categories=())) | st.text(_CONTROLS + "ab"))
def test_what_is_squeezed_out_of_ascii_is_what_is_squeezed_out_of_any_text(text: str) -> None:
    assert squeezed(text) == squeezed(text + "é").removesuffix("é")


@given(st.lists(st.tuples(_TEXTS, _VALUES, _VALUES, st.dictionaries(_KEYS, _VALUES, max_size=2)), min_size=1, max_size=3))
@settings(max_examples=200, deadline=None)
def test_a_span_is_cleaned_as_its_parts_are(parts: list[tuple[str, Any, Any, dict[str, Any]]]) -> None:
    quick, slow = redactor(), redactor()
    cleaner = RecordCleaner(quick)
    for text, left, right, attributes in parts:
        resource = {"host": left}
        span = SpanRecord("1" * 32, "2" * 16, None, text, 1, 2, attributes=attributes, status_message=text, resource=resource,
                          events=(SpanEvent(text, 1, {"e": left}),), links=(SpanLink("1" * 32, "3" * 16, {"l": right}),))  # fmt: skip
        cleaner.begin_batch()
        found = cleaner.span(span)

        assert found.name == found.status_message == found.events[0].name == slow.text(text)
        assert repr(found.attributes) == repr(redact_value(slow, attributes))
        assert repr(found.events[0].attributes) == repr(redact_value(slow, {"e": left}))
        assert repr(found.links[0].attributes) == repr(redact_value(slow, {"l": right}))
        assert repr(found.resource) == repr(redact_value(slow, resource))
