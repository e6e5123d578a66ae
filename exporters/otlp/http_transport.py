"""OTLP over HTTP/1.1, one connection kept open; the answer's body is read, because that is where rejections stand."""

from __future__ import annotations

import email.utils
import gzip
import http.client
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson

from cabtrace import __version__
from exporters.otlp import tls
from exporters.otlp.answer import Answer, Outcome, accepted, words

if TYPE_CHECKING:
    from exporters.otlp.settings import Target

_ALERT_S: Final = 1.0
_ANSWER_BYTES: Final = 4 * 1024 * 1024
_RETRYABLE: Final = frozenset({429, 502, 503, 504})
_MISDIRECTED: Final = frozenset({401, 402, 403, 404, 405, 406, 407, 410, 411, 415, 421, 501, 505})


class HttpTransport:
    """Raises UsageError where certificates cannot be read."""

    def __init__(self, target: Target, content_type: str) -> None:
        self._target = target
        self._url = urlsplit(target.endpoint)
        self._path = self._url.path + (f"?{self._url.query}" if self._url.query else "")
        self._headers = {
            "user-agent": f"OTel-OTLP-Exporter-Python/cabtrace-{__version__}",
            **target.headers,
            "content-type": content_type,
        }
        self._json = content_type == "application/json"
        self._tls = tls.context(target) if target.secure else None
        self._connection: http.client.HTTPConnection | None = None

    def send(self, body: bytes) -> Answer:
        headers = dict(self._headers)
        if self._target.compression == "gzip":
            body = gzip.compress(body, compresslevel=6)
            headers["content-encoding"] = "gzip"
        fresh = self._connection is None
        try:
            return self._exchange(body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            told = self._alert()
            self.close()
            if told:
                return Answer(Outcome.MISDIRECTED, words(told))
            if fresh:
                return Answer(Outcome.UNAVAILABLE, words(f"connection lost: {error}"))
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return _failed(error)
        try:  # the connection was kept open and had gone stale
            return self._exchange(body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return _failed(error)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, body: bytes, headers: dict[str, str]) -> Answer:
        deadline = time.monotonic() + self._target.timeout_s
        connection = self._connect()
        connection.request("POST", self._path, body, headers)
        response = connection.getresponse()
        data = _read(response, connection, deadline)
        if response.will_close or not response.isclosed():
            self.close()
        return interpret(response.status, response.headers, data, as_json=self._json)

    def _alert(self) -> str:
        """Why a TLS receiver hung up while it was being sent to: it says so, and then resets the connection."""
        if self._tls is None or self._connection is None or self._connection.sock is None:
            return ""
        try:
            self._connection.sock.settimeout(_ALERT_S)
            self._connection.sock.recv(1)
        except ssl.SSLError as error:
            return tls.trouble(str(error))
        except OSError:
            pass
        return ""

    def _connect(self) -> http.client.HTTPConnection:
        if self._connection is None:
            host, port, timeout = self._url.hostname or "", self._url.port, self._target.timeout_s
            if self._tls is not None:
                self._connection = http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
            else:
                self._connection = http.client.HTTPConnection(host, port, timeout=timeout)
            self._connection.connect()
            self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection


def _read(response: http.client.HTTPResponse, connection: http.client.HTTPConnection, deadline: float) -> bytes:
    """The body, bounded in size and time: a receiver that drips a byte a second must not hold an export up."""
    chunks, size = [], 0
    while size < _ANSWER_BYTES:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out while reading the answer")
        if connection.sock is not None:
            connection.sock.settimeout(left)
        chunk = response.read1(65_536)
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    if connection.sock is not None:
        connection.sock.settimeout(connection.timeout)
    return b"".join(chunks)


def interpret(status: int, headers: http.client.HTTPMessage, body: bytes, *, as_json: bool) -> Answer:
    """An HTTP answer by the OTLP specification."""
    if 200 <= status < 300:
        try:
            return accepted(*partial_success(body, as_json=as_json or headers.get_content_type() == "application/json"))
        except ValueError:
            return accepted(0, "")  # a receiver that answers with a page of its own took the spans all the same
    message = words(f"HTTP {status} {status_message(body, headers.get_content_type())}")
    if status in _RETRYABLE:
        return Answer(Outcome.UNAVAILABLE, message, retry_after_s=retry_after(headers.get("Retry-After"), time.time()))
    if status == 413:
        return Answer(Outcome.TOO_LARGE, message)
    if 300 <= status < 400:
        return Answer(Outcome.MISDIRECTED, words(f"{message} to {headers.get('Location', 'nowhere')}"))
    if status in _MISDIRECTED:
        return Answer(Outcome.MISDIRECTED, message)
    return Answer(Outcome.REFUSED if status < 500 else Outcome.FAILED, message)


def partial_success(body: bytes, *, as_json: bool) -> tuple[int, str]:
    """Rejected spans and message of an ExportTraceServiceResponse. Raises ValueError where it is none."""
    if not body:
        return 0, ""
    if as_json:
        value = orjson.loads(body)
        part = value.get("partialSuccess") if isinstance(value, dict) else None
        if not isinstance(part, dict):
            return 0, ""
        return int(part.get("rejectedSpans") or 0), str(part.get("errorMessage") or "")
    return decode_response(body)


def decode_response(body: bytes) -> tuple[int, str]:
    """The protobuf form. Raises ValueError."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no stubs
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    try:
        part = ExportTraceServiceResponse.FromString(body).partial_success
    except DecodeError as error:
        raise ValueError("no ExportTraceServiceResponse") from error
    return part.rejected_spans, part.error_message


def status_message(body: bytes, content_type: str) -> str:
    """The words of an error's body: a google.rpc.Status in either encoding, or text."""
    if content_type == "application/x-protobuf":
        from google.protobuf.message import DecodeError
        from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs

        try:
            return str(Status.FromString(body).message)
        except DecodeError:
            return body.decode("utf-8", "replace")
    if content_type == "application/json":
        try:
            value = orjson.loads(body)
            return str(value.get("message") or value.get("detail") or value.get("error") or "")
        except (ValueError, AttributeError):
            pass
    return body.decode("utf-8", "replace")


def retry_after(text: str | None, now_s: float) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date; None where it is neither."""
    if not text:
        return None
    try:
        return (
            max(float(text), 0.0)
            if text.strip().isdigit()
            else max(email.utils.parsedate_to_datetime(text).timestamp() - now_s, 0.0)
        )
    except (TypeError, ValueError, OverflowError):
        return None


def _failed(error: Exception) -> Answer:
    told = tls.trouble(str(error)) if isinstance(error, ssl.SSLError) else ""
    return Answer(Outcome.MISDIRECTED, words(told)) if told else Answer(Outcome.UNAVAILABLE, words(_reason(error)))


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__
