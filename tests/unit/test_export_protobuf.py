"""Spans encoded as protobuf, read back by opentelemetry-proto's own classes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from cabtrace.model import semconv as sc
from cabtrace.model.long_values import join_long, split_long
from cabtrace.model.span import SpanEvent, SpanLink, SpanRecord
from exporters.otlp.batches import Encoder, batches
from exporters.otlp.json_codec import JsonCodec
from exporters.otlp.protobuf import ProtobufCodec
from tests.support.export_runs import TRACE_ID, many_spans
from tests.support.otlp_receiver import attributes_of, request_from_json

PLAIN = SpanRecord(TRACE_ID, "00f067aa0ba902b7", None, "s", 1, 2)


def test_every_field_arrives() -> None:
    span = SpanRecord(
        TRACE_ID, "00f067aa0ba902b7", "0000000000000001", "chat m", 1_781_663_488_314_919_001, 1_781_663_488_314_919_999, 3, 2,
        "it broke", {"a": "b", "n": -5, "f": 1.5, "t": True, "none": None, "b": b"\x00\xff", "m": {"k": (1, "x")}},
        (SpanEvent("e", 7, {"x": 1}),), (SpanLink("0" * 31 + "2", "0" * 15 + "3", {"y": "z"}),),
        dropped_attributes=3, dropped_events=4, dropped_links=5, trace_state="a=b", flags=0x301,
    )  # fmt: skip

    read = Span.FromString(ProtobufCodec().span(span))

    assert (read.trace_id.hex(), read.span_id.hex(), read.parent_span_id.hex()) == (
        TRACE_ID,
        "00f067aa0ba902b7",
        "0000000000000001",
    )
    assert (read.name, read.kind, read.trace_state, read.flags) == ("chat m", 3, "a=b", 0x301)
    assert (read.start_time_unix_nano, read.end_time_unix_nano) == (1_781_663_488_314_919_001, 1_781_663_488_314_919_999)
    assert (read.status.code, read.status.message) == (2, "it broke")
    assert attributes_of(read.attributes) == {
        "a": "b",
        "n": -5,
        "f": 1.5,
        "t": True,
        "none": None,
        "b": b"\x00\xff",
        "m": {"k": [1, "x"]},
    }
    assert [(e.name, e.time_unix_nano, attributes_of(e.attributes)) for e in read.events] == [("e", 7, {"x": 1})]
    assert [(x.trace_id.hex(), x.span_id.hex(), attributes_of(x.attributes)) for x in read.links] == [
        ("0" * 31 + "2", "0" * 15 + "3", {"y": "z"})
    ]
    assert (read.dropped_attributes_count, read.dropped_events_count, read.dropped_links_count) == (3, 4, 5)


def nested(depth: int) -> object:
    value: object = "deep"
    for _ in range(depth):
        value = [value]
    return value


POISON = {
    "huge": 2**70,
    "surrogate": "a\ud800b",
    "nan": math.nan,
    "bytes": b"\xff\xfe",
    "deep": nested(400),
    "long": "x" * (10 * 1024 * 1024),
}


@pytest.mark.parametrize("codec", [ProtobufCodec(), JsonCodec()], ids=["protobuf", "json"])
def test_poison_is_made_safe_and_leaves_its_neighbours_alone(codec: ProtobufCodec | JsonCodec) -> None:
    spans = [replace(PLAIN, span_id=f"{n:016x}", attributes={"n": n}) for n in range(1, 512)]
    odd = replace(PLAIN, span_id=f"{512:016x}", attributes=POISON)
    encoder = Encoder(codec, 4 * 1024 * 1024)

    made = list(batches((encoder.encode(n, s) for n, s in enumerate([*spans[:100], odd, *spans[100:]])), 4 * 1024 * 1024))

    bodies = [b.body(codec) for b in made]
    assert all(len(body) <= 4 * 1024 * 1024 for body in bodies)
    read = ExportTraceServiceRequest.FromString if isinstance(codec, ProtobufCodec) else request_from_json
    arrived = [s for body in bodies for r in read(body).resource_spans for scope in r.scope_spans for s in scope.spans]
    by_id = {s.span_id.hex(): s for s in arrived}
    assert len(arrived) == len(by_id) == 512
    assert all(attributes_of(by_id[f"{n:016x}"].attributes) == {"n": n} for n in range(1, 512))
    kept = attributes_of(by_id[f"{512:016x}"].attributes)
    assert set(kept.pop(sc.SANITIZED)) == {"huge", "surrogate", "deep", "long"}
    assert kept["huge"] == str(2**70)
    assert kept["surrogate"] == "a\ufffdb"
    assert math.isnan(kept["nan"])
    assert kept["bytes"] == b"\xff\xfe"
    assert "characters cut" in kept["long"]


def test_a_span_too_large_for_a_request_is_made_smaller_and_says_so() -> None:
    span = replace(
        PLAIN, attributes={f"k{n}": "y" * 900_000 for n in range(8)}, events=tuple(SpanEvent("e", n) for n in range(5000))
    )

    encoded = Encoder(ProtobufCodec(), 200_000).encode(0, span)

    assert len(encoded.data) <= 200_000
    assert Span.FromString(encoded.data).span_id.hex() == PLAIN.span_id


def test_requests_stay_within_their_bytes() -> None:
    encoder = Encoder(ProtobufCodec(), 20_000)

    made = list(batches((encoder.encode(n, s) for n, s in enumerate(many_spans(500))), 20_000))

    assert len(made) > 5
    assert all(len(b.body(encoder.codec)) <= 20_000 for b in made)
    assert [s.ordinal for b in made for s in b.spans] == list(range(500))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")) | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=8), values, max_size=6))
def test_any_attributes_arrive_as_they_are(attributes: dict[str, object]) -> None:
    codec = ProtobufCodec()
    span = replace(PLAIN, attributes=attributes)  # type: ignore[arg-type]

    twice = [attributes_of(Span.FromString(codec.span(span)).attributes) for _ in range(2)]  # the second comes from the cache

    assert twice == [attributes, attributes]


def test_equal_values_of_different_types_are_not_confused() -> None:
    codec = ProtobufCodec()

    read = [
        attributes_of(Span.FromString(codec.span(replace(PLAIN, attributes={"k": v}))).attributes)["k"]
        for v in (1, True, 1.0, "1")
    ]

    assert [type(v) for v in read] == [int, bool, float, str]


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=400), st.integers(8, 64))
def test_long_values_survive_splitting(text: str, size: int) -> None:
    split = split_long({"k": text, "other": 5}, size)

    assert all(len(str(v).encode()) <= size for v in split.values())
    assert join_long(split) == {"k": text, "other": 5}


def test_json_has_integers_for_enums_and_strings_for_64_bits(tmp_path: Path) -> None:
    span = orjson.loads(JsonCodec().span(replace(PLAIN, kind=3, status_code=2)))

    assert span["kind"] == 3
    assert span["status"] == {"code": 2}
    assert span["startTimeUnixNano"] == "1"
