"""An ended SDK span as one strict OTLP/JSON line, secrets removed.

The line is put together from bytes: through dictionaries it costs several times as much, and a recorder must not be felt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model import semconv as sc
from cabtrace.model.otlp import clamp_time, clean_text
from cabtrace.otel.attributes import AttributeEncoder
from cabtrace.redact import Redactor

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link

_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200  # SpanFlags of opentelemetry-proto trace.proto
_UINT64_MAX = 2**64 - 1
_CACHED_NAMES = 4_096


class SpanEncoder:
    """Encodes spans of one process; resource and scope, which hardly change, are encoded once."""

    def __init__(self, redactor: Redactor, limits: Limits = DEFAULT) -> None:
        self._redactor = redactor
        self._known = redactor.known
        self._attributes = AttributeEncoder(redactor, limits)
        self._prefixes: dict[tuple[int, str, str], tuple[Resource, bytes]] = {}
        self._names: dict[str, bytes] = {}

    def line(self, span: ReadableSpan) -> bytes:
        """`{"resourceSpans":[…]}` and a newline. Raises ValueError or TypeError on what is no span."""
        return self._prefix(span.resource, span.instrumentation_scope) + self._span(span) + b"]}]}]}\n"

    def _prefix(self, resource: Resource, scope: InstrumentationScope | None) -> bytes:
        name, version = (scope.name, scope.version or "") if scope else ("", "")
        key = (id(resource), name, version)
        found = self._prefixes.get(key)
        if found is None:
            prefix = b'{"resourceSpans":[{"resource":{"attributes":%b},"scopeSpans":[{"scope":%b,"spans":[' % (
                self._attributes.encode(dict(resource.attributes), []),
                orjson.dumps({"name": clean_text(name), "version": clean_text(version)}),
            )
            found = self._prefixes[key] = (resource, prefix)  # holding the resource keeps its id its own
        return found[1]

    def _span(self, span: ReadableSpan) -> bytes:
        context, parent, status = span.context, span.parent, span.status
        if context is None:
            raise ValueError("a span without a context")
        changed: list[str] = []
        flags = int(context.trace_flags) | _HAS_IS_REMOTE
        parent_id = b""
        if parent is not None:
            parent_id = b'"parentSpanId":"%016x",' % parent.span_id
            flags |= _IS_REMOTE if parent.is_remote else 0
        attributes = self._attributes.encode(span.attributes, changed)
        rest = self._rest(span, changed)
        if changed:
            marker = self._attributes.encode({sc.SANITIZED: sorted(set(changed))}, [])
            attributes = marker if attributes == b"[]" else attributes[:-1] + b"," + marker[1:]
        start, end = span.start_time or 0, span.end_time or span.start_time or 0
        return b'{"traceId":"%032x","spanId":"%016x",%b"flags":%d,"name":%b,"kind":%d,%b,"attributes":%b%b,"status":%b}' % (
            context.trace_id,
            context.span_id,
            parent_id,
            flags,
            self._name(span.name),
            span.kind.value + 1,
            _times(start, end),
            attributes,
            rest,
            b"{}" if not status.status_code.value else self._status(status.status_code.value, status.description),
        )

    def _name(self, name: str) -> bytes:
        if self._redactor.known is not self._known:
            self._known = self._redactor.known
            self._names.clear()
        found = self._names.get(name)
        if found is None:
            found = orjson.dumps(clean_text(self._redactor.text(name)))
            if len(self._names) < _CACHED_NAMES and b"[redacted:" not in found:
                self._names[name] = found
        return found

    def _status(self, code: int, description: str | None) -> bytes:
        message = clean_text(self._redactor.text(description)) if description else ""
        return orjson.dumps({"code": code, "message": message} if message else {"code": code})

    def _rest(self, span: ReadableSpan, changed: list[str]) -> bytes:
        """What most spans do not have: events, links, dropped counts, a trace state."""
        out = b""
        if span.events:
            out += b',"events":[%b]' % b",".join([self._event(e, changed) for e in span.events])
        if span.links:
            out += b',"links":[%b]' % b",".join([self._link(x, changed) for x in span.links])
        if span.context is not None and span.context.trace_state:
            out += b',"traceState":%b' % orjson.dumps(clean_text(span.context.trace_state.to_header()))
        for key, dropped in (
            (b"droppedAttributesCount", span.dropped_attributes),
            (b"droppedEventsCount", span.dropped_events),
            (b"droppedLinksCount", span.dropped_links),
        ):
            if dropped:
                out += b',"%b":%d' % (key, dropped)
        return out

    def _event(self, event: Event, changed: list[str]) -> bytes:
        attributes = self._attributes.encode(event.attributes, changed)
        time = clamp_time(event.timestamp).encode()
        return b'{"timeUnixNano":"%b","name":%b,"attributes":%b}' % (time, self._name(event.name), attributes)

    def _link(self, link: Link, changed: list[str]) -> bytes:
        attributes = self._attributes.encode(link.attributes, changed)
        return b'{"traceId":"%032x","spanId":"%016x","attributes":%b}' % (link.context.trace_id, link.context.span_id, attributes)


def _times(start_ns: int, end_ns: int) -> bytes:
    if not (0 <= start_ns <= _UINT64_MAX and 0 <= end_ns <= _UINT64_MAX):
        start_ns, end_ns = int(clamp_time(start_ns)), int(clamp_time(end_ns))
    return b'"startTimeUnixNano":"%d","endTimeUnixNano":"%d"' % (start_ns, end_ns)
