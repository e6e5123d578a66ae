"""The short way to protobuf and the long one mean the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from cabtrace.model import semconv as sc
from cabtrace.model.otlp import decode_attributes, spans_from_line
from cabtrace.model.otlp_lines import span_line
from cabtrace.model.span import SpanEvent, SpanLink, SpanRecord
from cabtrace.store.reader import RunView
from exporters.otlp.content import ContentFilter
from exporters.otlp.outgoing import Shape, outgoing
from exporters.otlp.pairs import NotPlain
from exporters.otlp.protobuf import ProtobufCodec
from exporters.otlp.transcode import Transcoder
from exporters.source import span_source
from tests.support.export_runs import INSTRUCTION, TRACE_ID, many_spans, run_of
from tests.support.sample_run import build_sample_run

SLOW = (NotPlain, KeyError, TypeError, ValueError, AttributeError, IndexError)  # what makes an export take the long way


def compared(line: bytes, transcoder: Transcoder, content: ContentFilter) -> bool:
    """Whether a line goes the short way; then both ways were compared."""
    try:
        data, resource, scope = transcoder.line(line)
    except SLOW:
        return False
    (record,) = spans_from_line(orjson.loads(line))
    assert Span.FromString(data) == Span.FromString(ProtobufCodec().span(next(outgoing(None, (record,), Shape(), content))))  # type: ignore[arg-type]  # no messages are asked for
    assert decode_attributes(resource.get("attributes") or []) == record.resource
    assert (scope.get("name", ""), scope.get("version", "")) == (record.scope, record.scope_version)
    return True


def both_ways(run: RunView) -> tuple[int, int]:
    """How many spans went the short way, of how many; both ways were compared."""
    content = ContentFilter(run.header.task.instruction)
    transcoder = Transcoder(content)
    short = [compared(line, transcoder, content) for line in span_source(run).lines()]
    return sum(short), len(short)


def test_all_of_many_spans_go_the_short_way(tmp_path: Path) -> None:
    assert both_ways(run_of(tmp_path, many_spans(500))) == (500, 500)


def test_a_recorded_cell_means_the_same_both_ways(tmp_path: Path) -> None:
    short, total = both_ways(RunView(build_sample_run(tmp_path)))

    assert short > total * 0.9


def spans_of(attributes: dict[str, object]) -> Sequence[SpanRecord]:
    base = SpanRecord(TRACE_ID, f"{1:016x}", None, "s", 1, 2)
    return [
        replace(base, attributes=attributes),  # type: ignore[arg-type]  # any value
        replace(base, span_id=f"{2:016x}", events=(SpanEvent("e", 3, attributes),)),  # type: ignore[arg-type]  # any value
        replace(base, span_id=f"{3:016x}", links=(SpanLink(TRACE_ID, f"{1:016x}", attributes),)),  # type: ignore[arg-type]  # any value
    ]


keys = st.sampled_from(["a", "prompt", "gen_ai.tool.call.result", sc.PROCESS_ARGS, "ä", "cabtrace.call.index", ""])
texts = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    [INSTRUCTION, f"x {INSTRUCTION}", "y" * 200, "z" * 70_000]
)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts | st.binary(max_size=5)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.just("k"), scalars)


@given(st.lists(st.dictionaries(keys, values, max_size=5), min_size=1, max_size=3))
def test_any_attributes_mean_the_same_both_ways(several: list[dict[str, object]]) -> None:
    content = ContentFilter(INSTRUCTION)
    transcoder = Transcoder(content)
    for attributes in several * 2:  # the second time they come from the caches
        for span in spans_of(attributes):
            compared(span_line(span), transcoder, content)


@given(
    name=texts, message=texts, scope=texts, resource=st.dictionaries(keys, values, max_size=3),
    code=st.integers(0, 2), flags=st.integers(0, 2**32 - 1), parent=st.booleans(), kind=st.integers(0, 5),
)  # fmt: skip
def test_any_span_means_the_same_both_ways(
    name: str, message: str, scope: str, resource: dict[str, object], code: int, flags: int, parent: bool, kind: int
) -> None:
    content = ContentFilter(INSTRUCTION)
    transcoder = Transcoder(content)
    base = spans_of({"a": "b"})[1]
    span = replace(
        base, name=name, status_message=message, status_code=code, scope=scope, flags=flags, kind=kind,
        parent_id=f"{9:016x}" if parent else None, resource=resource,  # type: ignore[arg-type]  # any value
    )  # fmt: skip

    for one in (span, base, span):
        compared(span_line(one), transcoder, content)


@pytest.mark.parametrize(
    "value", [2**70, 5, 0, 2**63 - 1, 1.5, -1e300, True, "ä", 'a"},{"key":"b', '],"status":{}', ["x", "y"], []]
)
def test_what_is_plain_takes_the_short_way(value: object) -> None:
    content = ContentFilter(INSTRUCTION)

    for span in spans_of({"a": value, "b": "x"}):
        assert compared(span_line(span), Transcoder(content), content)


@pytest.mark.parametrize(
    "value",
    [-5, math.inf, None, b"x", {"a": 1}, {"a": 1, "b": 2, "c": {"d": [{"e": 1}]}}, [{"a": 1}], "z" * 100_000, f"{INSTRUCTION}!"],
)
def test_what_is_not_plain_takes_the_long_way(value: object) -> None:
    transcoder = Transcoder(ContentFilter(INSTRUCTION))
    for _ in range(2):  # the second time its parts might have been kept
        with pytest.raises(SLOW):
            transcoder.line(span_line(spans_of({"b": 1, "a": value})[0]))


def test_lines_of_others_take_the_long_way() -> None:
    """Other orders of keys, several spans in a line, white space: what a Collector or an import may have written."""
    line = span_line(spans_of({"a": 1})[0])
    value = orjson.loads(line)
    span = value["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    twice = {"resourceSpans": [{"scopeSpans": [{"scope": {}, "spans": [span, {**span, "spanId": f"{2:016x}"}]}]}]}
    turned = {"resourceSpans": [{"scopeSpans": [{"scope": {}, "spans": [dict(reversed(span.items()))]}]}]}
    transcoder = Transcoder(ContentFilter(INSTRUCTION))

    assert transcoder.line(line)
    for other in (twice, turned):
        with pytest.raises(SLOW):
            transcoder.line(orjson.dumps(other) + b"\n")
    with pytest.raises(SLOW):
        transcoder.line(line.replace(b'":', b'": '))
