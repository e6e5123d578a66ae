"""The spans of a run one after another, however many there are: two passes over the file, ids only in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.otlp import decode_attributes, span_from_otlp, spans_from_line
from cabtrace.model.otlp_lines import span_line
from cabtrace.model.span import AttributeValue, SpanRecord
from cabtrace.store import layout
from cabtrace.store.lines import LineFile, nests_deeper

if TYPE_CHECKING:
    from cabtrace.store.reader import RunView

_BROKEN = (ValueError, KeyError, TypeError, AttributeError)
_MOST_LEVELS = 200
_SHALLOW = _MOST_LEVELS - 8  # brackets of a span alone: with those around it they are within the limit
_BEFORE, _AFTER = b'"spans":[', b"]}]}]}"
_MOST_TRACES = 64


@dataclass(slots=True)
class SpanSource:
    """What the first pass found: which lines are good, which were recorded twice, which spans never ended."""

    path: Path
    spans: int = 0
    latest_ns: int = 0  # the last instant that a span tells of
    trace_ids: dict[str, None] = field(default_factory=dict)  # in the order of the file, the first of them only
    bad_lines: list[int] = field(default_factory=list)
    skipped: set[int] = field(default_factory=set)
    unended: list[SpanRecord] = field(default_factory=list)
    folded: int = 0  # spans that others of them stand for

    def lines(self) -> Iterator[bytes]:
        """The spans as OTLP/JSON lines, as recorded; one that never ended says so and ends at the last known instant."""
        for line in LineFile(self.path / layout.TRACE).new_lines():
            if line.number not in self.skipped:
                yield line.data + b"\n"
        for span in self.unended:
            yield span_line(span)

    def records(self) -> Iterator[SpanRecord]:
        """The same spans decoded, in the order of the file."""
        for raw in self.raw():
            yield raw if isinstance(raw, SpanRecord) else raw.record()

    def raw(self) -> Iterator[RawSpan | SpanRecord]:
        """The same spans in the same order, as they were parsed; those that never ended as records."""
        resource = _LastResource()
        for line in LineFile(self.path / layout.TRACE).new_lines():
            if line.number not in self.skipped:
                yield from resource.spans(orjson.loads(line.data))
        yield from self.unended


@dataclass(frozen=True, slots=True)
class RawSpan:
    """An OTLP/JSON span with what stands around it. The resource is one object for as long as it stays the same."""

    span: dict[str, Any]
    resource: Mapping[str, AttributeValue]
    scope: dict[str, Any]

    def record(self) -> SpanRecord:
        """Decoded."""
        return span_from_otlp(self.span, self.resource, self.scope)


class _LastResource:
    """Decodes spans; the resource, which is the same in line after line, once for as long as it stays so."""

    def __init__(self) -> None:
        self._raw: object = None
        self._attributes: Mapping[str, AttributeValue] = {}

    def spans(self, value: dict[str, Any]) -> Iterator[RawSpan]:
        """As `spans_from_line`, of a line that the first pass found good."""
        for resource_spans in value["resourceSpans"]:
            raw = (resource_spans.get("resource") or {}).get("attributes") or []
            if raw != self._raw:
                self._raw, self._attributes = raw, decode_attributes(raw)
            for scope_spans in resource_spans["scopeSpans"]:
                scope = scope_spans.get("scope") or {}
                for span in scope_spans["spans"]:
                    yield RawSpan(span, self._attributes, scope)


def span_source(run: RunView) -> SpanSource:
    """Reads a run's trace once, to know what is in it. A line that is no span is left out and counted."""
    source = SpanSource(run.path)
    seen, repeated = set[int](), set[int]()
    lines = _Lines()
    for line in LineFile(run.path / layout.TRACE).new_lines():
        try:
            ids, traces, last_ns = lines.identify(line.data)
        except _BROKEN:
            source.bad_lines.append(line.number)
            source.skipped.add(line.number)
            continue
        for trace_id in traces:
            if trace_id not in source.trace_ids and len(source.trace_ids) < _MOST_TRACES:
                source.trace_ids[trace_id] = None
        if last_ns > source.latest_ns:
            source.latest_ns = last_ns
        for number in ids:
            (repeated if number in seen else seen).add(number)
    if repeated:
        _skip_all_but_the_last(source, repeated)
    source.unended = list(_unended(run, seen, source.latest_ns))
    source.spans = len(seen) + len(source.unended)
    for span in source.unended:
        source.trace_ids.setdefault(span.trace_id)
    if run.header.trace_id in source.trace_ids:  # the run's own comes first
        source.trace_ids = {run.header.trace_id: None, **source.trace_ids}
    return source


class _Lines:
    """Looks at lines; of what stands before a line's only span, the same line after line, only the first is parsed."""

    def __init__(self) -> None:
        self._before = b"\n"
        self._traces: list[str] = []

    def identify(self, data: bytes) -> tuple[Sequence[int], Sequence[str], int]:
        """As `_identify`."""
        before = self._before
        if not data.startswith(before) or not data.endswith(_AFTER):
            return self._new(data)
        text = data[len(before) : -len(_AFTER)]
        if text.count(b"{") + text.count(b"[") > _SHALLOW:
            return _identify(data)
        try:
            span = orjson.loads(text)
            trace_id = span["traceId"]
            if not self._traces or trace_id != self._traces[0]:
                int(trace_id, 16)
                self._traces = [trace_id.lower()]
            return (int(span["spanId"], 16),), self._traces, int(span.get("endTimeUnixNano") or 0)
        except _BROKEN:  # several spans, for one
            return _identify(data)

    def _new(self, data: bytes) -> tuple[Sequence[int], Sequence[str], int]:
        found = _identify(data)
        before, first, _ = data.partition(_BEFORE)
        # what ends here must be the beginning of a document with one resource, one scope and no span so far
        if first and _is_document(before + first + _AFTER):
            self._before = before + first
        return found


def _is_document(data: bytes) -> bool:
    try:
        (resource_spans,) = orjson.loads(data)["resourceSpans"]
        (part,) = resource_spans["scopeSpans"]
    except _BROKEN:
        return False
    return bool(part["spans"] == [])


def _identify(data: bytes) -> tuple[list[int], list[str], int]:
    """Span ids, trace ids and latest end of a line. Raises what a line that is no span makes it raise."""
    value = orjson.loads(data)
    if data.count(b"{") + data.count(b"[") > _MOST_LEVELS and nests_deeper(value, _MOST_LEVELS):
        raise ValueError("nests too deep")
    spans = [s for resource_spans in value["resourceSpans"] for part in resource_spans["scopeSpans"] for s in part["spans"]]
    ids, traces = [int(s["spanId"], 16) for s in spans], [str(s["traceId"]).lower() for s in spans]
    for trace_id in traces:
        int(trace_id, 16)
    return ids, traces, max([int(s.get("endTimeUnixNano") or 0) for s in spans], default=0)


def _skip_all_but_the_last(source: SpanSource, repeated: set[int]) -> None:
    """Where a span was recorded twice the later line counts; only lines of one span, as our writer makes them, go."""
    latest: dict[int, int] = {}
    for line in LineFile(source.path / layout.TRACE).new_lines():
        if line.number in source.skipped:
            continue
        ids, _, _ = _identify(line.data)
        if len(ids) == 1 and ids[0] in repeated:
            if ids[0] in latest:
                source.skipped.add(latest[ids[0]])
            latest[ids[0]] = line.number


def _unended(run: RunView, ended: set[int], latest_ns: int) -> Iterator[SpanRecord]:
    found: dict[int, SpanRecord] = {}
    for line in LineFile(run.path / layout.OPEN).new_lines():
        try:
            for span in spans_from_line(orjson.loads(line.data)):
                found[int(span.span_id, 16)] = span
        except _BROKEN:
            continue
    marker: Mapping[str, bool] = {sc.RUNNING: True} if run.live else {sc.ABORTED: True}
    for number, span in found.items():
        if number not in ended:
            yield replace(span, end_ns=max(span.start_ns, latest_ns), attributes={**span.attributes, **marker})
