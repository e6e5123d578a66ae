"""Bodies of one model call into calls.jsonl: the request at once, the answer as it comes, its end with what it meant."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.model.otlp import clean_text
from cabtrace.runner.proxy.decode import decode_body
from cabtrace.runner.sse_redaction import SseRedactor

if TYPE_CHECKING:
    from cabtrace.otel.recorder import Recorder
    from cabtrace.runner.proxy.apis.facts import RequestFacts, ResponseFacts
    from cabtrace.runner.proxy.sink import CallRequest

_KEPT_HEADERS = frozenset(
    {"content-type", "content-encoding", "retry-after", "x-request-id", "request-id", "user-agent", "traceparent"}
)


class CallBodyWriter:
    """Not thread-safe: one call lives on one thread. Keeps the raw answer, up to a cap, for the parser."""

    def __init__(self, recorder: Recorder, call_id: str, *, enabled: bool) -> None:
        self._recorder = recorder
        self._call_id = call_id
        self._enabled = enabled
        self._raw = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stream = recorder.redactor.stream()
        self._events = SseRedactor(recorder.redactor)
        self._pieces: list[tuple[int, str]] = []
        self._flushed_ns = 0
        self._pending_chars = 0
        self._encoded = False
        self.chunk_count = 0
        self.total_bytes = 0

    def request(self, time_ns: int, index: int, request: CallRequest, facts: RequestFacts) -> None:
        """The request, secrets removed; JSON as JSON, anything else as text."""
        try:
            body: Any = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            body = request.body.decode("utf-8", "replace")
        clean = self._recorder.redactor.value
        record = {
            "type": "request",
            "t_ns": time_ns,
            "index": index,
            "api": request.api,
            "method": request.method,
            "path": self._recorder.redactor.text(request.path),
            "headers": clean({k: v for k, v in request.headers.items() if k in _KEPT_HEADERS}),
            "request_hash": facts.request_hash,
            "tool_names": clean(list(facts.tools)),
            "input_messages": clean(list(facts.messages)),
            "body": clean(body),
        }
        self._append(record, durable=True)

    def response_started(self, headers: Mapping[str, str]) -> None:
        """An encoded answer cannot be cleaned as it comes; it is written at its end."""
        self._encoded = headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")

    def chunk(self, time_ns: int, data: bytes) -> None:
        """A piece of the answer; written in batches."""
        limits = self._recorder.limits
        self.chunk_count += 1
        self.total_bytes += len(data)
        room = limits.recorded_body_bytes - len(self._raw)
        kept = data[:room] if room > 0 else b""
        self._raw += kept
        if self._encoded or not self._enabled:
            return
        self._take(time_ns, self._decoder.decode(kept))
        due = time_ns - self._flushed_ns >= limits.call_flush_interval_s * 1e9
        if due or self._pending_chars >= limits.call_flush_bytes:
            self._flush(time_ns)

    def raw(self) -> bytes:
        """The answer as it came, up to the cap."""
        return bytes(self._raw)

    def end(self, time_ns: int, status: int | None, headers: Mapping[str, str], error: str, facts: ResponseFacts) -> None:
        """The last pieces, then what the answer meant."""
        if self._encoded and self._enabled:
            decoded = decode_body(headers.get("content-encoding", ""), self.raw(), self._recorder.limits.recorded_body_bytes)
            text = decoded.data.decode("utf-8", "replace")
            self._take(time_ns, text)
        else:
            self._take(time_ns, self._decoder.decode(b"", final=True))
        for taken_ns, text in self._events.close(time_ns):
            self._pieces += self._stream.feed(taken_ns, text)
        self._pieces += self._stream.close()
        self._flush(time_ns)
        clean = self._recorder.redactor.value
        record = {
            "type": "response",
            "t_ns": time_ns,
            "status": status,
            "headers": clean({k: v for k, v in headers.items() if k in _KEPT_HEADERS}),
            "error": error,
            "error_message": clean(facts.error_message),
            "chunks": self.chunk_count,
            "bytes": self.total_bytes,
            "cut_bytes": self.total_bytes - len(self._raw),
            "output_messages": clean(list(facts.messages)),
        }
        self._append(record, durable=True)

    def _take(self, time_ns: int, text: str) -> None:
        if text:
            for taken_ns, clean in self._events.feed(time_ns, text):
                self._pieces += self._stream.feed(taken_ns, clean)
            self._pending_chars += len(text)

    def _flush(self, time_ns: int) -> None:
        self._flushed_ns, self._pending_chars = time_ns, 0
        if self._pieces:
            chunks = [[t, len(text)] for t, text in self._pieces]
            self._append({"type": "data", "chunks": chunks, "text": "".join(text for _, text in self._pieces)}, durable=False)
            self._pieces = []

    def _append(self, record: Mapping[str, Any], *, durable: bool) -> None:
        if not self._enabled:
            return
        writer = self._recorder.writer
        try:
            line = orjson.dumps({"call_id": self._call_id, **record}, default=str)
        except (TypeError, ValueError):  # lone surrogates, integers beyond 64 bits, nesting beyond 254
            try:
                line = orjson.dumps({"call_id": self._call_id, **_storable(record)}, default=str)
            except (TypeError, ValueError, RecursionError) as error:
                writer.count_loss("calls", str(error))
                return
        writer.append("calls", line + b"\n", durable=durable)


def _storable(value: Any, depth: int = 0) -> Any:
    """The same value where JSON can hold it, text where it cannot."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -(2**63) <= value < 2**63 else str(value)
    if depth > 200:
        return clean_text(str(value)[:4096])
    if isinstance(value, Mapping):
        return {clean_text(str(k)): _storable(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(v, depth + 1) for v in value]
    return value
