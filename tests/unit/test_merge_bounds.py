"""Tool calls of which nobody tells the time: between the answer that they followed from and what came next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cabtrace.model import semconv as sc
from cabtrace.model.merge import merge_spans
from cabtrace.model.span import STATUS_ERROR, SpanRecord
from cabtrace.protocols import TranscriptToolCall
from tests.support.agent_spans import BASE_NS, MS, adopted, foreign, harness, make, proxied

FAILED = replace(proxied("5" * 16, 2, 320, 330), status_code=STATUS_ERROR)
CALLS = [proxied("4" * 16, 1, 100, 300), FAILED, proxied("6" * 16, 3, 400, 500)]


def edit(number: int | None, call_id: str = "edit-1", error: str = "") -> TranscriptToolCall:
    return TranscriptToolCall(call_id, "edit", '{"path":"a.py"}', "Applied edit to a.py", error=error, model_call=number)


def tools(calls: list[SpanRecord], told: list[TranscriptToolCall], told_calls: int | None = 2) -> list[SpanRecord]:
    result = merge_spans([*calls, *harness()], told, told_calls=told_calls)
    assert merge_spans(result.spans, told, told_calls=told_calls).spans == result.spans
    known = {s.span_id for s in result.spans}
    assert [s.name for s in result.spans if s.parent_id and s.parent_id not in known] == []
    found = [s for s in result.spans if s.attributes.get(sc.SPAN_KIND) == sc.SpanKind.TOOL_CALL]
    assert len(found) + sum(f"{len(told) - len(found)} tool calls" in note for note in result.notes) >= len(found)
    return found


def test_it_lasts_from_its_answer_to_the_next_request_be_that_one_that_fails() -> None:
    (tool,) = tools(CALLS, [edit(0)])

    assert (tool.start_ns, tool.end_ns) == (BASE_NS + 300 * MS, BASE_NS + 320 * MS)
    assert tool.attributes[sc.TOOL_CALL_SOURCES] == ("transcript", "model_calls")
    assert tool.attributes[sc.TOOL_CALL_TIMES] == "model_calls"  # an upper bound
    assert tool.attributes[sc.TOOL_CALL_ASKED_BY] == "4" * 16
    assert (tool.name, tool.text(sc.GEN_AI_TOOL_RESULT)) == ("execute_tool edit", "Applied edit to a.py")


def test_after_the_last_answer_it_lasts_until_the_agents_end() -> None:
    (tool,) = tools(CALLS, [edit(1, error="no such file")])

    assert (tool.start_ns, tool.end_ns) == (BASE_NS + 500 * MS, BASE_NS + 1900 * MS)
    assert (tool.attributes[sc.TOOL_CALL_ASKED_BY], tool.failed) == ("6" * 16, True)


def test_two_that_followed_from_one_answer_share_its_bounds() -> None:
    first, second = tools(CALLS, [edit(0), edit(0, "edit-2")])

    assert (first.start_ns, first.end_ns) == (second.start_ns, second.end_ns)
    assert first.span_id != second.span_id


@pytest.mark.parametrize(("number", "told_calls"), [(None, 2), (2, 2), (-1, 2), (0, 3), (0, 1), (0, None)])
def test_where_the_transcript_counts_other_calls_nothing_is_claimed(number: int | None, told_calls: int | None) -> None:
    assert tools(CALLS, [edit(number)], told_calls) == []


def test_times_of_its_own_are_believed() -> None:
    own = replace(edit(0), started_ns=BASE_NS + 305 * MS, ended_ns=BASE_NS + 310 * MS)

    (tool,) = tools(CALLS, [own])

    assert (tool.start_ns, tool.end_ns) == (BASE_NS + 305 * MS, BASE_NS + 310 * MS)
    assert tool.attributes[sc.TOOL_CALL_SOURCES] == ("transcript",)


def test_tokens_that_the_agent_counts_otherwise_are_told() -> None:
    call = proxied("4" * 16, 1, 100, 300, gen_ai__response__id="r1")
    attributes: dict[str, Any] = {"gen_ai__operation__name": "chat", "gen_ai__response__id": "r1"}
    same = make("9" * 16, None, "chat", 100, 300, foreign(1), gen_ai__usage__output_tokens=20, **attributes)
    other = make("9" * 16, None, "chat", 100, 300, foreign(1), gen_ai__usage__output_tokens=30, **attributes)

    quiet, told = (merge_spans([call, *adopted(own), *harness()]) for own in (same, other))

    assert quiet.notes == ()
    assert told.notes == ("1 model calls have other token counts in the agent's own telemetry than on the wire; both are kept.",)
    (found,) = [s for s in told.spans if s.span_id == "4" * 16]
    assert found.attributes[sc.GEN_AI_OUTPUT_TOKENS] == 20
    assert found.attributes[sc.ORIGINAL + sc.GEN_AI_OUTPUT_TOKENS] == 30
