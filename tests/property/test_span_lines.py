"""The fast way of reading spans gives what the plain way gives, whatever a line holds; and lines come out of any block size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cabtrace.model.otlp import decode_value, span_to_otlp, spans_from_line
from cabtrace.model.span import SpanEvent, SpanLink, SpanRecord, SpanState, new_span
from cabtrace.store.lines import LineFile, nests_deeper
from cabtrace.store.span_lines import SpanLines

RAISED = (ValueError, KeyError, TypeError, AttributeError)
texts = st.text(max_size=12) | st.sampled_from(['"spans":[', "]}]}]}", "spans", "]}", "\\", '"'])
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False), texts)
json_values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(texts, v, max_size=3), max_leaves=6)
any_values = st.one_of(
    st.builds(lambda t: {"stringValue": t}, texts | scalars),
    st.builds(lambda n: {"intValue": n}, st.sampled_from(["1", "-7", "x", "", "1_0", 5, None, [1]])),
    st.builds(lambda n: {"doubleValue": n}, st.sampled_from([1.5, "NaN", "x", None])),
    st.just({"intValue": "1", "stringValue": "two"}),
    st.just({"arrayValue": {"values": [{"stringValue": "a"}, {"kvlistValue": {"values": [{"key": "k", "value": {}}]}}]}}),
    json_values,
)
key_values = st.lists(st.builds(lambda k, v: {"key": k, "value": v}, texts | scalars, any_values) | json_values, max_size=4)
spans = st.fixed_dictionaries(
    {"traceId": st.sampled_from(["0A" * 16, 5, None]), "spanId": st.sampled_from(["0b" * 8, "", 7])},
    optional={
        "parentSpanId": st.sampled_from(["0C" * 8, "", None, 0]),
        "name": texts | scalars,
        "kind": st.sampled_from([0, 1, "2", None, "x", []]),
        "startTimeUnixNano": st.sampled_from(["1795369130957430307", "", "x", 12, None, 1.5]),
        "endTimeUnixNano": st.sampled_from(["1795369130957430308", "0", 0, "", "x", None]),
        "status": st.sampled_from([{}, {"code": 2, "message": "m"}, {"code": "x"}, None, [], [1], "s"]),
        "flags": st.sampled_from([0, 257, "1", None, "x"]),
        "traceState": texts | scalars,
        "attributes": key_values | scalars,
        "events": st.lists(st.fixed_dictionaries({}, optional={"name": texts, "timeUnixNano": scalars, "attributes": key_values}) | scalars, max_size=2) | scalars,
        "links": st.lists(st.fixed_dictionaries({}, optional={"traceId": texts, "attributes": key_values}) | scalars, max_size=2) | scalars,
        "droppedEventsCount": scalars,
    },
)  # fmt: skip
resources = st.sampled_from(
    [{}, None, [], "x", {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]}, {"attributes": {"a": 1}}]
)
scopes = st.sampled_from([{}, None, {"name": "n", "version": 3}, {"name": '"spans":[', "version": "]}]}]}"}, [], [1], "x"])


def plainly(line: bytes) -> list[SpanRecord] | str:
    try:
        data = orjson.loads(line)
        return "bad" if nests_deeper(data, 128) else spans_from_line(data)
    except RAISED:
        return "bad"


def fast(reader: SpanLines, line: bytes) -> list[SpanRecord] | str:
    try:
        return reader.decode(line)
    except RAISED:
        return "bad"


def line_of(resource: object, scope: object, found: object) -> bytes:
    return orjson.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": found}]}]})


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(resource=resources, scope=scopes, found=st.lists(spans | scalars, max_size=3))
def test_any_span_reads_the_same(resource: object, scope: object, found: list[object]) -> None:
    reader, line = SpanLines(), line_of(resource, scope, found)

    assert repr(fast(reader, line)) == repr(plainly(line))
    assert repr(fast(reader, line)) == repr(plainly(line))  # now that its beginning is known


GOOD = span_to_otlp(SpanRecord("1" * 32, "2" * 16, None, "n", 1, 2, attributes={"a": "b"}))
BEGINNING, SPAN, CLOSES = line_of({}, {"name": "s"}, []).removesuffix(b"]}]}]}"), orjson.dumps(GOOD), b"]}]}]}"
HOSTILE = {
    "a list that is not the spans": b'{"resourceSpans":[{"scopeSpans":[{"x":1,"spans":[],"y":{"spans":[' + SPAN + b"]}]}]}",
    "two lists of spans, the other counts": b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + SPAN + b'],"spans":[]}]}]}',
    "the name of the list as another's end": b'{"resourceSpans":[{"scopeSpans":[{"a\\"spans":[' + SPAN + b"]}]}]}",
    "in another place": b'{"x":[{"y":[{"spans":[' + SPAN + b"]}]}]}",
    "closed and opened again": BEGINNING + SPAN + b']}]}],"x":[{"y":[{"z":[' + SPAN + CLOSES,
    "two resources": BEGINNING + SPAN + b"]}]},{" + BEGINNING.removeprefix(b'{"resourceSpans":[{') + SPAN + CLOSES,
    "a span torn in two": BEGINNING + SPAN[:-3] + CLOSES,
    "a bracket too many": BEGINNING + SPAN + b"]" + CLOSES,
    "nothing between": BEGINNING + CLOSES,
    "a comma only": BEGINNING + b"," + CLOSES,
    "no list at all": BEGINNING.removesuffix(b"["),
    "empty": b"",
    "not text": BEGINNING + b'{"name":"\xff"}' + CLOSES,
    "deep": BEGINNING + SPAN[:-1] + b',"x":' + b"[" * 200 + b"]" * 200 + b"}" + CLOSES,
    "deep before": b'{"x":' + b"[" * 200 + b"]" * 200 + b"," + BEGINNING[1:] + SPAN + CLOSES,
    "just not too deep": BEGINNING + SPAN[:-1] + b',"x":' + b"[" * 121 + b"]" * 121 + b"}" + CLOSES,
    "just too deep": BEGINNING + SPAN[:-1] + b',"x":' + b"[" * 122 + b"]" * 122 + b"}" + CLOSES,
}  # fmt: skip


def test_lines_that_look_like_others_read_the_same() -> None:
    reader = SpanLines()
    fast(reader, BEGINNING + SPAN + CLOSES)
    for name, line in HOSTILE.items():
        for _ in range(2):
            assert repr(fast(reader, line)) == repr(plainly(line)), name


@settings(max_examples=400, deadline=None)
@given(
    place=st.integers(0, 400),
    cut=st.integers(0, 40),
    put=st.sampled_from([b"", b"]", b"[", b'"', b"{", b"}", b",", b"\\", b'"spans":[']),
)
def test_a_damaged_line_reads_the_same(place: int, cut: int, put: bytes) -> None:
    reader, good = SpanLines(), BEGINNING + SPAN + b"," + SPAN + CLOSES
    fast(reader, good)
    line = good[:place] + put + good[place + cut :]

    assert repr(fast(reader, line)) == repr(plainly(line))


def test_beginnings_that_never_come_back_are_not_kept() -> None:
    reader = SpanLines()
    for number in range(2_000):
        (span,) = reader.decode(line_of({"attributes": [{"key": "n", "value": {"intValue": str(number)}}]}, {}, [GOOD]))
        assert span.resource == {"n": number}
    assert len(reader._known) <= 256


def test_a_record_made_fast_is_one_like_all_others() -> None:
    values: tuple[Any, ...] = (
        "1" * 32, "2" * 16, "3" * 16, "n", 1, 2, 3, 2, "m", {"a": 1}, (SpanEvent("e", 1),), (SpanLink("1" * 32, "2" * 16),),
        SpanState.ENDED, 1, 2, 3, "t", "s", "v", {"r": 1}, 257,
    )  # fmt: skip
    made, usual = new_span(*values), SpanRecord(*values)

    assert type(made) is SpanRecord
    assert made == usual
    assert repr(made) == repr(usual)
    try:
        made.name = "other"  # type: ignore[misc]  # which it must refuse
    except AttributeError:
        return
    raise AssertionError("a record that was made fast can be changed")


@settings(max_examples=200, deadline=None)
@given(value=any_values)
def test_equal_names_and_odd_values_decode_as_each_value_does(value: object) -> None:
    line = line_of({}, {}, [{**GOOD, "attributes": [{"key": "a", "value": {"stringValue": "1"}}, {"key": "a", "value": value}]}])
    (span,) = SpanLines().decode(line)

    assert repr(span.attributes) == repr({"a": decode_value(orjson.loads(orjson.dumps(value)))})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(st.integers(0, 60).map(lambda n: b"x" * n), max_size=12),
    torn=st.integers(0, 60),
    block=st.integers(1, 50),
    most=st.integers(0, 40),
)
@example(lines=[b"x" * 50, b"y"], torn=0, block=7, most=10)
@example(lines=[b"a", b"x" * 50, b"b", b"x" * 50], torn=45, block=1000, most=10)
def test_lines_and_their_numbers_are_the_same_for_any_block_size(
    tmp_path: Path, lines: list[bytes], torn: int, block: int, most: int
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(line + b"\n" for line in lines) + b"z" * torn)
    one, other = (LineFile(path, most, read_bytes=block) for _ in range(2))
    found = list(one.new_lines())
    blocks = [(number, line) for first, some in other.new_blocks() for number, line in enumerate(some, first)]

    whole = [(number, line) for number, line in enumerate(lines, 1) if len(line) <= most]
    assert [(line.number, line.data) for line in found] == whole == blocks
    assert all(path.read_bytes()[line.offset :].startswith(line.data + b"\n") for line in found)
    assert one.long_lines == other.long_lines == [number for number, line in enumerate(lines, 1) if len(line) > most]
    assert (one.offset, one.count) == (other.offset, other.count)
    assert list(one.new_lines()) == []
