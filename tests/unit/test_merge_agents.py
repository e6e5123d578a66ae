"""What becomes of each CLI's spans."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cabtrace.model import semconv as sc
from cabtrace.model.merge import Adoption, Merged, merge_spans
from cabtrace.model.span import STATUS_ERROR, SpanRecord, SpanState
from cabtrace.protocols import TranscriptToolCall
from tests.support.agent_spans import (
    BASE_NS,
    CELL,
    CONTAINER,
    MS,
    TRACE,
    adopted,
    claude,
    claude_calls,
    foreign,
    harness,
    inferred,
    make,
    proxied,
)


def merged(spans: Sequence[SpanRecord], transcript: Sequence[TranscriptToolCall] = ()) -> dict[str, SpanRecord]:
    """By id; one tree, and merging it again changes nothing."""
    result: Merged = merge_spans(spans, transcript)
    by_id = {s.span_id: s for s in result.spans}
    assert len(by_id) == len(result.spans)
    assert [s.span_id for s in result.spans if s.parent_id is None] == [CELL]
    assert [s.name for s in result.spans if s.parent_id is not None and s.parent_id not in by_id] == []
    assert merge_spans(result.spans, transcript).spans == result.spans
    return by_id


def of_kind(spans: dict[str, SpanRecord], kind: str) -> list[SpanRecord]:
    return sorted((s for s in spans.values() if s.attributes.get(sc.SPAN_KIND) == kind), key=lambda s: s.start_ns)


def test_claude_calls_and_tools_are_there_once() -> None:
    spans = merged([*claude_calls(), *claude(), *harness()])

    first, second = of_kind(spans, sc.SpanKind.MODEL_CALL)
    assert [first.span_id, second.span_id] == ["4000000000000001", "4000000000000002"]
    assert first.attributes[sc.CALL_SOURCES] == ("proxy", "telemetry")
    assert (first.start_ns, first.end_ns, first.kind) == (BASE_NS + 110 * MS, BASE_NS + 200 * MS, 3)
    assert first.attributes["ttft_ms"] == 22
    assert first.attributes[sc.GEN_AI_INPUT_TOKENS] == 105
    assert first.attributes[sc.ORIGINAL_NAME] == "claude_code.llm_request"
    assert spans[first.parent_id or ""].name == "claude_code.interaction"
    (tool,) = of_kind(spans, sc.SpanKind.TOOL_CALL)
    assert (tool.span_id, tool.name) == ("4000000000000003", "execute_tool Bash")
    assert tool.attributes[sc.TOOL_CALL_SOURCES] == ("telemetry", "model_calls")
    assert (tool.start_ns, tool.end_ns) == (BASE_NS + 210 * MS, BASE_NS + 400 * MS)
    assert tool.attributes[sc.GEN_AI_TOOL_ARGUMENTS] == '{"command":"ls"}'
    assert tool.parent_id == first.parent_id
    assert sorted(s.name for s in spans.values() if s.parent_id == tool.span_id) == [
        "claude_code.tool.blocked_on_user", "claude_code.tool.execution",
    ]  # fmt: skip


def test_a_killed_claude_gets_its_root_back() -> None:
    spans = merged([*claude_calls(), *claude(killed=True), *harness()])

    (root,) = [s for s in spans.values() if s.attributes.get(sc.SYNTHETIC) is True]
    assert (root.span_id, root.name, root.parent_id) == ("3000000000000001", "claude_code.interaction", CONTAINER)
    children = [s for s in spans.values() if s.parent_id == root.span_id]
    assert len(children) == 3
    assert root.start_ns == min(s.start_ns for s in children)
    assert root.end_ns == max(s.end_ns or 0 for s in children)


def test_a_call_in_flight_at_the_kill_stays_under_the_container() -> None:
    call = proxied("4000000000000001", 1, 110, 200, cabtrace__call__traceparent=f"00-{TRACE}-3000000000000009-01")

    spans = merged([call, *harness()])

    assert spans[call.span_id] == call


def test_codex_traces_become_one_and_a_call_hangs_under_the_request_that_made_it() -> None:
    other = [foreign(n) for n in range(1, 13)]
    noise = [make(f"50000000000000{n:02x}", None, "auth", n, n + 1, trace=trace) for n, trace in enumerate(other, 16)]
    own = [
        make("5000000000000001", CONTAINER, "turn/start", 50, 900),
        make("5000000000000002", "5000000000000001", "try_run_sampling_request", 60, 300, model="fake-model"),
        make("5000000000000003", "5000000000000002", "codex.sampling", 61, 190),
        make("5000000000000004", "5000000000000002", "endpoint_session.stream_encoded_json_with", 62, 80),
        make("5000000000000005", "5000000000000002", "exec_command", 185, 290, tool_name="exec_command", call_id="call_1"),
        make("5000000000000006", "5000000000000005", "unified_exec.exec_command", 190, 280, call_id="call_1"),
        make("5000000000000007", "5000000000000002", "codex.tool_blocking", 191, 289),
    ]
    call = proxied("6000000000000001", 1, 63, 184, cabtrace__call__traceparent=f"00-{TRACE}-5000000000000004-01")
    tool = inferred("6000000000000002", call.span_id, "call_1", "exec_command", 184, 310)

    spans = merged([call, tool, *adopted(*own, *noise), *harness()])

    assert {s.trace_id for s in spans.values()} == {TRACE}
    assert len([s for s in spans.values() if s.name == "auth" and s.parent_id == CONTAINER]) == 12
    (merged_call,) = of_kind(spans, sc.SpanKind.MODEL_CALL)
    assert spans[merged_call.parent_id or ""].name == "endpoint_session.stream_encoded_json_with"
    assert merged_call.attributes[sc.ORIGINAL_NAME] == "codex.sampling"
    (merged_tool,) = of_kind(spans, sc.SpanKind.TOOL_CALL)
    assert (merged_tool.start_ns, merged_tool.end_ns) == (BASE_NS + 185 * MS, BASE_NS + 290 * MS)
    assert [s.name for s in spans.values() if s.parent_id == merged_tool.span_id] == ["unified_exec.exec_command"]
    assert len(spans) == 3 + 2 + len(own) + len(noise) - 2


def test_copilot_reuses_ids_and_is_told_apart_by_time() -> None:
    trace = foreign(7)
    same = {"gen_ai__operation__name": "chat", "gen_ai__request__model": "fake-model", "gen_ai__response__id": "chatcmpl-1",
            "gen_ai__usage__input_tokens": 105, "gen_ai__usage__output_tokens": 20}  # fmt: skip
    own = [
        make("7000000000000001", None, "invoke_agent", 90, 700, trace, gen_ai__operation__name="invoke_agent"),
        make("7000000000000002", "7000000000000001", "chat fake-model", 100, 200, trace, turn=0, **same),
        make("7000000000000003", "7000000000000001", "execute_tool bash bash", 210, 250, trace, process__exit__code=3,
             gen_ai__operation__name="execute_tool", gen_ai__tool__name="bash", gen_ai__tool__call__id="call_1"),
        make("7000000000000004", "7000000000000001", "chat fake-model", 300, 400, trace, turn=1, **same),
        make("7000000000000005", "7000000000000001", "execute_tool bash bash", 410, 450, trace, process__exit__code=0,
             gen_ai__operation__name="execute_tool", gen_ai__tool__name="bash", gen_ai__tool__call__id="call_1"),
        make("7000000000000006", "7000000000000001", "chat fake-model", 500, 600, trace, turn=2, **same),
    ]  # fmt: skip
    calls = [
        proxied(f"800000000000000{n}", n, 100 + 200 * (n - 1) + 5, 100 + 200 * (n - 1) + 95, gen_ai__response__id="chatcmpl-1")
        for n in (1, 2, 3)
    ]
    tools = [
        inferred("8000000000000011", "8000000000000001", "call_1", "bash", 195, 305),
        inferred("8000000000000012", "8000000000000002", "call_1", "bash", 395, 505),
    ]

    spans = merged([*calls, *tools, *adopted(*own), *harness()])

    assert [s.attributes["turn"] for s in of_kind(spans, sc.SpanKind.MODEL_CALL)] == [0, 1, 2]
    first, second = of_kind(spans, sc.SpanKind.TOOL_CALL)
    assert (first.span_id, second.span_id) == ("8000000000000011", "8000000000000012")
    assert (first.status_code, first.attributes[sc.ERROR_TYPE]) == (STATUS_ERROR, "3")
    assert not second.failed
    agent = spans[first.parent_id or ""]
    assert (agent.name, agent.parent_id, agent.attributes[sc.ORIGINAL_TRACE_ID]) == ("invoke_agent", CONTAINER, trace)


def test_gemini_tool_ids_are_not_the_models_and_arguments_decide() -> None:
    scheduled, called = ({"gen_ai__operation__name": name} for name in ("schedule_tool_calls", "tool_call"))
    asked = '{"args":{"command":"ls"},"name":"run_shell_command"}'
    own = [
        make("9000000000000001", None, "llm_call", 100, 205, foreign(1), gen_ai__operation__name="llm_call",
             gen_ai__request__model="fake-model", gen_ai__usage__output_tokens=20),
        make("9000000000000002", None, "schedule_tool_calls", 210, 300, foreign(2), **scheduled),
        make("9000000000000003", "9000000000000002", "tool_call", 220, 290, foreign(2), **called,
             gen_ai__tool__name="run_shell_command", gen_ai__tool__call_id="shell_1_0", gen_ai__input__messages=asked),
    ]  # fmt: skip
    call = proxied("9100000000000001", 1, 105, 200)
    tool = inferred("9100000000000002", call.span_id, f"{call.span_id}:run_shell_command", "run_shell_command", 200, 310)

    spans = merged([call, tool, *adopted(*own), *harness()])

    assert len(of_kind(spans, sc.SpanKind.MODEL_CALL)) == 1
    (found,) = of_kind(spans, sc.SpanKind.TOOL_CALL)
    assert found.attributes[sc.GEN_AI_TOOL_CALL_ID] == "shell_1_0"
    assert found.attributes[sc.TOOL_CALL_SOURCES] == ("telemetry", "model_calls")
    assert spans[found.parent_id or ""].name == "schedule_tool_calls"


def test_gemini_puts_the_tools_name_before_the_id_and_two_equal_calls_stay_apart() -> None:
    asked = '{"args":{"command":"ls"},"name":"shell"}'

    def own(number: int, start_ms: float) -> SpanRecord:
        return make(f"90000000000000a{number}", None, "tool_call", start_ms, start_ms + 60, foreign(number),
                    gen_ai__operation__name="tool_call", gen_ai__tool__name="shell",
                    gen_ai__tool__call_id=f"shell__shell_17_{number}", gen_ai__input__messages=asked)  # fmt: skip

    call = proxied("9100000000000001", 1, 105, 200)
    asks = [inferred(f"91000000000000b{n}", call.span_id, f"shell_17_{n}", "shell", 200, 310) for n in (1, 2)]
    transcript = [
        TranscriptToolCall(f"shell__shell_17_{n}", "shell", '{"command":"ls"}', "a.txt", exit_code=n - 1) for n in (1, 2)
    ]

    # the second one began first: only the ids say which is which
    spans = merged([call, *asks, *adopted(own(1, 240), own(2, 210)), *harness()], transcript)

    second, first = of_kind(spans, sc.SpanKind.TOOL_CALL)
    assert [s.attributes[sc.GEN_AI_TOOL_CALL_ID] for s in (first, second)] == ["shell_17_1", "shell_17_2"]
    assert [s.attributes[sc.PROCESS_EXIT_CODE] for s in (first, second)] == [0, 1]
    assert {s.attributes[sc.TOOL_CALL_SOURCES] for s in (first, second)} == {("telemetry", "transcript", "model_calls")}


def test_opencode_wraps_a_call_in_several_spans_and_all_are_kept_but_the_innermost() -> None:
    trace = foreign(3)
    own = [
        make("a000000000000001", "affffffffffffff1", "LLM.run", 95, 220, trace),
        make("a000000000000002", "a000000000000001", "ai.streamText", 96, 219, trace),
        make("a000000000000003", "a000000000000002", "ai.streamText.doStream", 97, 210, trace,
             gen_ai__request__model="fake-model", gen_ai__usage__output_tokens=20),
    ]  # fmt: skip
    noise = [make(f"a1000000000{n:05x}", "a000000000000001", "sql.execute", 96, 97, trace) for n in range(266)]

    spans = merged([proxied("a200000000000001", 1, 100, 200), *adopted(*own, *noise), *harness()])

    (call,) = of_kind(spans, sc.SpanKind.MODEL_CALL)
    assert spans[call.parent_id or ""].name == "ai.streamText"
    assert len([s for s in spans.values() if s.name == "sql.execute"]) == 266
    assert [s.parent_id for s in spans.values() if s.attributes.get(sc.SYNTHETIC)] == [CONTAINER]


def test_a_retry_within_one_span_is_two_calls_and_the_one_that_went_well_is_that_span() -> None:
    request = make("3000000000000002", CONTAINER, "claude_code.llm_request", 100, 400, output_tokens=20, attempt=2)
    header = f"00-{TRACE}-3000000000000002-01"
    failed = replace(proxied("4000000000000001", 1, 105, 120, cabtrace__call__traceparent=header), status_code=STATUS_ERROR)
    good = proxied("4000000000000002", 2, 200, 390, cabtrace__call__traceparent=header)

    spans = merged([failed, good, *adopted(request), *harness()])

    first, second = of_kind(spans, sc.SpanKind.MODEL_CALL)
    assert sc.CALL_SOURCES not in first.attributes
    assert second.attributes["attempt"] == 2
    assert first.parent_id == second.parent_id == CONTAINER


def test_without_a_proxy_the_agents_own_calls_count() -> None:
    spans = merged([*claude(), *harness()])

    calls = of_kind(spans, sc.SpanKind.MODEL_CALL)
    assert [c.attributes[sc.CALL_INDEX] for c in calls] == [1, 2]
    assert [c.attributes[sc.GEN_AI_INPUT_TOKENS] for c in calls] == [105, 105]  # cached tokens included
    assert {c.attributes[sc.CALL_SOURCES] for c in calls} == {("telemetry",)}


def test_a_call_that_is_another_models_is_not_merged() -> None:
    own = make("3000000000000002", CONTAINER, "claude_code.llm_request", 100, 205, model="other", output_tokens=20)

    spans = merged([proxied("4000000000000001", 1, 110, 200), *adopted(own), *harness()])

    assert sc.CALL_SOURCES not in spans["4000000000000001"].attributes
    assert spans[own.span_id].attributes[sc.SPAN_KIND] == sc.SpanKind.AGENT


def test_contradictions_are_kept_under_the_agents_name() -> None:
    own = make("3000000000000002", CONTAINER, "chat fake-model", 100, 205, gen_ai__operation__name="chat",
               gen_ai__request__model="fake-model", gen_ai__usage__input_tokens=100, gen_ai__usage__output_tokens=20,
               gen_ai__usage__cache_read__input_tokens=5)  # fmt: skip

    spans = merged([proxied("4000000000000001", 1, 110, 200), *adopted(own), *harness()])

    call = spans["4000000000000001"]
    assert call.attributes[sc.GEN_AI_INPUT_TOKENS] == 105
    assert call.attributes[sc.ORIGINAL + sc.GEN_AI_INPUT_TOKENS] == 100


def told(**changes: object) -> TranscriptToolCall:
    return replace(TranscriptToolCall("toolu_1", "Bash", '{"command":"ls"}', "a.txt"), **changes)  # type: ignore[arg-type]


def test_a_transcript_adds_what_others_do_not_know() -> None:
    call = told(started_ns=BASE_NS + 220 * MS, ended_ns=BASE_NS + 380 * MS, exit_code=2, error="")

    with_telemetry = merged([*claude_calls(), *claude(), *harness()], [call])
    without = merged([*claude_calls(), *harness()], [call])

    (tool,) = of_kind(with_telemetry, sc.SpanKind.TOOL_CALL)
    assert tool.attributes[sc.TOOL_CALL_SOURCES] == ("telemetry", "transcript", "model_calls")
    assert (tool.start_ns, tool.attributes[sc.TOOL_CALL_TIMES]) == (BASE_NS + 210 * MS, "telemetry")
    assert (tool.attributes[sc.PROCESS_EXIT_CODE], tool.attributes[sc.ERROR_TYPE], tool.failed) == (2, "2", True)
    (tool,) = of_kind(without, sc.SpanKind.TOOL_CALL)
    assert tool.attributes[sc.TOOL_CALL_SOURCES] == ("transcript", "model_calls")
    assert (tool.start_ns, tool.end_ns) == (BASE_NS + 220 * MS, BASE_NS + 380 * MS)


def test_a_transcript_alone_makes_spans_where_it_knows_the_time() -> None:
    calls = [
        told(tool_call_id="x", started_ns=BASE_NS + 300 * MS, ended_ns=BASE_NS + 400 * MS, error="no such file"),
        told(tool_call_id="y", ended_ns=BASE_NS + 500 * MS),
        told(tool_call_id="z"),
    ]

    result = merge_spans(harness(), calls)

    spans = {s.span_id: s for s in result.spans}
    assert merge_spans(result.spans, calls).spans == result.spans
    first, second = of_kind(spans, sc.SpanKind.TOOL_CALL)
    assert (first.parent_id, first.failed, first.status_message) == (CONTAINER, True, "no such file")
    assert second.start_ns == second.end_ns == BASE_NS + 500 * MS
    assert result.notes == ("1 tool calls of the agent's transcript have no time, and no span.",)


def test_a_transcript_without_ids_is_matched_by_what_was_called_and_when() -> None:
    tools = [inferred(f"400000000000000{n}", "c1", f"c1:{n}", "bash", n * 100, n * 100 + 90) for n in (3, 4, 5)]
    tools = [replace(t, attributes={**t.attributes, sc.TOOL_CALL_ASKED_BY: "c1"}) for t in tools]
    calls = [told(tool_call_id="", name="bash", started_ns=BASE_NS + (n * 100 + 10) * MS, exit_code=n) for n in (5, 3, 4)]

    spans = merged([*tools, *harness()], calls)

    found = of_kind(spans, sc.SpanKind.TOOL_CALL)
    assert [t.attributes[sc.PROCESS_EXIT_CODE] for t in found] == [3, 4, 5]


def test_two_tools_with_ids_that_differ_are_two_calls() -> None:
    own = make("3000000000000003", CONTAINER, "claude_code.tool", 210, 400, tool_name="Bash", tool_use_id="toolu_2")
    tool = inferred("4000000000000003", "4000000000000001", "toolu_1", "Bash", 200, 410)

    spans = merged([tool, *adopted(own), *harness()])

    assert len(of_kind(spans, sc.SpanKind.TOOL_CALL)) == 2


def test_an_agent_cannot_pass_for_the_harness() -> None:
    adoption = Adoption(TRACE, CONTAINER, {CELL, CONTAINER}.__contains__)
    forged = make(CONTAINER, None, "agent:launch", 0, 1, cabtrace__span__kind="container", cabtrace__verdict="pass")

    found = adoption.span(forged)

    assert found is not None
    assert found.span_id != CONTAINER
    assert found.attributes[sc.ORIGINAL_SPAN_ID] == CONTAINER
    assert found.attributes[sc.SPAN_KIND] == sc.SpanKind.AGENT
    assert sc.VERDICT not in found.attributes
    assert found.parent_id == CONTAINER


def test_equal_ids_of_different_traces_stay_apart_also_when_children_come_first() -> None:
    adoption = Adoption(TRACE, CONTAINER, {CONTAINER}.__contains__)
    sent = [
        make("000000000000000b", "000000000000000a", "child of 2", 1, 2, foreign(2)),
        make("000000000000000b", "000000000000000a", "child of 1", 1, 2, foreign(1)),
        make("000000000000000a", None, "root of 1", 0, 3, foreign(1)),
        make("000000000000000a", None, "root of 2", 0, 3, foreign(2)),
    ]

    found = {s.name: s for span in sent if (s := adoption.span(span)) is not None}

    assert found["child of 1"].parent_id == found["root of 1"].span_id
    assert found["child of 2"].parent_id == found["root of 2"].span_id
    assert len({s.span_id for s in found.values()}) == 4
    assert adoption.span(sent[0]) is None  # an export that was sent again


@pytest.mark.parametrize("state", [SpanState.RUNNING, SpanState.ENDED])
def test_a_trace_of_the_harness_alone_stays_as_it_is(state: SpanState) -> None:
    spans = harness(cell_state=state)

    assert merge_spans(spans).spans == tuple(spans)
    assert merge_spans([]).spans == ()


@pytest.mark.parametrize("code", [0, 2], ids=["passed", "failed"])
def test_a_transcripts_exit_code_counts_more_than_one_read_from_the_words_of_the_result(code: int) -> None:
    guessed = inferred("9000000000000009", "4000000000000001", "call_1", "Bash", 200, 300)
    guess = {sc.PROCESS_EXIT_CODE: 1, sc.TOOL_EXIT_CODE_FROM: "result", sc.ERROR_TYPE: "1"}
    guessed = replace(guessed, attributes={**guessed.attributes, **guess}, status_code=STATUS_ERROR, status_message="guessed")

    (tool,) = of_kind(
        merged([guessed, *harness()], [TranscriptToolCall("call_1", "Bash", exit_code=code)]), sc.SpanKind.TOOL_CALL
    )

    assert tool.attributes[sc.PROCESS_EXIT_CODE] == code
    assert sc.TOOL_EXIT_CODE_FROM not in tool.attributes
    assert (tool.failed, tool.attributes.get(sc.ERROR_TYPE)) == ((True, "2") if code else (False, None))
