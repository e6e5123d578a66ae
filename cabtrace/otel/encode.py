"""An ended SDK span as one strict OTLP/JSON line, secrets removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model import semconv as sc
from cabtrace.model.otlp import JsonObject, ValueEncoder, clamp_time, clean_text, encode_attributes
from cabtrace.redact import Redactor

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link

_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200  # SpanFlags of opentelemetry-proto trace.proto


class SpanEncoder:
    """Encodes spans of one process; resource and scope, which hardly change, are encoded once."""

    def __init__(self, redactor: Redactor, limits: Limits = DEFAULT) -> None:
        self._redactor = redactor
        self._limits = limits
        self._values = ValueEncoder(limits)
        self._prefixes: dict[tuple[int, str, str], tuple[Resource, bytes]] = {}

    def line(self, span: ReadableSpan) -> bytes:
        """`{"resourceSpans":[…]}` and a newline. Raises ValueError or TypeError on what is no span."""
        body = orjson.dumps(self._span(span), option=orjson.OPT_PASSTHROUGH_SUBCLASS, default=str)
        return self._prefix(span.resource, span.instrumentation_scope) + body + b"]}]}]}\n"

    def _prefix(self, resource: Resource, scope: InstrumentationScope | None) -> bytes:
        name, version = (scope.name, scope.version or "") if scope else ("", "")
        key = (id(resource), name, version)
        found = self._prefixes.get(key)
        if found is None:
            fields = {"attributes": self._attributes(resource.attributes, [])}
            scope_fields = {"name": name, "version": version}
            prefix = b'{"resourceSpans":[{"resource":%b,"scopeSpans":[{"scope":%b,"spans":[' % (
                orjson.dumps(fields),
                orjson.dumps(scope_fields),
            )
            found = self._prefixes[key] = (resource, prefix)  # holding the resource keeps its id its own
        return found[1]

    def _attributes(self, attributes: Mapping[str, Any] | None, changed: list[str]) -> list[JsonObject]:
        if not attributes:
            return []
        return encode_attributes(self._redactor.value(dict(attributes)), self._values, changed)

    def _span(self, span: ReadableSpan) -> JsonObject:
        context, parent, status = span.context, span.parent, span.status
        if context is None:
            raise ValueError("a span without a context")
        changed: list[str] = []
        out: JsonObject = {"traceId": f"{context.trace_id:032x}", "spanId": f"{context.span_id:016x}"}
        flags = int(context.trace_flags) | _HAS_IS_REMOTE
        if parent is not None:
            out["parentSpanId"] = f"{parent.span_id:016x}"
            flags |= _IS_REMOTE if parent.is_remote else 0
        if context.trace_state:
            out["traceState"] = context.trace_state.to_header()
        out["flags"] = flags
        out["name"] = clean_text(self._redactor.text(span.name))
        out["kind"] = span.kind.value + 1
        out["startTimeUnixNano"] = clamp_time(span.start_time)
        out["endTimeUnixNano"] = clamp_time(span.end_time if span.end_time is not None else span.start_time)
        attributes = self._attributes(span.attributes, changed)
        if span.events:
            out["events"] = [self._event(e, changed) for e in span.events]
        if span.links:
            out["links"] = [self._link(x, changed) for x in span.links]
        if changed:
            attributes.append({"key": sc.SANITIZED, "value": self._values.encode(sorted(set(changed)))})
        out["attributes"] = attributes
        for key, dropped in (
            ("droppedAttributesCount", span.dropped_attributes),
            ("droppedEventsCount", span.dropped_events),
            ("droppedLinksCount", span.dropped_links),
        ):
            if dropped:
                out[key] = dropped
        out["status"] = {"code": status.status_code.value} if status.status_code.value else {}
        if status.description:
            out["status"]["message"] = clean_text(self._redactor.text(status.description))
        return out

    def _event(self, event: Event, changed: list[str]) -> JsonObject:
        return {
            "timeUnixNano": clamp_time(event.timestamp),
            "name": clean_text(self._redactor.text(event.name)),
            "attributes": self._attributes(event.attributes, changed),
        }

    def _link(self, link: Link, changed: list[str]) -> JsonObject:
        return {
            "traceId": f"{link.context.trace_id:032x}",
            "spanId": f"{link.context.span_id:016x}",
            "attributes": self._attributes(link.attributes, changed),
        }
