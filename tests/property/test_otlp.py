"""trace.jsonl is strict OTLP JSON, whatever the attributes are: held against two readers that no one here wrote."""

import base64
import json
import math
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.proto_json.trace.v1.trace import TracesData as JsonTracesData
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from cabtrace.limits import Limits
from cabtrace.model import semconv as sc
from cabtrace.model.otlp import span_to_otlp, spans_from_line
from cabtrace.model.span import SpanEvent, SpanLink, SpanRecord
from cabtrace.otel.encode import SpanEncoder
from cabtrace.redact import Redactor

texts = st.text(st.characters(codec=None), max_size=40)  # lone surrogates included
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**80), 2**80), st.floats(), texts, st.binary(max_size=20))
values = st.recursive(scalars, lambda v: st.one_of(st.lists(v, max_size=4), st.dictionaries(texts, v, max_size=4)), max_leaves=8)
attributes = st.dictionaries(texts, values, max_size=6)
times = st.integers(0, 2**64 - 1)


def hex_ids_to_base64(value: Any) -> Any:
    """OTLP/JSON has hex ids where protobuf's own JSON has base64: the one difference between the two."""
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else hex_ids_to_base64(v) for k, v in value.items()}
    return [hex_ids_to_base64(v) for v in value] if isinstance(value, list) else value


def official(line: bytes) -> TracesData:
    """Parses with protobuf's parser and with OpenTelemetry's; both refuse what is not by the standard."""
    data = json.loads(line)
    JsonTracesData.from_json(line.decode())
    return json_format.ParseDict(hex_ids_to_base64(data), TracesData())


@settings(max_examples=300, deadline=None)
@given(name=texts, message=texts, start=times, end=times, own=attributes, event=attributes, link=attributes)
def test_any_span_is_read_back_by_official_parsers(
    name: str, message: str, start: int, end: int, own: dict[str, Any], event: dict[str, Any], link: dict[str, Any]
) -> None:
    record = SpanRecord(
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id="b7ad6b7169203331",
        parent_id="00f067aa0ba902b7",
        name=name,
        start_ns=start,
        end_ns=end,
        status_code=2,
        status_message=message,
        attributes=own,
        events=(SpanEvent(name, start, event),),
        links=(SpanLink("0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7", link),),
    )
    span = span_to_otlp(record)

    line = orjson.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": [span]}]}]})
    parsed = official(line).resource_spans[0].scope_spans[0].spans[0]

    assert parsed.span_id.hex() == record.span_id
    assert (parsed.start_time_unix_nano, parsed.end_time_unix_nano) == (start, end)
    assert len(parsed.attributes) == len({k.encode("utf-16", "surrogatepass") for k in own})
    (again,) = spans_from_line(orjson.loads(line))
    assert again.start_ns == start
    (same,) = spans_from_line({"resourceSpans": [{"scopeSpans": [{"spans": [span_to_otlp(again)]}]}]})
    assert repr(same.attributes) == repr(again.attributes)  # repr: NaN is not equal to itself


class Collected(SpanExporter):
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.encoder = SpanEncoder(Redactor())

    def export(self, spans: Any) -> SpanExportResult:
        self.lines += [self.encoder.line(s) for s in spans]
        return SpanExportResult.SUCCESS


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {"leaf": 1}
    for _ in range(depth):
        value = {"k": value}
    return value


POISON = {
    "2**70": 2**70,
    "surrogate": "a\ud800b",
    "nan": math.nan,
    "bytes": b"\x00\xff",
    **{f"depth {n}": nested(n) for n in (15, 16, 31, 32, 33, 34, 400)},
    "10 MiB": "x" * (10 * 1024 * 1024),
    "object": object(),
}


@pytest.mark.parametrize("name", POISON)
@pytest.mark.filterwarnings("ignore")
def test_a_poison_value_arrives_made_safe_with_a_marker_and_harms_no_other(name: str) -> None:
    collected = Collected()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(collected))
    tracer = provider.get_tracer("test")
    for number in range(3):
        with tracer.start_as_current_span(f"span {number}") as span:
            span.set_attribute("plain", number)
            if number == 1:
                span._attributes._dict["poison"] = POISON[name]  # past the SDK's own cleaning, as a foreign SDK might

    parsed = [official(line).resource_spans[0].scope_spans[0].spans[0] for line in collected.lines]

    assert [{a.key: a.value for a in p.attributes}["plain"].int_value for p in parsed] == [0, 1, 2]
    poisoned = {a.key: a.value for a in parsed[1].attributes}
    assert poisoned["poison"].WhichOneof("value")
    harmless = name in ("nan", "bytes", "depth 15")
    assert (sc.SANITIZED in poisoned) == (not harmless)
    assert all(len(line) < 2 * Limits().attribute_value_bytes for line in collected.lines)
