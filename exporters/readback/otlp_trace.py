"""OTLP-like JSON of backends as spans: ids in hex or base64, enums as numbers or names, `batches` or `resourceSpans`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cabtrace.model.otlp import decode_attributes, span_from_otlp
from cabtrace.model.span import SpanRecord

_KINDS: Final = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
_CODES: Final = ("UNSET", "OK", "ERROR")


def spans_of(trace: Mapping[str, Any]) -> Iterator[SpanRecord]:
    """Every span of a trace object."""
    for part in trace.get("resourceSpans") or trace.get("batches") or ():
        resource = decode_attributes((part.get("resource") or {}).get("attributes") or ())
        for scope_spans in part.get("scopeSpans") or ():
            scope = scope_spans.get("scope") or {}
            for span in scope_spans.get("spans") or ():
                yield span_from_otlp(_canonical(span), resource, scope)


def _canonical(span: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(span)
    out["traceId"], out["spanId"] = _hex(span.get("traceId"), 32), _hex(span.get("spanId"), 16)
    out["parentSpanId"] = _hex(span.get("parentSpanId"), 16)
    out["kind"] = _enum(span.get("kind"), "SPAN_KIND_", _KINDS)
    status = span.get("status") or {}
    out["status"] = {**status, "code": _enum(status.get("code"), "STATUS_CODE_", _CODES)}
    out["links"] = [
        {**x, "traceId": _hex(x.get("traceId"), 32), "spanId": _hex(x.get("spanId"), 16)} for x in span.get("links") or ()
    ]
    return out


def _hex(value: object, digits: int) -> str:
    text = value if isinstance(value, str) else ""
    if len(text) == digits or not text:
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return text.lower().rjust(digits, "0")  # leading zeroes left out


def _enum(value: object, prefix: str, names: tuple[str, ...]) -> int:
    if isinstance(value, str):
        name = value.removeprefix(prefix)
        return names.index(name) if name in names else int(value) if value.isdigit() else 0
    return value if isinstance(value, int) else 0
