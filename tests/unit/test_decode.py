"""Plain JSON values to dataclasses: what fits, what does not and where, and the same there and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cabtrace.model.decode import DecodeError, decode
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, Clock, Imported, RunHeader, TaskInfo


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Inner:
    number: int = field(metadata={"ge": 1, "lt": 10})


@dataclass(frozen=True, slots=True)
class Outer:
    name: str
    inner: Inner
    kind: Literal["a", "b"] = "a"
    colour: Colour | None = None
    share: float | None = field(default=None, metadata={"ge": 0, "le": 1})
    yes: bool = False
    words: tuple[str, ...] = ()
    inners: tuple[Inner, ...] = ()
    table: dict[str, dict[str, Any]] = field(default_factory=dict)


SMALL: dict[str, Any] = {"name": "n", "inner": {"number": 3}}


def test_what_is_left_out_has_its_default_and_what_is_unknown_is_left_out():
    assert decode(Outer, {**SMALL, "later": [1]}) == Outer("n", Inner(3))


def test_every_kind_of_field_is_made_what_its_type_says():
    given_values = {
        **SMALL,
        "kind": "b",
        "colour": "blue",
        "share": 1,
        "yes": True,
        "words": ["x", "y"],
        "inners": [{"number": 1}],
        "table": {"axis": {"value": [1, None]}},
    }
    made = decode(Outer, given_values)
    assert made == Outer("n", Inner(3), "b", Colour.BLUE, 1.0, True, ("x", "y"), (Inner(1),), {"axis": {"value": [1, None]}})
    assert type(made.share) is float


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": 1}, "name: is not a string"),
        ({"name": None}, "name: is not a string"),
        ({"inner": []}, "inner: is not an object"),
        ({"inner": {}}, "inner.number: is missing"),
        ({"inner": {"number": True}}, "inner.number: is not a whole number"),
        ({"inner": {"number": 1.0}}, "inner.number: is not a whole number"),
        ({"inner": {"number": 0}}, "inner.number: is less than 1"),
        ({"inner": {"number": 10}}, "inner.number: is too large"),
        ({"kind": "c"}, "kind: is none of a, b"),
        ({"kind": ["a"]}, "kind: is none of a, b"),
        ({"colour": "green"}, "colour: is none of red, blue"),
        ({"share": "1"}, "share: is not a number"),
        ({"share": float("nan")}, "share: is less than 0"),
        ({"yes": 1}, "yes: is not true or false"),
        ({"words": "xy"}, "words: is not a list"),
        ({"words": ["x", 2]}, "words.1: is not a string"),
        ({"inners": [{"number": 1}, {"number": 11}]}, "inners.1.number: is too large"),
        ({"table": {"axis": 1}}, "table.axis: is not an object"),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "with",
)
def test_what_does_not_fit_is_said_with_its_place(changes: dict[str, Any], sentence: str):
    with pytest.raises(DecodeError) as caught:
        decode(Outer, {**SMALL, **changes})
    assert str(caught.value) == sentence


@pytest.mark.parametrize("value", [None, 1, "x", [], True])
def test_only_an_object_is_an_object(value: object):
    with pytest.raises(DecodeError, match="is not an object"):
        decode(Outer, value)


_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_headers = st.builds(
    RunHeader,
    run_id=_text,
    cell_id=_text,
    sweep_id=_text,
    task=st.builds(TaskInfo, id=_text, expected_changes=st.lists(_text, max_size=3).map(tuple)),
    agent=st.builds(AgentInfo, name=_text, argv=st.lists(_text, max_size=3).map(tuple)),
    model=_text,
    started_at=_text,
    clock=st.builds(Clock, wall_ns=st.integers(0, 2**63 - 1), monotonic_ns=st.integers(-(2**53), 2**53)),
    verdict=st.none() | st.sampled_from(Verdict),
    cause=st.none() | st.sampled_from(Cause),
    duration_s=st.none() | st.floats(0, 1e9),
    imported=st.none() | st.builds(Imported, kind=_text, where=_text, imported_at=_text, attempt=st.none() | st.integers(0, 99)),
    scores=st.dictionaries(_text, st.dictionaries(_text, st.none() | st.integers(-9, 9) | _text, max_size=2), max_size=2),
)


@given(_headers)
def test_a_header_is_the_same_after_a_file(header: RunHeader):
    assert decode(RunHeader, orjson.loads(orjson.dumps(header))) == header
    assert decode(RunHeader, asdict(header)) == header


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(RunHeader.__dataclass_fields__)), _json))
def test_no_json_of_another_shape_is_a_header(value: dict[str, object]):
    value.pop("clock", None)
    with pytest.raises(DecodeError) as caught:
        decode(RunHeader, value)
    assert caught.value.where
