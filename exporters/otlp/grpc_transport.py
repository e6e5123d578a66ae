"""OTLP over gRPC. Requests are encoded already, so they pass through as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import grpc  # type: ignore[import-untyped]  # ships no stubs

from cabtrace import __version__
from exporters.otlp import tls
from exporters.otlp.answer import Answer, Outcome, accepted, words
from exporters.otlp.http_transport import decode_response

if TYPE_CHECKING:
    from exporters.otlp.settings import Target

_METHOD: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RETRYABLE: Final = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_DETAILS: Final = "grpc-status-details-bin"


class GrpcTransport:
    """Raises UsageError where certificates cannot be read."""

    def __init__(self, target: Target) -> None:
        self._timeout_s = target.timeout_s
        self._metadata = tuple(target.headers.items())
        options = [
            ("grpc.primary_user_agent", f"OTel-OTLP-Exporter-Python/cabtrace-{__version__}"),
            ("grpc.max_send_message_length", -1),  # what is too long is for the receiver to say
            ("grpc.enable_retries", 0),  # retries are counted in one place
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 5_000),
        ]
        compression = grpc.Compression.Gzip if target.compression == "gzip" else grpc.Compression.NoCompression
        if target.secure:
            self._channel = grpc.secure_channel(
                target.endpoint, grpc.ssl_channel_credentials(*tls.pem_files(target)), options, compression
            )
        else:
            self._channel = grpc.insecure_channel(target.endpoint, options, compression)
        self._call = self._channel.unary_unary(_METHOD, request_serializer=None, response_deserializer=None)

    def send(self, body: bytes) -> Answer:
        try:
            response = self._call(body, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.RpcError as error:
            return interpret(error)
        try:
            return accepted(*decode_response(response))
        except ValueError:
            return accepted(0, "")

    def close(self) -> None:
        self._channel.close()


def interpret(error: Any) -> Answer:
    """A gRPC status by the OTLP specification: RESOURCE_EXHAUSTED may be tried again only where RetryInfo says so."""
    code, details = error.code().name, str(error.details() or "")
    if code == "UNAVAILABLE" and (told := tls.trouble(details)):  # no second try mends a certificate
        return Answer(Outcome.MISDIRECTED, words(told))
    message = words(f"{code} {details}")
    delay_s = retry_delay_s(error.trailing_metadata())
    if code == "RESOURCE_EXHAUSTED":
        if delay_s is not None:
            return Answer(Outcome.UNAVAILABLE, message, retry_after_s=delay_s)
        too_large = "larger than max" in details or "too large" in details.lower()
        return Answer(Outcome.TOO_LARGE if too_large else Outcome.MISDIRECTED, message)
    if code in _RETRYABLE:
        return Answer(Outcome.UNAVAILABLE, message, retry_after_s=delay_s)
    outcome = {"INVALID_ARGUMENT": Outcome.REFUSED, "INTERNAL": Outcome.FAILED, "UNKNOWN": Outcome.FAILED}
    return Answer(outcome.get(code, Outcome.MISDIRECTED), message)


def retry_delay_s(metadata: Any) -> float | None:
    """The delay of a google.rpc.RetryInfo among a status' details; None where there is none."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # ships no stubs
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # ships no stubs
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs

    for key, value in metadata or ():
        if key != _DETAILS:
            continue
        try:
            for detail in Status.FromString(value).details:
                info = RetryInfo()
                if detail.Is(RetryInfo.DESCRIPTOR) and detail.Unpack(info):
                    return max(float(info.retry_delay.ToNanoseconds()) / 1e9, 0.0)
        except DecodeError:
            return None
    return None
