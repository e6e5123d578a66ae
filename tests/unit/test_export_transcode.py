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
from cabtrace.model.otlp import span_to_otlp
from cabtrace.model.span import SpanEvent, SpanLink, SpanRecord
from cabtrace.store.reader import RunView
from exporters.otlp.content import ContentFilter
from exporters.otlp.outgoing import Shape, outgoing
from exporters.otlp.protobuf import ProtobufCodec
from exporters.otlp.transcode import NotPlain, Transcoder
from exporters.source import RawSpan, span_source
from tests.support.export_runs import INSTRUCTION, TRACE_ID, many_spans, run_of
from tests.support.sample_run import build_sample_run


def both_ways(run: RunView) -> tuple[int, int]:
    """How many spans went the short way, of how many; both ways were compared."""
    content = ContentFilter(run.header.task.instruction)
    transcoder, codec = Transcoder(content), ProtobufCodec()
    short = total = 0
    for raw in span_source(run).raw():
        assert isinstance(raw, RawSpan)
        total += 1
        long_way = Span.FromString(codec.span(next(outgoing(run, (raw.record(),), Shape()))))
        try:
            short_way = Span.FromString(transcoder.span(raw.span))
        except NotPlain:
            continue
        assert short_way == long_way
        short += 1
    return short, total


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


@given(st.dictionaries(keys, values, max_size=5))
def test_any_attributes_mean_the_same_both_ways(attributes: dict[str, object]) -> None:
    content = ContentFilter(INSTRUCTION)
    transcoder, codec = Transcoder(content), ProtobufCodec()
    for span in spans_of(attributes):
        raw = RawSpan(orjson.loads(orjson.dumps(span_to_otlp(span))), {}, {})
        for _ in range(2):  # the second comes from the caches
            try:
                short_way = Span.FromString(transcoder.span(raw.span))
            except (NotPlain, KeyError, TypeError, ValueError, AttributeError, IndexError):
                break
            assert short_way == Span.FromString(codec.span(next(outgoing(None, (raw.record(),), Shape(), content))))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [2**70, -5, math.inf, None, b"x", {"a": 1}, "z" * 100_000, f"{INSTRUCTION}!"])
def test_what_is_not_plain_takes_the_long_way(value: object) -> None:
    span = spans_of({"a": value})[0]
    raw = RawSpan(orjson.loads(orjson.dumps(span_to_otlp(span))), {}, {})

    if value == 2**70:  # recorded as text already
        assert b"1180591620717411303424" in Transcoder(ContentFilter(INSTRUCTION)).span(raw.span)
        return
    with pytest.raises(NotPlain):
        Transcoder(ContentFilter(INSTRUCTION)).span(raw.span)
