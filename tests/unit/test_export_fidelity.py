"""What a backend kept, held against what was sent: every kind of loss is found and named."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from cabtrace.model.otlp import span_to_otlp
from cabtrace.model.span import SpanRecord
from cabtrace.otel.trace_json import read_trace
from exporters.otlp.links import deep_link
from exporters.readback.fidelity import compare
from tests.support.export_runs import TRACE_ID, many_spans

SPANS = list(many_spans(40))


def test_nothing_lost_is_said_so() -> None:
    result = compare(SPANS, SPANS)

    assert not result.lossy
    assert "Everything arrived: 40 spans" in result.summary()


def with_one(change: Callable[[SpanRecord], SpanRecord]) -> list[SpanRecord]:
    return [change(s) if s.span_id == f"{35:016x}" else s for s in SPANS]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("kinds", lambda s: replace(s, kind=5)),
        ("start (ns)", lambda s: replace(s, start_ns=s.start_ns // 1000 * 1000)),
        ("end (ns)", lambda s: replace(s, end_ns=s.end_ns + 1)),
        ("names", lambda s: replace(s, name="other")),
        ("parents", lambda s: replace(s, parent_id=None)),
        ("status", lambda s: replace(s, status_code=1)),
        ("attributes", lambda s: replace(s, attributes={k: v for k, v in s.attributes.items() if k != "flag"})),
        ("attributes", lambda s: replace(s, attributes={**s.attributes, "flag": 1})),
        ("attributes", lambda s: replace(s, attributes={**s.attributes, "umlaut": "Gr"})),
        ("events", lambda s: replace(s, events=())),
        ("links", lambda s: replace(s, links=())),
        ("resource", lambda s: replace(s, resource={})),
        ("scopes", lambda s: replace(s, scope="")),
    ],
)
def test_each_loss_is_found(field: str, change: Callable[[SpanRecord], SpanRecord]) -> None:
    result = compare(SPANS, with_one(change))

    assert result.lossy
    assert field in {f.name for f in result.fields if f.sent != f.kept}
    assert f"{35:016x}" in result.losses[0]


def test_missing_and_repeated_spans_are_counted() -> None:
    result = compare(SPANS, [*SPANS[1:], SPANS[5]])

    assert result.lost_spans == [SPANS[0].span_id]
    assert result.duplicates == 1


def test_a_time_shift_is_no_loss() -> None:
    from exporters.otlp.outgoing import _shifted

    assert not compare(SPANS, [_shifted(s, 10**12) for s in SPANS]).lossy


def test_the_first_losses_are_listed_and_the_others_counted() -> None:
    result = compare(SPANS, [replace(s, name="x", kind=0, start_ns=0) for s in SPANS])

    assert len(result.losses) == 40
    assert result.more_losses == 80


def tempo_shape(span: SpanRecord) -> dict[str, Any]:
    """As Tempo's API writes JSON: base64 ids, enums by name."""
    value = orjson.loads(orjson.dumps(span_to_otlp(span)))
    for holder in (value, *value.get("links", ())):
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in holder:
                holder[key] = base64.b64encode(bytes.fromhex(holder[key])).decode()
    value["kind"] = ("SPAN_KIND_UNSPECIFIED", "SPAN_KIND_INTERNAL", "SPAN_KIND_SERVER", "SPAN_KIND_CLIENT")[value["kind"]]
    if value["status"].get("code") == 2:
        value["status"]["code"] = "STATUS_CODE_ERROR"
    return value  # type: ignore[no-any-return]  # orjson knows no types


@pytest.mark.parametrize("key", ["batches", "resourceSpans"])
def test_ids_in_base64_and_enums_by_name_are_read(key: str) -> None:
    bare = [replace(s, resource={}, scope="", scope_version="") for s in SPANS]
    trace = {key: [{"scopeSpans": [{"spans": [tempo_shape(s) for s in bare]}]}]}

    assert not compare(bare, read_trace(trace).spans).lossy


def test_links_to_the_backends_pages() -> None:
    assert deep_link("jaeger", TRACE_ID) == f"http://localhost:16686/trace/{TRACE_ID}"
    assert deep_link("jaeger", TRACE_ID, "https://j.example/") == f"https://j.example/trace/{TRACE_ID}"
    assert TRACE_ID in deep_link("tempo", TRACE_ID)
    assert deep_link("collector", TRACE_ID) == ""
    assert deep_link("", TRACE_ID) == ""
