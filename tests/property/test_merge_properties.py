"""Whatever comes in: one root, no orphan, nothing of the harness lost, and once is enough."""

from __future__ import annotations

import random
import time
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.model import semconv as sc
from cabtrace.model.merge import merge_spans
from cabtrace.model.span import STATUS_ERROR, SpanLink, SpanRecord, SpanState
from cabtrace.protocols import TranscriptToolCall
from tests.support.agent_spans import BASE_NS, CELL, CONTAINER, MS, TRACE, adopted, foreign, harness, inferred, make, proxied

IDS = [f"{n:016x}" for n in range(1, 13)]
TOOLS = st.sampled_from(["bash", "edit"])
TOOL_IDS = st.sampled_from(["call_1", "call_2", ""])
TIMES = st.tuples(st.integers(0, 60), st.integers(-5, 40))
NAMES = st.sampled_from(
    ["claude_code.llm_request", "claude_code.tool", "chat fake-model", "LLM.run", "ai.streamText.doStream", "x"]
)


@st.composite
def agent_spans(draw: st.DrawFn) -> SpanRecord:
    start, length = draw(TIMES)
    attributes = {
        "gen_ai.operation.name": draw(st.sampled_from(["chat", "execute_tool", None])),
        "gen_ai.usage.output_tokens": draw(st.sampled_from([10, 20, None])),
        "model": draw(st.sampled_from(["fake-model", "other", None])),
        "tool_name": draw(st.sampled_from(["bash", "edit", None])),
        "tool_use_id": draw(st.sampled_from(["call_1", "call_2", None])),
        "gen_ai.response.id": draw(st.sampled_from(["r1", None])),
    }
    span = make(
        draw(st.sampled_from(IDS)),
        draw(st.sampled_from([*IDS, *IDS, "f" * 16, "e" * 16, CONTAINER, None])),
        draw(NAMES),
        start,
        start + length,
        draw(st.sampled_from([TRACE, foreign(1), foreign(2)])),
    )
    links = [SpanLink(foreign(1), draw(st.sampled_from(IDS)))] if draw(st.booleans()) else []
    kept = {k: v for k, v in attributes.items() if v is not None}
    return replace(span, attributes=kept, links=tuple(links), status_code=draw(st.sampled_from([0, STATUS_ERROR])))


@st.composite
def calls(draw: st.DrawFn, number: int) -> SpanRecord:
    start, length = draw(TIMES)
    parent = draw(st.sampled_from([*IDS, "f" * 16]))
    trace = draw(st.sampled_from([TRACE, foreign(1)]))
    extra = {"cabtrace__call__traceparent": f"00-{trace}-{parent}-01"} if draw(st.booleans()) else {}
    if draw(st.booleans()):
        extra["gen_ai__response__id"] = "r1"
    span = proxied(f"{number:04x}" * 4, number, start, start + abs(length), **extra)
    return replace(span, status_code=draw(st.sampled_from([0, STATUS_ERROR])))


@st.composite
def tools(draw: st.DrawFn, number: int) -> SpanRecord:
    start, length = draw(TIMES)
    name = draw(TOOLS)
    tool_id = draw(TOOL_IDS) or f"{'d' * 16}:{name}"
    return inferred(f"{0xF000 + number:04x}" * 4, "d" * 16, tool_id, name, start, start + abs(length))


@st.composite
def told(draw: st.DrawFn) -> TranscriptToolCall:
    start = draw(st.none() | st.integers(0, 60))
    end = draw(st.none() | st.integers(0, 100))
    return TranscriptToolCall(
        draw(TOOL_IDS),
        draw(TOOLS),
        draw(st.sampled_from(["", '{"command":"ls"}'])),
        draw(st.sampled_from(["", "done"])),
        None if start is None else BASE_NS + start * MS,
        None if end is None else BASE_NS + end * MS,
        draw(st.sampled_from([None, 0, 1])),
        draw(st.sampled_from(["", "failed"])),
    )


@st.composite
def traces(draw: st.DrawFn) -> list[SpanRecord]:
    own = adopted(*draw(st.lists(agent_spans(), max_size=14)))
    found = [
        *own,
        *(draw(calls(n)) for n in range(1, 1 + draw(st.integers(0, 4)))),
        *(draw(tools(n)) for n in range(1, 1 + draw(st.integers(0, 4)))),
        *harness(cell_state=draw(st.sampled_from([SpanState.RUNNING, SpanState.ENDED]))),
    ]
    draw(st.randoms(use_true_random=False)).shuffle(found)
    return found


@settings(max_examples=250, deadline=None)
@given(traces(), st.lists(told(), max_size=4))
def test_any_trace_becomes_one_tree_and_stays_it(spans: list[SpanRecord], transcript: list[TranscriptToolCall]) -> None:
    before = list(spans)

    merged = merge_spans(spans, transcript)

    by_id = {s.span_id: s for s in merged.spans}
    assert spans == before
    assert len(by_id) == len(merged.spans)
    assert [s.span_id for s in merged.spans if s.parent_id is None] == [CELL]
    for span in merged.spans:
        seen = set()
        node = span
        while node.parent_id is not None:
            assert node.span_id not in seen
            seen.add(node.span_id)
            node = by_id[node.parent_id]
    again = merge_spans(merged.spans, transcript)
    assert again.spans == merged.spans


@settings(max_examples=150, deadline=None)
@given(traces(), st.lists(told(), max_size=4))
def test_nothing_is_lost(spans: list[SpanRecord], transcript: list[TranscriptToolCall]) -> None:
    merged = merge_spans(spans, transcript)

    by_id = {s.span_id: s for s in merged.spans}
    for span in spans:
        if span.attributes.get(sc.SOURCE) != sc.SOURCE_TELEMETRY:  # what the harness recorded is there under its own id
            found = by_id[span.span_id]
            assert found.name == span.name
            if span.attributes[sc.SPAN_KIND] != sc.SpanKind.TOOL_CALL:
                assert (found.start_ns, found.end_ns, found.state) == (span.start_ns, span.end_ns, span.state)
            assert {
                k: found.attributes[k] for k in span.attributes if k != sc.GEN_AI_TOOL_CALL_ID and k != sc.TOOL_CALL_SOURCES
            } == {k: v for k, v in span.attributes.items() if k != sc.GEN_AI_TOOL_CALL_ID and k != sc.TOOL_CALL_SOURCES}
    absorbed = {s.span_id for s in spans} - by_id.keys()
    united = [s for s in merged.spans if sc.CALL_SOURCES in s.attributes and len(s.attributes[sc.CALL_SOURCES]) == 2]  # type: ignore[arg-type]
    tools_united = [
        s for s in merged.spans
        if "telemetry" in s.attributes.get(sc.TOOL_CALL_SOURCES, ())  # type: ignore[operator]
        and s.attributes.get(sc.SOURCE) != sc.SOURCE_TELEMETRY
    ]  # fmt: skip
    assert len(absorbed) == len(united) + len(tools_united)  # a span goes only where another one took it in
    assert sum("transcript" in s.attributes.get(sc.TOOL_CALL_SOURCES, ()) for s in merged.spans) <= len(transcript)  # type: ignore[operator]


@settings(max_examples=100, deadline=None)
@given(traces(), st.lists(told(), max_size=4), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(
    spans: list[SpanRecord], transcript: list[TranscriptToolCall], chance: random.Random
) -> None:
    shuffled = list(spans)
    chance.shuffle(shuffled)

    one, other = merge_spans(spans, transcript), merge_spans(shuffled, transcript)

    assert {s.span_id: s for s in one.spans} == {s.span_id: s for s in other.spans}


def test_spans_in_one_long_line_do_not_recurse_or_crawl() -> None:
    depth = 30_000
    spans = [make(f"{n + 1:016x}", f"{n:016x}" if n else CONTAINER, "step", n, n + 1) for n in range(depth)]
    started = time.process_time()

    merged = merge_spans([*adopted(*spans), *harness()])

    assert len(merged.spans) == depth + 3
    assert time.process_time() - started < 60  # a quadratic walk takes far longer
