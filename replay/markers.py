"""Instants worth jumping to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord

_APPLIED_PLUGINS = "applied_plugins"
_EXECUTE_TOOL = "execute_tool"


class MarkerKind(StrEnum):
    """What happened."""

    MODEL_CALL = "model call"
    TOOL_CALL = "tool call"
    TEST = "test"
    ERROR = "error"


@dataclass(frozen=True, slots=True, order=True)
class Marker:
    """`offset_ns` from the start of the run; `row` of the timeline."""

    offset_ns: int
    row: int
    kind: MarkerKind


def marker_kind(span: SpanRecord) -> MarkerKind | None:
    """What kind of marker the start of a span is, if any."""
    kind = span.attributes.get(sc.SPAN_KIND)
    if kind == sc.SpanKind.MODEL_CALL:
        return MarkerKind.MODEL_CALL
    if kind == sc.SpanKind.VERIFIER:
        return MarkerKind.TEST
    if (kind == sc.SpanKind.TOOL_CALL and span.name != _APPLIED_PLUGINS) or span.text(sc.GEN_AI_OPERATION) == _EXECUTE_TOOL:
        return MarkerKind.TOOL_CALL
    return None


def error_time_ns(span: SpanRecord) -> int | None:
    """When a failed span failed: its first exception (Unix ns), else None, which stands for its end."""
    return min((e.time_ns for e in span.events if e.name == "exception"), default=None)
