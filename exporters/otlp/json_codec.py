"""OTLP JSON, as bytes of one span each, put together into requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from cabtrace.limits import Limits
from cabtrace.model.otlp import ValueEncoder, clean_text, encode_attributes, span_to_otlp, spans_from_line
from cabtrace.model.span import SpanRecord
from exporters.otlp.values import SENT, SafeValues


class JsonCodec:
    """The same service as `ProtobufCodec`, by opentelemetry-proto's JSON mapping."""

    content_type = "application/json"

    def __init__(self, limits: Limits = SENT) -> None:
        self._limits = replace(limits, attribute_value_bytes=limits.attribute_value_bytes + 256)  # room for the note of a cut
        self._values = SafeValues(limits)

    def resource(self, attributes: Mapping[str, Any]) -> bytes:
        """A resource object."""
        return orjson.dumps({"attributes": encode_attributes(attributes, ValueEncoder(self._limits), [])})

    def scope(self, name: str, version: str) -> bytes:
        """A scope object."""
        return orjson.dumps({"name": clean_text(name), "version": clean_text(version)})

    def span(self, span: SpanRecord) -> bytes:
        """A span object."""
        attributes = self._values.begin(span.attributes)
        safe = {key: self._values.safe(key, value) for key, value in attributes.items()}
        if self._values.changed:
            span = replace(span, attributes=safe | dict(self._values.marker()))
        return orjson.dumps(span_to_otlp(span, self._limits))

    def read(self, request: bytes) -> SpanRecord:
        """The one span of a request that was encoded here."""
        return spans_from_line(orjson.loads(request))[0]

    def request(self, groups: Iterable[tuple[bytes, Iterable[tuple[bytes, Iterable[bytes]]]]]) -> bytes:
        """`{"resourceSpans": […]}` of (resource, [(scope, [spans])])."""
        out = []
        for resource, scopes in groups:
            inner = [b'{"scope":%b,"spans":[%b]}' % (scope, b",".join(spans)) for scope, spans in scopes]
            out.append(b'{"resource":%b,"scopeSpans":[%b]}' % (resource, b",".join(inner)))
        return b'{"resourceSpans":[%b]}' % b",".join(out)
