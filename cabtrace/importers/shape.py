"""Spans as the store wants them: what an export did to ours is undone, calls among those of others are recognised."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import fields, replace
from operator import attrgetter
from typing import Final

from cabtrace.importers.genai import kind_of, recognised
from cabtrace.importers.survey import Survey
from cabtrace.model import semconv as sc
from cabtrace.model.long_values import PART, join_long
from cabtrace.model.span import Attributes, SpanRecord, new_span

_NAMES: Final = tuple(f.name for f in fields(SpanRecord))
_AT: Final = _NAMES.index("attributes")
_VALUES: Final = attrgetter(*_NAMES)


class Shaper:
    """For one trace. `calls` maps the id of each model call to its number, by start."""

    def __init__(self, survey: Survey) -> None:
        told = survey.told
        wrappers = {int(span_id, 16) for span_id in told.call_parents} if not survey.ours else set()
        ordered = (span_id for _, span_id in sorted(told.calls) if span_id not in wrappers)
        self.calls = {span_id: number for number, span_id in enumerate(ordered, 1)}
        self._ours = bool(survey.ours)
        self._shift_ns = survey.timeshift_ns if survey.ours else 0

    def number(self, span: SpanRecord) -> int:
        """Which model call it is, from 1; 0 where it is none."""
        return self.calls.get(int(span.span_id, 16), 0)

    def whole(self, span: SpanRecord) -> SpanRecord:
        """The span as it was before it was sent: long values put together, times as they were."""
        if not self._ours or not (self._shift_ns or _is_split(span)):
            return span
        attributes = join_long(span.attributes)
        events = tuple(replace(e, attributes=join_long(e.attributes)) for e in span.events)
        links = tuple(replace(x, attributes=join_long(x.attributes)) for x in span.links)
        if by_ns := self._shift_ns:
            attributes.pop(sc.TIMESHIFT, None)
            events = tuple(replace(e, time_ns=max(e.time_ns - by_ns, 0)) for e in events)
            end_ns = None if span.end_ns is None else max(span.end_ns - by_ns, 0)
            span = replace(span, start_ns=max(span.start_ns - by_ns, 0), end_ns=end_ns)
        return replace(span, attributes=attributes, events=events, links=links)

    def span(self, span: SpanRecord, stored: Set[str]) -> SpanRecord:
        """The span for the store. What is `stored` beside ours need not stand in them; those of others stay as they came."""
        if not self._ours:
            return self._foreign(span)
        if not stored:
            return span
        return _with(span, {k: v for k, v in span.attributes.items() if k not in stored})

    def _foreign(self, span: SpanRecord) -> SpanRecord:
        kind = kind_of(span)
        if not kind:
            return span
        number = self.calls.get(int(span.span_id, 16))
        if kind == sc.SpanKind.MODEL_CALL and number is None:  # it wraps the call itself, whose tokens it repeats
            kind = sc.SpanKind.AGENT
        added = recognised(span.attributes, kind)
        return _with(span, {**span.attributes, **added, **({sc.CALL_INDEX: number} if number else {})})


def _with(span: SpanRecord, attributes: Attributes) -> SpanRecord:
    values = _VALUES(span)  # there are very many: `replace` takes longer than all else that is done to one
    return new_span(*values[:_AT], attributes, *values[_AT + 1 :])


def _is_split(span: SpanRecord) -> bool:
    if PART in "\n".join(span.attributes):
        return True
    holders = (*(e.attributes for e in span.events), *(x.attributes for x in span.links))
    return any(PART in key for attributes in holders for key in attributes)
