"""Spans as they were recorded: OpenTelemetry's fields, plus what became of the span."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from enum import StrEnum

_Scalar = str | bool | int | float | bytes | None
AttributeValue = _Scalar | Sequence["AttributeValue"] | Mapping[str, "AttributeValue"]
Attributes = Mapping[str, AttributeValue]

STATUS_UNSET, STATUS_OK, STATUS_ERROR = 0, 1, 2
KIND_INTERNAL, KIND_SERVER, KIND_CLIENT, KIND_PRODUCER, KIND_CONSUMER = 1, 2, 3, 4, 5


class SpanState(StrEnum):
    """`aborted`: it started and its end was never recorded, because the recorder died."""

    ENDED = "ended"
    RUNNING = "running"
    ABORTED = "aborted"


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A point in time within a span."""

    name: str
    time_ns: int
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanLink:
    """A reference to another span, of this trace or another."""

    trace_id: str
    span_id: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One span. Ids are lower-case hex (32 and 16 digits); times are Unix nanoseconds; enums are OTLP's integers.

    Strings are as recorded, hence hostile: `cabtrace.text.safe` them before they are shown.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int | None
    kind: int = KIND_INTERNAL
    status_code: int = STATUS_UNSET
    status_message: str = ""
    attributes: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    state: SpanState = SpanState.ENDED
    dropped_attributes: int = 0
    dropped_events: int = 0
    dropped_links: int = 0
    trace_state: str = ""
    scope: str = ""
    scope_version: str = ""
    resource: Attributes = field(default_factory=dict)
    flags: int = 0

    @property
    def failed(self) -> bool:
        """Whether the span itself says that it failed."""
        return self.status_code == STATUS_ERROR

    def text(self, key: str, default: str = "") -> str:
        """A string attribute, or `default` where it is missing or of another type."""
        value = self.attributes.get(key)
        return value if isinstance(value, str) else default

    def integer(self, key: str) -> int | None:
        """An integer attribute; None means unknown."""
        value = self.attributes.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def number(self, key: str) -> float | None:
        """A numeric attribute; None means unknown."""
        value = self.attributes.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


# The same slots without the guard of a frozen class, which costs more than all else of reading a span.
_Draft = make_dataclass("_Draft", [f.name for f in fields(SpanRecord)], slots=True, eq=False, repr=False)


def new_span(*values: object) -> SpanRecord:
    """`SpanRecord(*values)` for readers of very many: all fields in their order, at a seventh of the cost."""
    draft = _Draft(*values)
    draft.__class__ = SpanRecord
    return draft  # type: ignore[no-any-return]  # which is what it has just become
