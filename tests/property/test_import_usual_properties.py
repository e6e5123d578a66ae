"""The short way to spans and the careful one never differ, whatever a document holds."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.importers.usual import UsualDocuments
from cabtrace.otel.receiver.batch import MalformedError
from cabtrace.otel.trace_json import read_trace

_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 2**40, 2**70, 1.0, -0.0, float("nan"), "", "0", "x", "0" * 16, "0" * 32, "a1" * 8, "A1" * 16,
    "1_0", " 1", "١" * 16, "zz" * 8, [], {}, [{}], [[]], {"stringValue": 1}, {"stringValue": True}, {"intValue": "x"},
    {"kvlistValue": {"values": []}}, {"arrayValue": {}}, {"arrayValue": {"values": [{"stringValue": "a"}, {"arrayValue": {}}]}},
)  # fmt: skip
_NAMES = (
    "name", "kind", "flags", "traceState", "links", "events", "droppedLinksCount", "droppedAttributesCount", "attributes", "status",
    "code", "message", "spanId", "parentSpanId", "traceId", "startTimeUnixNano", "endTimeUnixNano", "timeUnixNano", "schemaUrl",
    "resource", "scope", "spans", "scopeSpans", "resourceSpans", "version", "key", "value", "stringValue", "data", "trace", "other",
)  # fmt: skip
_VALUES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries({"stringValue": st.text(max_size=5)}),
    st.fixed_dictionaries({"intValue": st.integers(-9, 9).map(str)}),
    st.fixed_dictionaries({"boolValue": st.booleans()}),
    st.just({}),
    st.lists(st.text(max_size=2).map(lambda t: {"stringValue": t}), max_size=2).map(lambda v: {"arrayValue": {"values": v}}),
)
_ATTRIBUTES = st.lists(st.fixed_dictionaries({"key": st.sampled_from(["a", "b", "é"]), "value": _VALUES}), max_size=3)
_TIMES = st.sampled_from(["1781663488314919000", "0", 1781663488314919000])
_SPANS = st.fixed_dictionaries(
    {"traceId": st.sampled_from(["1" * 32, "AB" * 16]), "spanId": st.sampled_from(["1" * 16, "cd" * 8])},
    optional={
        "parentSpanId": st.sampled_from(["", "2" * 16]), "name": st.text(max_size=3), "kind": st.integers(0, 5),
        "startTimeUnixNano": _TIMES, "endTimeUnixNano": _TIMES, "attributes": _ATTRIBUTES, "flags": st.integers(0, 300),
        "status": st.fixed_dictionaries({}, optional={"code": st.integers(0, 2), "message": st.text(max_size=3)}),
        "events": st.lists(st.fixed_dictionaries({"name": st.text(max_size=3), "timeUnixNano": _TIMES, "attributes": _ATTRIBUTES}), max_size=2),
    },
)  # fmt: skip
_DOCUMENTS = st.fixed_dictionaries(
    {"resourceSpans": st.lists(st.fixed_dictionaries(
        {"scopeSpans": st.lists(st.fixed_dictionaries(
            {"spans": st.lists(_SPANS, max_size=3)},
            optional={"scope": st.fixed_dictionaries({"name": st.text(max_size=3)}, optional={"attributes": _ATTRIBUTES})},
        ), max_size=2)},
        optional={"resource": st.fixed_dictionaries({"attributes": _ATTRIBUTES})},
    ), max_size=2)}
)  # fmt: skip


def _holders(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found = [value] if isinstance(value, dict | list) else []
    return found + [holder for item in inner for holder in _holders(item)]


def _damaged(document: Any, dice: random.Random, times: int) -> Any:
    """The document with a few of its parts left out, replaced or added."""
    document = copy.deepcopy(document)
    for _ in range(times):
        holder = dice.choice(_holders(document))
        odd = copy.deepcopy(dice.choice(_ODD))
        if isinstance(holder, list):
            holder.insert(dice.randrange(len(holder) + 1), odd)
        else:
            key = dice.choice([*holder, *holder, dice.choice(_NAMES)])
            holder[key] = odd
            if dice.random() < 0.2:
                del holder[key]
    return document


def _same(usual: UsualDocuments, document: Any) -> bool:
    """Whether the short way was taken; then the careful one gives the same."""
    found = usual.spans(document)
    if found is None:
        return False
    careful = read_trace(document)
    assert repr(found) == repr(careful.spans)  # unlike ==, tells 1 from true, and NaN is itself
    assert careful.rejected == 0
    return True


@given(_DOCUMENTS)
@settings(max_examples=150, deadline=None)
def test_what_exporters_write_goes_the_short_way(document: Any) -> None:
    assert _same(UsualDocuments(), document)


@given(st.lists(st.tuples(_DOCUMENTS, st.integers(0, 2**32), st.integers(1, 3)), min_size=1, max_size=4))
@settings(max_examples=300, deadline=None)
def test_damaged_documents_one_after_the_other_give_what_the_careful_way_gives(damaged: list[tuple[Any, int, int]]) -> None:
    usual = UsualDocuments()
    for document, seed, times in damaged:
        _same(usual, _damaged(document, random.Random(seed), times))


@given(st.integers(150, 400), st.sampled_from(["attributes", "status", "events", "links", "other"]))
@settings(max_examples=60, deadline=None)
def test_what_nests_too_deep_is_left_to_the_careful_way(levels: int, where: str) -> None:
    deep: Any = {}
    for _ in range(levels):
        deep = {"arrayValue": {"values": [deep]}}
    span = {"traceId": "1" * 32, "spanId": "1" * 16, where: [{"key": "a", "value": deep}]}
    document = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}

    assert UsualDocuments().spans(document) is None
    with pytest.raises(MalformedError, match="nests"):
        read_trace(document)
