"""What a timeline needs to know of very many spans, as columns: some fifty bytes a span instead of some thousand."""

from __future__ import annotations

import re
from array import array
from hashlib import blake2b
from typing import Final

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord, SpanState

#: `kinds` holds a place in here; the first is that of a span without a kind, the second of one with some other.
KINDS: Final = (
    "",
    "?",
    sc.SpanKind.CELL,
    sc.SpanKind.TASK_SETUP,
    sc.SpanKind.ADAPTER_RUN,
    sc.SpanKind.CONTAINER,
    sc.SpanKind.MODEL_CALL,
    sc.SpanKind.TOOL_CALL,
    sc.SpanKind.SCORE,
    sc.SpanKind.VERIFIER,
    sc.SpanKind.CLEANUP,
    sc.SpanKind.AGENT,
)
KIND_CODES: Final = {kind: code for code, kind in enumerate(KINDS)}
#: bits of `flags`; CHILD: it names a parent; ODD_ID: the id is not one of OpenTelemetry's, and `ids` holds a digest of it
FAILED, PENDING, ABORTED, OPERATION, TOOL, PLUGINS, ODD_ID, CHILD, DUPLICATE = (1 << bit for bit in range(9))
_LISTED = 1 << 15  # something of it is in the shorter columns
#: in `parents`: it has none; it names one that was not recorded
NO_PARENT, LOST_PARENT = -1, -2
#: in `ends`, `call_inputs` and the like: not known
UNKNOWN: Final = -(2**63)
_LEAST, _MOST = UNKNOWN + 1, 2**63 - 1

_APPLIED_PLUGINS = "applied_plugins"
_EXECUTE_TOOL = "execute_tool"
_HEX_ID = re.compile(r"[0-9a-f]{16}").fullmatch


def id_number(span_id: str) -> int:
    """A span id as 64 bits: its own where it is one of OpenTelemetry's, else a digest."""
    if _HEX_ID(span_id):
        return int(span_id, 16)
    return int.from_bytes(blake2b(span_id.encode("utf-8", "replace"), digest_size=8).digest())


def in_range(number: int) -> int:
    """What fits a column, and is not `UNKNOWN`."""
    return min(max(number, _LEAST), _MOST)


class SpanFacts:
    """Columns with an entry a span, and shorter ones with an entry a model call, an event, a failure (by place of the span).

    `starts` and `ends` are Unix ns; `offsets` and `items` say where its record is: the byte at which its line begins, and which
    span of that line it is.
    """

    def __init__(self) -> None:
        self.ids, self.parent_ids = array("Q"), array("Q")
        self.starts, self.ends, self.offsets, self.items = array("q"), array("q"), array("q"), array("i")
        self.kinds, self.flags = array("B"), array("H")
        self.call_spans, self.call_numbers = array("i"), array("q")
        self.call_inputs, self.call_outputs = array("q"), array("q")
        self.event_spans, self.event_items, self.event_times = array("i"), array("i"), array("q")
        self.failure_spans, self.failure_times = array("i"), array("q")
        self.void: dict[int, tuple[int, int, int]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def copy(self) -> SpanFacts:
        """Another one of the same entries."""
        other = SpanFacts()
        for name, column in vars(self).items():
            setattr(other, name, column.copy() if isinstance(column, dict) else column[:])
        return other

    def add(self, span: SpanRecord, offset: int = 0, item: int = 0) -> None:
        """One more."""
        place = len(self.ids)
        self.ids.append(id_number(span.span_id))
        for column in (self.parent_ids, self.starts, self.ends, self.offsets, self.items, self.kinds, self.flags):
            column.append(0)
        self.put(place, span, offset, item)

    def put(self, place: int, span: SpanRecord, offset: int = 0, item: int = 0) -> None:
        """In the place of one of the same id, of which nothing remains."""
        if self.flags[place] & _LISTED:
            # The entries so far are void; they are dropped together later, as a file may repeat one id a million times.
            self.void[place] = len(self.call_spans), len(self.event_spans), len(self.failure_spans)
        attributes = span.attributes
        kind = attributes.get(sc.SPAN_KIND)
        code = 0 if kind is None else KIND_CODES.get(kind, 1) if isinstance(kind, str) and kind else 1
        flags = FAILED if span.failed else 0
        if span.state is not SpanState.ENDED:
            flags |= PENDING if span.state is SpanState.RUNNING else PENDING | ABORTED
        if sc.GEN_AI_OPERATION in attributes:
            flags |= OPERATION | TOOL if attributes[sc.GEN_AI_OPERATION] == _EXECUTE_TOOL else OPERATION
        if span.name == _APPLIED_PLUGINS:
            flags |= PLUGINS
        if not _HEX_ID(span.span_id):
            flags |= ODD_ID
        if span.parent_id:
            flags |= CHILD
            self.parent_ids[place] = id_number(span.parent_id)
        if kind == sc.SpanKind.MODEL_CALL:
            flags |= _LISTED
            self._add_call(place, span)
        if span.events:
            flags |= _LISTED
            self._add_events(place, span)
        self.starts[place] = in_range(span.start_ns)
        self.ends[place] = UNKNOWN if span.end_ns is None else in_range(span.end_ns)
        self.offsets[place], self.items[place], self.kinds[place] = offset, item, code
        self.flags[place] = flags

    def _add_call(self, place: int, span: SpanRecord) -> None:
        self.call_spans.append(place)
        self.call_numbers.append(in_range(span.integer(sc.CALL_INDEX) or 0))
        for column, key in ((self.call_inputs, sc.GEN_AI_INPUT_TOKENS), (self.call_outputs, sc.GEN_AI_OUTPUT_TOKENS)):
            tokens = span.integer(key)
            column.append(UNKNOWN if tokens is None else in_range(tokens))

    def _add_events(self, place: int, span: SpanRecord) -> None:
        for item, event in enumerate(span.events):
            self.event_spans.append(place)
            self.event_items.append(item)
            self.event_times.append(in_range(event.time_ns))
        if span.failed:
            failed_at = min((event.time_ns for event in span.events if event.name == "exception"), default=None)
            if failed_at is not None:
                self.failure_spans.append(place)
                self.failure_times.append(in_range(failed_at))
