"""Traces as files and backends have them in JSON: OTLP, the answers of Jaeger's and Tempo's APIs, Jaeger's own format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cabtrace.model.otlp import JsonObject
from cabtrace.otel.jaeger_json import is_jaeger_trace, jaeger_spans
from cabtrace.otel.receiver.batch import Batch, MalformedError
from cabtrace.otel.receiver.from_json import BROKEN, read_span, records
from cabtrace.store.lines import nests_deeper

_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_CODES: Final = ("UNSET", "OK", "ERROR")
_MOST_LEVELS: Final = 200
_WRAPPERS: Final = ("result", "trace")  # Jaeger's API v3, Tempo's API v2
_MOST_WRAPPED: Final = 4


def read_trace(document: object, text: bytes | None = None) -> Batch:
    """The spans of a parsed document; ids may be hex or base64, enums numbers or names. Raises MalformedError.

    With the `text` that it was parsed from it is known sooner that it is not too deep.
    """
    shallow = text is not None and text.count(b"{") + text.count(b"[") <= _MOST_LEVELS
    if not shallow and nests_deeper(document, _MOST_LEVELS):
        raise MalformedError(f"it nests deeper than {_MOST_LEVELS} levels")
    batch = Batch()
    for part in _parts(document):
        if is_jaeger_trace(part):
            spans, broken = jaeger_spans(part)
            batch.spans += spans
            batch.rejected += broken
            continue
        for item, resource, scope in records(part, "resourceSpans", "scopeSpans", "spans"):
            try:
                batch.spans.append(read_span(_canonical(item), resource, scope))
            except BROKEN:
                batch.rejected += 1
    return batch


def _parts(document: object, depth: int = 0) -> Iterator[JsonObject]:
    if isinstance(document, list):
        for item in document:
            yield from _parts(item, depth + 1)
        return
    if not isinstance(document, dict) or depth > _MOST_WRAPPED:
        raise MalformedError("it is no OTLP trace")
    if "resourceSpans" in document or is_jaeger_trace(document):
        yield document
    elif "batches" in document:  # Tempo's API v1, and its trace files
        yield {"resourceSpans": document["batches"]}
    elif isinstance(document.get("data"), list):  # Jaeger's older API, and what its page downloads
        yield from _parts(document["data"], depth + 1)
    elif inner := next((document[name] for name in _WRAPPERS if isinstance(document.get(name), dict)), None):
        yield from _parts(inner, depth + 1)
    elif "resourceLogs" in document or "resourceMetrics" in document:
        raise MalformedError("it holds logs or metrics, and no spans")
    else:
        raise MalformedError("it is no OTLP trace: it has no resourceSpans")


def _canonical(span: Mapping[str, Any]) -> JsonObject:
    out = dict(span)
    for key, digits in (("traceId", 32), ("spanId", 16), ("parentSpanId", 16)):
        out[key] = _padded(span.get(key), digits)
    out["kind"] = _enum(span.get("kind"), "SPAN_KIND_", _KINDS)
    status = span.get("status")
    if isinstance(status, dict):
        out["status"] = {**status, "code": _enum(status.get("code"), "STATUS_CODE_", _CODES)}
    return out


def _padded(value: object, digits: int) -> object:
    """Hex whose leading zeroes were left out; anything else as it is."""
    if isinstance(value, str) and 0 < len(value) < digits and all(c in "0123456789abcdefABCDEF" for c in value):
        return value.rjust(digits, "0")
    return value


def _enum(value: object, prefix: str, names: tuple[str, ...]) -> int:
    if isinstance(value, str):
        name = value.removeprefix(prefix)
        return names.index(name) if name in names else int(value) if value.isdecimal() and len(value) < 4 else 0
    return value if isinstance(value, int) else 0
