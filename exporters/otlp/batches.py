"""Encoded spans gathered into requests by their bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import orjson

from cabtrace.limits import DEFAULT
from cabtrace.model.span import Attributes, SpanRecord
from exporters.otlp.json_codec import JsonCodec
from exporters.otlp.protobuf import ProtobufCodec

Codec = ProtobufCodec | JsonCodec
MOST_SPANS: Final = 2_048
_FRAME_BYTES: Final = 32  # tags and lengths around a span, at most
_SHRUNK_VALUE_BYTES: Final = (64 * 1024, 4 * 1024, 256)


class Encoded(NamedTuple):
    """A span as bytes, and nothing that the garbage collector would walk through; `resource` and `scope` are shared."""

    ordinal: int
    resource: bytes
    scope: bytes
    data: bytes


@dataclass(slots=True)
class Batch:
    """Spans of one request, in order."""

    spans: Sequence[Encoded]

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches; of one span there are none."""
        middle = len(self.spans) // 2
        return Batch(self.spans[:middle]), Batch(self.spans[middle:])

    def body(self, codec: Codec) -> bytes:
        """The request."""
        groups: dict[bytes, dict[bytes, list[bytes]]] = {}
        last_resource = last_scope = None
        spans: list[bytes] = []
        for _, resource, scope, data in self.spans:
            if resource is not last_resource or scope is not last_scope:
                spans = groups.setdefault(resource, {}).setdefault(scope, [])
                last_resource, last_scope = resource, scope
            spans.append(data)
        return codec.request((resource, scopes.items()) for resource, scopes in groups.items())


@dataclass(slots=True)
class Encoder:
    """Encodes one span after another; what is too large for a request alone is made smaller and says so."""

    codec: Codec
    max_bytes: int
    _resources: dict[bytes, bytes] = field(default_factory=dict)
    _scopes: dict[tuple[str, str], bytes] = field(default_factory=dict)
    _last: tuple[Attributes, bytes] | None = None

    def encode(self, ordinal: int, span: SpanRecord) -> Encoded:
        """The span as bytes."""
        resource, scope = self.resource(span.resource), self.scope(span.scope, span.scope_version)
        data = self.codec.span(span)
        return self.encoded(ordinal, resource, scope, data)

    def encoded(self, ordinal: int, resource: bytes, scope: bytes, data: bytes) -> Encoded:
        """A span that is bytes already, made smaller where it is too large."""
        encoded = Encoded(ordinal, resource, scope, data)
        if len(data) + len(resource) + len(scope) + _FRAME_BYTES > self.max_bytes:
            return self.shrunk(encoded, self.max_bytes)
        return encoded

    def shrunk(self, encoded: Encoded, max_bytes: int) -> Encoded:
        """The same span within `max_bytes`, or as small as it gets: values are cut, then attributes and events left out."""
        span = self.codec.read(Batch([encoded]).body(self.codec))
        room = max_bytes - len(encoded.resource) - len(encoded.scope) - _FRAME_BYTES
        data = encoded.data
        for value_bytes in _SHRUNK_VALUE_BYTES:
            data = type(self.codec)(replace(DEFAULT, attribute_value_bytes=value_bytes)).span(span)
            if len(data) <= room:
                return encoded._replace(data=data)
        codec = type(self.codec)(replace(DEFAULT, attribute_value_bytes=_SHRUNK_VALUE_BYTES[-1]))
        while len(data) > room and (span.attributes or span.events or span.links or len(span.name) > _SHRUNK_VALUE_BYTES[-1]):
            span = _halved(span)
            data = codec.span(span)
        return encoded._replace(data=data)

    def resource(self, attributes: Attributes) -> bytes:
        """A resource's bytes, the same object for equal resources."""
        if self._last is not None and self._last[0] is attributes:
            return self._last[1]
        key = (
            orjson.dumps(list(attributes.items()), default=repr)
            if _plain(attributes)
            else repr(attributes).encode("utf-8", "replace")
        )
        found = self._resources.get(key)
        if found is None:
            found = self._resources[key] = self.codec.resource(attributes)
        self._last = (attributes, found)  # holding them keeps their identity theirs
        return found

    def scope(self, name: str, version: str) -> bytes:
        """A scope's bytes, likewise."""
        found = self._scopes.get((name, version))
        if found is None:
            found = self._scopes[(name, version)] = self.codec.scope(name, version)
        return found


def _plain(attributes: Attributes) -> bool:
    return all(type(v) is str and v.isascii() for v in attributes.values())


def _halved(span: SpanRecord) -> SpanRecord:
    kept = dict(list(span.attributes.items())[: len(span.attributes) // 2])
    events, links = span.events[: len(span.events) // 2], span.links[: len(span.links) // 2]
    return replace(
        span,
        name=span.name[:256],
        status_message=span.status_message[:256],
        trace_state="",
        attributes=kept,
        events=events,
        links=links,
        dropped_attributes=span.dropped_attributes + len(span.attributes) - len(kept),
        dropped_events=span.dropped_events + len(span.events) - len(events),
        dropped_links=span.dropped_links + len(span.links) - len(links),
    )


def batches(encoded: Iterable[Encoded], max_bytes: int, most_spans: int = MOST_SPANS) -> Iterator[Batch]:
    """Requests of at most `max_bytes`, or of one span."""
    pending: list[Encoded] = []
    seen: set[tuple[bytes, bytes]] = set()
    last_resource = last_scope = None
    size = 0
    for span in encoded:
        _, resource, scope, data = span
        extra = len(data) + _FRAME_BYTES
        if resource is not last_resource or scope is not last_scope:
            last_resource, last_scope = resource, scope
            if (resource, scope) not in seen:
                extra += _around_bytes(span)
        if pending and (size + extra > max_bytes or len(pending) >= most_spans):
            yield Batch(pending)
            pending, seen, size = [], set(), 0
            extra = len(data) + _FRAME_BYTES + _around_bytes(span)
        if not pending or extra > len(data) + _FRAME_BYTES:
            seen.add((resource, scope))
        pending.append(span)
        size += extra
    if pending:
        yield Batch(pending)


def _around_bytes(span: Encoded) -> int:
    return len(span.resource) + len(span.scope) + 2 * _FRAME_BYTES
