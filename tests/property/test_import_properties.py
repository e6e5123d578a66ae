"""Whatever a file holds: spans come out of it, or one sentence; and an import of what came out never fails."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.importers.otlp import import_traces
from cabtrace.importers.pieces import UnreadableError
from cabtrace.importers.trace_file import file_source
from cabtrace.otel.receiver.batch import MalformedError
from cabtrace.otel.trace_json import read_trace
from cabtrace.redact import Redactor
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run

WORDS = (
    "resourceSpans", "scopeSpans", "spans", "resource", "scope", "attributes", "key", "value", "traceId", "spanId", "parentSpanId",
    "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "events", "links", "status", "code", "message", "batches", "result",
    "trace", "data", "processes", "traceID", "spanID", "operationName", "startTime", "duration", "tags", "logs", "references",
    "stringValue", "intValue", "doubleValue", "arrayValue", "kvlistValue", "values", "timeUnixNano", "processID", "serviceName",
)  # fmt: skip
IDS = st.sampled_from(["1" * 32, "2" * 16, "0" * 16, "AAAAAAAAAAE=", "zz", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | IDS
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5), max_leaves=30
)
ATTRIBUTES = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from(
                ["gen_ai.operation.name", "cabtrace.span.kind", "cabtrace.verdict", "cabtrace.cause", "cabtrace.timeshift_ns",
                 "cabtrace.attempt", "gen_ai.input.messages", "gen_ai.usage.input_tokens", "openinference.span.kind", "a.part.02", "a",
                 "llm.input_messages.0.message.content", "cabtrace.timeout_s", "cabtrace.exit_code", "process.command_args"]
            ),
            "value": st.fixed_dictionaries({"stringValue": st.sampled_from(["chat", "cell", "LLM", "passed", "model_call", "[{}]", "x"])})
            | st.fixed_dictionaries({"intValue": st.integers(-(2**63), 2**63 - 1).map(str)})
            | st.dictionaries(st.sampled_from(WORDS), SCALARS, max_size=1),
        }
    ),
    max_size=6,
)  # fmt: skip
TIMES = st.integers(0, 2**64 - 1).map(str) | st.just("1781663488314919001") | st.integers(-5, 5)
SPANS = st.fixed_dictionaries(
    {"traceId": st.sampled_from(["1" * 32, "2" * 32]), "spanId": st.integers(1, 6).map("{:016x}".format)},
    optional={
        "parentSpanId": st.integers(1, 8).map("{:016x}".format), "name": st.text(max_size=5), "kind": st.integers(-1, 9),
        "startTimeUnixNano": TIMES, "endTimeUnixNano": TIMES, "attributes": ATTRIBUTES, "status": ANYTHING,
        "events": st.lists(st.fixed_dictionaries({"name": st.text(max_size=5), "timeUnixNano": TIMES, "attributes": ATTRIBUTES}), max_size=2),
    },
)  # fmt: skip


@given(ANYTHING)
@settings(max_examples=300, deadline=None)
def test_any_json_is_spans_or_one_complaint(document: Any) -> None:
    with suppress(MalformedError):
        assert read_trace(document).rejected >= 0


@given(st.binary(max_size=200) | ANYTHING.map(lambda v: json.dumps(v).encode()))
@settings(max_examples=200, deadline=None)
def test_any_file_is_pieces_or_one_sentence(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        path.write_bytes(data)
        with suppress(UnreadableError):
            list(file_source(path, "t").pieces())


@given(st.lists(SPANS, min_size=1, max_size=12))
@settings(max_examples=120, deadline=None)
def test_any_spans_become_runs_that_can_be_read(spans: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
        try:
            made = import_traces(file_source(path, "t"), Path(folder) / "store", Redactor())
        except UnreadableError:
            assert all(not _whole(s) for s in spans)
            return
        for run in made:
            view = RunView(run.path)
            assert len(view.spans()) == len({s["spanId"] for s in spans if s["traceId"] == view.header.trace_id and _whole(s)})
            assert view.header.completeness.lost.total == 0
            assert not [p for p in verify_run(run.path).problems if "parent" not in p.what]


def _whole(span: dict[str, Any]) -> bool:
    """Whether the span itself can be read."""
    return not read_trace({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).rejected
