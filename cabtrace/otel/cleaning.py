"""Foreign records without their secrets, before anything of them is written."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cabtrace.model.log import LogRecord
    from cabtrace.model.span import Attributes, SpanRecord
    from cabtrace.redact import Redactor

_MOST_RESOURCES = 64  # kept from one batch to the next


class RecordCleaner:
    """Cleans spans and log records. What many of them share, their resource, is cleaned once a batch."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._resources: dict[int, tuple[Attributes, Attributes]] = {}

    def begin_batch(self) -> None:
        """What is hidden from here on in a resource is counted anew."""
        kept = {number: pair for number, pair in self._resources.items() if pair[0] is pair[1]}
        self._resources = kept if len(kept) < _MOST_RESOURCES else {}

    def span(self, span: SpanRecord) -> SpanRecord:
        """The same span, every string and key in it redacted; the same object where there is nothing to hide."""
        if self._redactor.harmless(
            span.name, span.status_message, span.trace_state, span.scope, span.scope_version, span.attributes,
            *(e.name for e in span.events), *(e.attributes for e in span.events), *(x.attributes for x in span.links),
        ):  # fmt: skip
            resource = self._resource(span.resource)
            return span if resource is span.resource else replace(span, resource=resource)
        text, value = self._redactor.text, self._redactor.value
        return replace(
            span,
            name=text(span.name),
            status_message=text(span.status_message),
            trace_state=text(span.trace_state),
            scope=text(span.scope),
            scope_version=text(span.scope_version),
            attributes=value(span.attributes),
            events=tuple(replace(e, name=text(e.name), attributes=value(e.attributes)) for e in span.events),
            links=tuple(replace(x, attributes=value(x.attributes)) for x in span.links),
            resource=self._resource(span.resource),
        )

    def log(self, log: LogRecord) -> LogRecord:
        """The same record, likewise."""
        text, value = self._redactor.text, self._redactor.value
        return replace(
            log,
            severity_text=text(log.severity_text),
            event_name=text(log.event_name),
            scope=text(log.scope),
            scope_version=text(log.scope_version),
            body=value(log.body),
            attributes=value(log.attributes),
            resource=self._resource(log.resource),
        )

    def _resource(self, attributes: Attributes) -> Attributes:
        found = self._resources.get(id(attributes))
        if found is None:  # holding the original keeps its identity its own
            found = self._resources[id(attributes)] = (attributes, self._redactor.value(attributes))
        return found[1]
