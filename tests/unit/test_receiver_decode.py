"""Exports as the CLIs send them, read from both encodings."""

import base64
import gzip
import json
import zlib

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cabtrace.model.otlp import spans_from_line
from cabtrace.model.otlp_lines import log_line, span_line
from cabtrace.otel.receiver.batch import MalformedError, Signal, hex_id
from cabtrace.otel.receiver.from_json import read_json
from cabtrace.otel.receiver.from_protobuf import read_protobuf
from cabtrace.otel.receiver.inflate import TooLargeError, decoded


def gzipped(data: bytes, level: int = 9) -> bytes:
    """The same bytes each time: they name the cases, and every worker must see the same names."""
    return gzip.compress(data, level, mtime=0)


TRACE, SPAN, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "00f067aa0ba902b7"


def trace_message() -> ExportTraceServiceRequest:
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "codex_exec"
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "codex_exec", "0.169.0"
    span = scoped.spans.add(
        trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), parent_span_id=bytes.fromhex(PARENT), name="exec_command",
        kind=1, start_time_unix_nano=1_795_359_140_000_000_001, end_time_unix_nano=1_795_359_141_000_000_002, flags=257,
        trace_state="a=b", dropped_attributes_count=3,
    )  # fmt: skip
    span.status.code, span.status.message = 2, "it broke"
    span.attributes.add(key="big").value.int_value = 2**63 - 1
    span.attributes.add(key="half").value.double_value = 0.5
    span.attributes.add(key="yes").value.bool_value = True
    span.attributes.add(key="raw").value.bytes_value = b"\x00\xff"
    span.attributes.add(key="nothing")
    values = span.attributes.add(key="many").value.array_value.values
    values.add().string_value = "ä"
    values.add().kvlist_value.values.add(key="inner").value.int_value = 7
    event = span.events.add(name="tool.output", time_unix_nano=1_795_359_140_500_000_000)
    event.attributes.add(key="output").value.string_value = "hello"
    link = span.links.add(trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(PARENT))
    link.attributes.add(key="why").value.string_value = "retry"
    return message


def as_json(*, ids: str) -> bytes:
    """The same export as JSON; `ids` is `hex` by the rule, or `base64` as protobuf's own converter writes them."""

    def identity(value: str) -> str:
        return value.upper() if ids == "hex" else base64.b64encode(bytes.fromhex(value)).decode()

    span = {
        "traceId": identity(TRACE), "spanId": identity(SPAN), "parentSpanId": identity(PARENT), "name": "exec_command", "kind": 1,
        "startTimeUnixNano": "1795359140000000001", "endTimeUnixNano": 1795359141000000002, "flags": 257, "traceState": "a=b",
        "droppedAttributesCount": 3, "status": {"code": 2, "message": "it broke"}, "unknownField": [1],
        "attributes": [
            {"key": "big", "value": {"intValue": str(2**63 - 1)}},
            {"key": "half", "value": {"doubleValue": 0.5}},
            {"key": "yes", "value": {"boolValue": True}},
            {"key": "raw", "value": {"bytesValue": base64.b64encode(b"\x00\xff").decode()}},
            {"key": "nothing", "value": {}},
            {"key": "many", "value": {"arrayValue": {"values": [
                {"stringValue": "ä"}, {"kvlistValue": {"values": [{"key": "inner", "value": {"intValue": 7}}]}}]}}},
        ],
        "events": [{"name": "tool.output", "timeUnixNano": "1795359140500000000",
                    "attributes": [{"key": "output", "value": {"stringValue": "hello"}}]}],
        "links": [{"traceId": identity(TRACE), "spanId": identity(PARENT),
                   "attributes": [{"key": "why", "value": {"stringValue": "retry"}}]}],
    }  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "codex_exec"}}]}
    scope_spans = [{"scope": {"name": "codex_exec", "version": "0.169.0"}, "spans": [span]}]
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scope_spans}]}).encode()


def test_all_encodings_give_the_same_record() -> None:
    from_protobuf = read_protobuf(Signal.TRACES, trace_message().SerializeToString())
    from_hex, from_base64 = (read_json(Signal.TRACES, as_json(ids=ids)) for ids in ("hex", "base64"))

    assert from_protobuf == from_hex == from_base64
    (span,) = from_hex.spans
    assert (span.trace_id, span.span_id, span.parent_id) == (TRACE, SPAN, PARENT)
    assert span.attributes["big"] == 2**63 - 1
    assert span.attributes["many"] == ("ä", {"inner": 7})
    assert (span.flags, span.dropped_attributes, span.trace_state) == (257, 3, "a=b")


def test_a_record_survives_its_line() -> None:
    (span,) = read_json(Signal.TRACES, as_json(ids="hex")).spans

    assert spans_from_line(json.loads(span_line(span))) == [span]


def test_one_bad_record_does_not_cost_the_others() -> None:
    data = json.loads(as_json(ids="hex"))
    spans = data["resourceSpans"][0]["scopeSpans"][0]["spans"]
    good = spans[0]
    bad = [
        {**good, "traceId": "0" * 32}, {**good, "spanId": "xyz"}, {**good, "startTimeUnixNano": "soon"}, "no span", None,
        {k: v for k, v in good.items() if k != "spanId"},
    ]  # fmt: skip
    spans.extend([*bad, {**good, "spanId": PARENT, "parentSpanId": ""}])

    batch = read_json(Signal.TRACES, json.dumps(data).encode())

    assert [(s.span_id, s.parent_id) for s in batch.spans] == [(SPAN, PARENT), (PARENT, None)]
    assert batch.rejected == len(bad)


def test_protobuf_spans_without_ids_are_rejected() -> None:
    message = trace_message()
    spans = message.resource_spans[0].scope_spans[0].spans
    spans.add(trace_id=bytes(16), span_id=bytes.fromhex(SPAN))
    spans.add(trace_id=bytes.fromhex(TRACE), span_id=b"short")

    batch = read_protobuf(Signal.TRACES, message.SerializeToString())

    assert (len(batch.spans), batch.rejected) == (1, 2)


def test_logs_are_read_from_both_encodings() -> None:
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(
        time_unix_nano=5, observed_time_unix_nano=6, severity_number=9, severity_text="INFO", event_name="codex.tool_result",
        trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN), flags=1,
    )  # fmt: skip
    record.body.string_value = "done"
    record.attributes.add(key="call_id").value.string_value = "call_1"
    item = {
        "timeUnixNano": "5", "observedTimeUnixNano": "6", "severityNumber": 9, "severityText": "INFO",
        "eventName": "codex.tool_result", "traceId": TRACE, "spanId": SPAN, "flags": 1, "body": {"stringValue": "done"},
        "attributes": [{"key": "call_id", "value": {"stringValue": "call_1"}}],
    }  # fmt: skip
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [item, {"timeUnixNano": "never"}]}]}]}).encode()

    from_protobuf, from_json = read_protobuf(Signal.LOGS, message.SerializeToString()), read_json(Signal.LOGS, body)

    assert from_protobuf.logs == from_json.logs
    assert (from_json.logs[0].body, from_json.logs[0].event_name) == ("done", "codex.tool_result")
    assert from_json.rejected == 1
    written = json.loads(log_line(from_json.logs[0]))
    assert written["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["spanId"] == SPAN


def test_metrics_are_counted() -> None:
    message = ExportMetricsServiceRequest()
    scoped = message.resource_metrics.add().scope_metrics.add()
    scoped.metrics.add(name="a")
    scoped.metrics.add(name="b")
    body = json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{}, {}, {}]}]}]}).encode()

    assert read_protobuf(Signal.METRICS, message.SerializeToString()).metrics == 2
    assert read_json(Signal.METRICS, body).metrics == 3


def test_a_lone_surrogate_costs_nothing_but_itself() -> None:
    body = as_json(ids="hex").replace(b'"exec_command"', b'"exec\\ud800command"')

    (span,) = read_json(Signal.TRACES, body).spans

    assert json.loads(span_line(span))["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "exec\ufffdcommand"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"resourceSpans":{}}', b"[" * 100_000, b'{"resourceSpans":[{"scopeSpans":7}]}'],
    ids=["empty", "cut", "list", "null", "bytes", "object", "deep", "number"],
)
def test_what_is_no_export_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError):
        read_json(Signal.TRACES, body)


def test_nesting_that_python_cannot_follow_is_rejected() -> None:
    value = '{"stringValue":"x"}'
    for _ in range(300):
        value = '{"arrayValue":{"values":[' + value + "]}}"
    span = f'{{"traceId":"{TRACE}","spanId":"{SPAN}","attributes":[{{"key":"k","value":{value}}}]}}'
    batch = read_json(Signal.TRACES, f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}'.encode())

    assert len(batch.spans) + batch.rejected == 1
    for found in batch.spans:
        assert json.loads(span_line(found))


@pytest.mark.parametrize("signal", list(Signal))
def test_what_is_no_protobuf_is_malformed(signal: Signal) -> None:
    with pytest.raises(MalformedError):
        read_protobuf(signal, b"\xff\xff\xff\xff")


def test_bodies_are_inflated() -> None:
    raw = b"hello " * 1000
    bare = zlib.compressobj(wbits=-15)

    assert decoded(gzipped(raw), "gzip", 10_000) == raw
    assert decoded(gzipped(raw[:3000]) + gzipped(raw[3000:]), "x-gzip", 10_000) == raw
    assert decoded(zlib.compress(raw), "deflate", 10_000) == raw
    assert decoded(bare.compress(raw) + bare.flush(), "deflate", 10_000) == raw
    assert decoded(raw, "identity", 10_000) == decoded(raw, "", 10_000) == raw


def test_a_bomb_stops_at_the_cap() -> None:
    bomb = gzipped(bytes(50_000_000))

    with pytest.raises(TooLargeError):
        decoded(bomb, "gzip", 1_000_000)
    with pytest.raises(TooLargeError):
        decoded(gzipped(bomb), "gzip, gzip", 1_000_000)
    with pytest.raises(TooLargeError):
        decoded(b"x" * 11, "", 10)


@pytest.mark.parametrize(("body", "encoding"), [(gzipped(b"x" * 99)[:-9], "gzip"), (b"nonsense", "gzip"), (b"x", "br")])
def test_what_cannot_be_inflated_is_malformed(body: bytes, encoding: str) -> None:
    with pytest.raises(MalformedError):
        decoded(body, encoding, 1_000)


@pytest.mark.parametrize("value", [None, 7, "", "0" * 32, "z" * 32, "abc", "ab" * 17, "!!!!", "A" * 24])
def test_what_is_no_id_is_none(value: object) -> None:
    assert hex_id(value, 32) == ""
