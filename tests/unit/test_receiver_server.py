"""The receiver as a sender meets it."""

import contextlib
import gzip
import http.client
import json
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from cabtrace.errors import CabtraceError
from cabtrace.limits import Limits
from cabtrace.model.log import LogRecord
from cabtrace.model.span import SpanRecord
from cabtrace.otel.receiver.server import OtlpReceiver

TOKEN = "cbt-0123456789abcdef0123456789abcdef"
SPAN = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "turn"}
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@dataclass
class Kept:
    fails: bool = False
    seen_spans: list[SpanRecord] = field(default_factory=list)
    seen_logs: list[LogRecord] = field(default_factory=list)

    def spans(self, spans: Sequence[SpanRecord]) -> None:
        if self.fails:
            raise RuntimeError("no room")
        self.seen_spans += spans

    def logs(self, logs: Sequence[LogRecord]) -> None:
        self.seen_logs += logs


@contextlib.contextmanager
def receiving(kept: Kept | None = None, limits: Limits | None = None) -> Iterator[OtlpReceiver]:
    receiver = OtlpReceiver(TOKEN, kept or Kept(), limits=limits or Limits())
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def export(*spans: object) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def post(
    receiver: OtlpReceiver, path: str, body: bytes, headers: dict[str, str] = JSON, method: str = "POST"
) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, response.read(), response.headers.get("Content-Type", "")


def test_an_export_is_taken_and_answered_in_its_encoding() -> None:
    kept = Kept()
    message = ExportTraceServiceRequest()
    message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"t" * 16, span_id=b"s" * 8, name="p")
    with receiving(kept) as receiver:
        assert post(receiver, f"/{TOKEN}/v1/traces", export(SPAN)) == (200, b"{}", "application/json")
        answer = post(receiver, f"/{TOKEN}/v1/traces", gzip.compress(message.SerializeToString()),
                      {**PROTOBUF, "Content-Encoding": "gzip"})  # fmt: skip

    assert answer == (200, b"", "application/x-protobuf")
    assert [s.name for s in kept.seen_spans] == ["turn", "p"]
    assert receiver.counts["requests"] == receiver.counts["spans"] == 2


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"/{TOKEN}/v1/traces", {}),
        (f"/{TOKEN}//v1/traces/", {}),
        ("/v1/traces", {"x-cabtrace-token": TOKEN}),
        ("/v1/traces", {"Authorization": f"Bearer {TOKEN}"}),
    ],
)
def test_the_token_may_stand_in_three_places(path: str, headers: dict[str, str]) -> None:
    with receiving() as receiver:
        assert post(receiver, path, export(SPAN), JSON | headers)[0] == 200


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/traces", {}),
        (f"/{TOKEN[:-1]}/v1/traces", {}),
        (f"/x/{TOKEN}/v1/traces", {}),
        ("/v1/traces", {"Authorization": f"Basic {TOKEN}"}),
        ("/v1/traces", {"x-cabtrace-token": TOKEN + "x"}),
        ("/", {}),
    ],
)
def test_without_the_token_nothing_is_taken(path: str, headers: dict[str, str]) -> None:
    kept = Kept()
    with receiving(kept) as receiver:
        assert post(receiver, path, export(SPAN), JSON | headers)[0] == 401

    assert (kept.seen_spans, receiver.counts["unauthorized"], receiver.counts["requests"]) == ([], 1, 0)


def test_what_is_not_served_is_counted() -> None:
    with receiving() as receiver:
        assert post(receiver, f"/{TOKEN}/v1/profiles", b"{}")[0] == 404
        assert post(receiver, f"/{TOKEN}/v2/traces", b"{}")[0] == 404
        assert post(receiver, f"/{TOKEN}/v1/traces", b"", JSON, "GET")[0] == 405

    assert receiver.counts["unknown"] == 3


def test_a_malformed_body_is_answered_with_400_and_counted() -> None:
    with receiving() as receiver:
        status, body, kind = post(receiver, f"/{TOKEN}/v1/traces", b"{")
        assert (status, kind) == (400, "application/json")
        assert json.loads(body) == {"message": "the body is not JSON"}
        status, body, kind = post(receiver, f"/{TOKEN}/v1/logs", b"\xff\xff", PROTOBUF)
        assert (status, kind) == (400, "application/x-protobuf")
        assert b"not an OTLP export" in body
        assert post(receiver, f"/{TOKEN}/v1/logs", b"x", {**PROTOBUF, "Content-Encoding": "br"})[0] == 400

    assert receiver.counts["malformed"] == 3


@pytest.mark.parametrize(
    ("signal", "outer", "inner", "leaf", "answer", "key"),
    [
        ("traces", "resourceSpans", "scopeSpans", "spans", ExportTraceServiceResponse, "rejected_spans"),
        ("logs", "resourceLogs", "scopeLogs", "logRecords", ExportLogsServiceResponse, "rejected_log_records"),
    ],
)
def test_a_partial_success_says_how_many(signal: str, outer: str, inner: str, leaf: str, answer: type[Message], key: str) -> None:
    body = json.dumps({outer: [{inner: [{leaf: [{"timeUnixNano": "x", "startTimeUnixNano": "x"}] * 300}]}]}).encode()
    with receiving() as receiver:
        status, text, _ = post(receiver, f"/{TOKEN}/v1/{signal}", body)

    camel = "".join(w.capitalize() if i else w for i, w in enumerate(key.split("_")))
    assert status == 200
    assert json.loads(text)["partialSuccess"][camel] == "300"
    assert receiver.counts["rejected"] == 300


def test_a_partial_success_in_protobuf_is_what_the_official_classes_read() -> None:
    message = ExportTraceServiceRequest()
    for _ in range(300):
        message.resource_spans.add().scope_spans.add().spans.add(trace_id=b"short")
    with receiving() as receiver:
        _, body, _ = post(receiver, f"/{TOKEN}/v1/traces", message.SerializeToString(), PROTOBUF)

    answer = ExportTraceServiceResponse.FromString(body)
    assert answer.partial_success.rejected_spans == 300
    assert answer.partial_success.error_message
    assert ExportMetricsServiceResponse.FromString(body).partial_success.rejected_data_points == 300


def test_the_caps_hold() -> None:
    kept = Kept()
    big = export({**SPAN, "name": "x" * 3000})
    with receiving(kept, Limits(telemetry_request_bytes=2_000, telemetry_bytes=1_000)) as receiver:
        assert post(receiver, f"/{TOKEN}/v1/traces", big)[0] == 413
        assert post(receiver, f"/{TOKEN}/v1/traces", gzip.compress(big), {**JSON, "Content-Encoding": "gzip"})[0] == 413
        small = export({**SPAN, "name": "y" * 400})
        answers = [post(receiver, f"/{TOKEN}/v1/traces", small) for _ in range(3)]

    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert json.loads(answers[-1][1])["partialSuccess"]["rejectedSpans"] == "1"
    assert receiver.counts["too_large"] == 2
    assert receiver.counts["spans"] == len(kept.seen_spans) < 3


def test_a_failing_sink_reaches_nobody() -> None:
    with receiving(Kept(fails=True)) as receiver:
        assert post(receiver, f"/{TOKEN}/v1/traces", export(SPAN))[0] == 200

    assert receiver.counts["errors"] == 1


def test_what_is_no_http_harms_nothing() -> None:
    with receiving() as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as connection:
            connection.sendall(b"\x16\x03\x01\x02\x00 not http\r\n\r\n")
            connection.recv(100)
        with socket.create_connection(("127.0.0.1", receiver.port), timeout=20) as connection:
            connection.sendall(f"POST /{TOKEN}/v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{".encode())
        assert post(receiver, f"/{TOKEN}/v1/traces", export(SPAN))[0] == 200

    assert receiver.counts["spans"] == 1


def test_stopping_twice_is_harmless_and_an_address_of_others_is_refused() -> None:
    with receiving() as receiver:
        receiver.stop()
    with pytest.raises(CabtraceError, match=r"cannot listen on 192\.0\.2\.1"):
        OtlpReceiver(TOKEN, Kept(), listen_host="192.0.2.1").start()
