"""Spans as they leave: content in or out, times shifted, long values split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cabtrace.model import semconv as sc
from cabtrace.model.long_values import split_long
from cabtrace.model.span import Attributes, SpanEvent, SpanLink, SpanRecord
from exporters.fold import fold
from exporters.otlp.content import ContentFilter, messages_of

if TYPE_CHECKING:
    from cabtrace.store.reader import RunView
    from exporters.source import SpanSource


@dataclass(frozen=True, slots=True)
class Shape:
    """What is done to a span on its way out. `timeshift_ns` is added to every time; `value_bytes` splits longer strings.

    `fold` is done to the source that the spans come from, see `shaped`.
    """

    content: bool = False
    timeshift_ns: int = 0
    value_bytes: int | None = None
    fold: bool = False


def shaped(source: SpanSource, shape: Shape) -> SpanSource:
    """The source whose spans are to leave: the run's own, or with its quiet spans folded."""
    return fold(source) if shape.fold else source


def outgoing(
    run: RunView, spans: Iterable[SpanRecord], shape: Shape, content: ContentFilter | None = None
) -> Iterator[SpanRecord]:
    """The spans in their order, each as it may leave this machine. A filter that is at hand already need not be made anew."""
    if shape.content:
        content = None
    elif content is None:
        content = ContentFilter(run.header.task.instruction)
    resource = _SplitResource(shape.value_bytes)
    for span in spans:
        if content is not None:
            span = _without_content(span, content)
        elif span.attributes.get(sc.SPAN_KIND) == sc.SpanKind.MODEL_CALL:
            span = replace(span, attributes={**span.attributes, **messages_of(run, span.span_id)})
        if shape.timeshift_ns:
            span = _shifted(span, shape.timeshift_ns)
        if shape.value_bytes is not None:
            span = _split(span, shape.value_bytes, resource.of(span))
        yield span


def _without_content(span: SpanRecord, content: ContentFilter) -> SpanRecord:
    attributes = content.attributes(span.attributes)
    name, message = content.text(span.name), content.text(span.status_message)
    if (
        attributes is span.attributes
        and name == span.name
        and message == span.status_message
        and not span.events
        and not span.links
    ):
        return span
    return replace(
        span,
        name=name,
        status_message=message,
        attributes=attributes,
        events=tuple([replace(e, attributes=content.attributes(e.attributes)) for e in span.events]) if span.events else (),
        links=tuple([replace(x, attributes=content.attributes(x.attributes)) for x in span.links]) if span.links else (),
    )


def _shifted(span: SpanRecord, by_ns: int) -> SpanRecord:
    return replace(
        span,
        start_ns=span.start_ns + by_ns,
        end_ns=None if span.end_ns is None else span.end_ns + by_ns,
        events=tuple([SpanEvent(e.name, e.time_ns + by_ns, e.attributes) for e in span.events]),
        attributes={**span.attributes, sc.TIMESHIFT: by_ns} if span.parent_id is None else span.attributes,
    )


class _SplitResource:
    """A resource's long values split, once for as long as it stays the same object: it does for a whole run."""

    def __init__(self, max_bytes: int | None) -> None:
        self._max_bytes = max_bytes or 0
        self._last: tuple[Attributes, Attributes] | None = None

    def of(self, span: SpanRecord) -> Attributes:
        """The span's resource."""
        if self._last is None or self._last[0] is not span.resource:
            self._last = (span.resource, split_long(span.resource, self._max_bytes))
        return self._last[1]


def _split(span: SpanRecord, max_bytes: int, resource: Attributes) -> SpanRecord:
    return replace(
        span,
        resource=resource,
        attributes=split_long(span.attributes, max_bytes),
        events=tuple([SpanEvent(e.name, e.time_ns, split_long(e.attributes, max_bytes)) for e in span.events]),
        links=tuple([SpanLink(x.trace_id, x.span_id, split_long(x.attributes, max_bytes)) for x in span.links]),
    )
