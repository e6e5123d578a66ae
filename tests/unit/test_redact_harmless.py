"""The quick look at structured data: what it remembers is bounded, and forgotten where a new secret is learnt."""

from __future__ import annotations

import pytest

from cabtrace.importers.survey import Survey
from cabtrace.model import semconv as sc
from cabtrace.model.span import AttributeValue, SpanRecord
from cabtrace.redact import Redactor
from cabtrace.redaction import harmless
from cabtrace.redaction.harmless import Harmless


def test_a_key_that_was_harmless_is_looked_at_again_once_a_secret_is_known() -> None:
    r = Redactor()
    value = {"pear-tree-garden": "x"}
    assert r.value(value) is value

    r.add("pear-tree-garden")

    assert r.value(value) == {"[redacted:known]": "x"}


def test_no_more_keys_are_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harmless, "_MOST_KEYS", 3)
    looked: list[str] = []

    def clean(text: str) -> bool:
        looked.append(text)
        return True

    quick = Harmless(clean)
    assert all(quick.all({f"name{number}": 1}) for number in range(8))
    assert len(quick._keys) <= 3
    long = "n" * 200
    assert not quick.all({long: 1})  # left to the careful way, and not kept
    assert long not in looked


@pytest.mark.parametrize(
    "value",
    [{"password": 1}, {"value": "x"}, {"stringValue": "x"}, ["authorization", "x"], ("token", "x"), {1: "x"}, object()],
    ids=["secret-name", "pair", "otlp", "header", "weak-header", "number-as-key", "object"],
)
def test_what_is_not_plain_is_left_to_the_careful_way(value: object) -> None:
    assert not Harmless(lambda _: True).all(value)


def test_a_value_that_is_nested_very_deep_is_left_to_the_careful_way() -> None:
    deep: object = "x"
    for _ in range(150):
        deep = [deep]

    assert not Harmless(lambda _: True).all(deep)


def _call(number: int, **attributes: int) -> SpanRecord:
    said: dict[str, AttributeValue] = {
        sc.SPAN_KIND: "model_call",
        **{key.replace("__", "."): value for key, value in attributes.items()},
    }
    return SpanRecord("1" * 32, f"{number:016x}", None, "chat", 1, 2, attributes=said)


def test_tokens_of_a_trace_are_added_up_or_unknown() -> None:
    survey = Survey("1" * 32)
    survey.add(_call(1, gen_ai__usage__input_tokens=5, gen_ai__usage__output_tokens=2))
    survey.add(_call(2, http__response__status_code=429))
    assert survey.tokens.values() == {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7, "model_calls": 2}

    survey.add(_call(3, gen_ai__usage__input_tokens=5))
    assert survey.tokens.values() == {"prompt_tokens": None, "completion_tokens": None, "total_tokens": None, "model_calls": 3}
    assert Survey("1" * 32).tokens.values() == {}
