"""OTLP receivers for tests, which read with opentelemetry-proto's own classes and misbehave as they are told."""

from __future__ import annotations

import gzip
import http.server
import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse


@dataclass
class Misbehaviour:
    """What to do with a request: `status` with `headers` and `body`, or `act` (reset, hang), or `rejected` of an accepted one."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    act: str = ""
    rejected: int = 0
    message: str = ""


OK = Misbehaviour()


def request_from_json(body: bytes) -> ExportTraceServiceRequest:
    """JSON with hex ids, which protobuf's own reader takes for base64."""
    import base64

    value = json.loads(body)
    for resource in value["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for holder in (span, *span.get("links", ())):
                    for key in ("traceId", "spanId", "parentSpanId"):
                        if key in holder:
                            holder[key] = base64.b64encode(bytes.fromhex(holder[key])).decode()
    return json_format.ParseDict(value, ExportTraceServiceRequest())


class Receiver:
    """HTTP on a free port. `script` is asked for each request: (number, request, body) -> Misbehaviour."""

    def __init__(
        self,
        script: Callable[[int, ExportTraceServiceRequest, bytes], Misbehaviour] | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.script = script or (lambda *_: OK)
        self.spans: list[Any] = []
        self.resources: list[Any] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.requests = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                receiver._handle(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_address[1]
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def span_ids(self) -> Counter[str]:
        return Counter(s.span_id.hex() for s in self.spans)

    def _handle(self, handler: Any) -> None:
        raw = handler.rfile.read(int(handler.headers["content-length"]))
        body = gzip.decompress(raw) if handler.headers.get("content-encoding") == "gzip" else raw
        as_json = handler.headers["content-type"] == "application/json"
        request = request_from_json(body) if as_json else ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.requests += 1
            number = self.requests
            self.headers.append({k.lower(): v for k, v in handler.headers.items()})
        answer = self.script(number, request, body)
        if answer.act == "reset":
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            handler.connection.close()
            return
        if answer.act == "hang":
            time.sleep(1.0)
            handler.close_connection = True
            return
        if answer.status == 200:
            self.keep(request, body)
        reply = answer.body
        if answer.status == 200 and not reply:
            response = ExportTraceServiceResponse()
            if answer.rejected or answer.message:
                response.partial_success.rejected_spans = answer.rejected
                response.partial_success.error_message = answer.message
            reply = json_format.MessageToJson(response).encode() if as_json else response.SerializeToString()
        handler.send_response(answer.status)
        for key, value in {"Content-Type": handler.headers["content-type"], **answer.headers}.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", str(len(reply)))
        handler.end_headers()
        handler.wfile.write(reply)

    def keep(self, request: ExportTraceServiceRequest, body: bytes) -> None:
        with self._lock:
            self.bodies.append(body)
            for resource_spans in request.resource_spans:
                self.resources.append(resource_spans.resource)
                for scope_spans in resource_spans.scope_spans:
                    self.spans.extend(scope_spans.spans)


class GrpcReceiver:
    """gRPC on a free port; `script` gets (number, request, context) and may abort."""

    def __init__(
        self, script: Callable[[int, ExportTraceServiceRequest, Any], None] | None = None, credentials: Any = None
    ) -> None:
        import grpc
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as service

        self.spans: list[Any] = []
        self.metadata: list[dict[str, str]] = []
        self.requests = 0
        self.partial: tuple[int, str] = (0, "")
        receiver = self

        class Servicer(service.TraceServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:
                receiver.requests += 1
                receiver.metadata.append(dict(context.invocation_metadata()))
                if script is not None:
                    script(receiver.requests, request, context)
                receiver.spans += [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
                response = ExportTraceServiceResponse()
                response.partial_success.rejected_spans, response.partial_success.error_message = receiver.partial
                return response

        self._server = grpc.server(ThreadPoolExecutor(2))
        service.add_TraceServiceServicer_to_server(Servicer(), self._server)
        if credentials is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.endpoint = f"http{'s' if credentials else ''}://127.0.0.1:{self.port}"
        self._server.start()

    def __enter__(self) -> GrpcReceiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    @property
    def span_ids(self) -> Counter[str]:
        return Counter(s.span_id.hex() for s in self.spans)


def attributes_of(items: Iterable[Any]) -> dict[str, Any]:
    """KeyValues as a dictionary of plain values."""
    return {item.key: _plain(item.value) for item in items}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    inner = getattr(value, kind)
    if kind == "array_value":
        return [_plain(v) for v in inner.values]
    if kind == "kvlist_value":
        return attributes_of(inner.values)
    return inner
