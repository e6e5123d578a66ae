"""What a sender is told, in the encoding in which it asked."""

from __future__ import annotations

import orjson

from cabtrace.model.otlp import JsonObject
from cabtrace.otel.receiver.batch import Signal

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_REJECTED = {Signal.TRACES: "rejectedSpans", Signal.LOGS: "rejectedLogRecords", Signal.METRICS: "rejectedDataPoints"}


def accepted(signal: Signal, content_type: str, rejected: int, message: str) -> bytes:
    """An Export…ServiceResponse: empty, or with a partial success where something was rejected."""
    if content_type == JSON:
        partial: JsonObject = {_REJECTED[signal]: str(rejected), "errorMessage": message}
        return orjson.dumps({"partialSuccess": partial} if rejected or message else {})
    if not rejected and not message:
        return b""
    # the three messages are alike: partial_success = 1 { int64 rejected = 1; string error_message = 2 }
    inner = (b"\x08" + _varint(rejected) if rejected else b"") + _text_field(2, message)
    return b"\x0a" + _varint(len(inner)) + inner


def refused(content_type: str, message: str) -> bytes:
    """A google.rpc.Status that holds the message."""
    return orjson.dumps({"message": message}) if content_type == JSON else _text_field(2, message)


def _text_field(number: int, text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    return bytes([number << 3 | 2]) + _varint(len(data)) + data if data else b""


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
