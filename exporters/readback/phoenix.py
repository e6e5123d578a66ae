"""Phoenix' REST API: spans of a project, page by page, times as text to the microsecond, attributes as a flat object."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from cabtrace.model.span import SpanEvent, SpanRecord
from exporters.readback.http import BackendError, get_json

_PAGE_SPANS: Final = 1_000
_MOST_PAGES: Final = 10_000
_CODES: Final = {"UNSET": 0, "OK": 1, "ERROR": 2}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BROKEN: Final = (ValueError, TypeError, KeyError, AttributeError, OverflowError)


def fetch_phoenix(base: str, trace_id: str, project: str) -> list[SpanRecord]:
    """Every span of the trace. Raises BackendError."""
    name = f"Phoenix at {base}"
    url = f"{base}/v1/projects/{quote(project, safe='')}/spans?limit={_PAGE_SPANS}&trace_id={trace_id}"
    spans: list[SpanRecord] = []
    cursor = ""
    for _ in range(_MOST_PAGES):
        answer = get_json(f"{url}&cursor={quote(cursor, safe='')}" if cursor else url, name)
        try:
            spans += [_span(item) for item in answer["data"]]
        except _BROKEN as error:
            raise BackendError(f"The answer of {name} cannot be read ({type(error).__name__}: {error}).") from error
        cursor = str(answer.get("next_cursor") or "")
        if not cursor:
            break
    if not spans:
        raise BackendError(f"{name} does not have the trace in the project {project!r}.", hint="--project names another one.")
    return spans


def _span(item: Mapping[str, Any]) -> SpanRecord:
    return SpanRecord(
        trace_id=str(item["context"]["trace_id"]),
        span_id=str(item["context"]["span_id"]),
        parent_id=str(item["parent_id"]) if item.get("parent_id") else None,
        name=str(item["name"]),
        start_ns=_ns(item["start_time"]),
        end_ns=_ns(item["end_time"]),
        kind=0,  # what it calls the kind of a span is OpenInference's; OpenTelemetry's is not kept
        status_code=_CODES.get(str(item.get("status_code")), 0),
        status_message=str(item.get("status_message") or ""),
        attributes=dict(item.get("attributes") or {}),
        events=tuple(
            SpanEvent(str(e.get("name") or ""), _ns(e["timestamp"]), dict(e.get("attributes") or {}))
            for e in item.get("events") or ()
        ),
    )


def _ns(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1) * 1_000
