"""Model and tool calls among other people's spans, and what was said in them, under whatever names they stand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cabtrace.importers.genai import kind_of, recognised
from cabtrace.importers.messages import said_in
from cabtrace.importers.otlp import import_traces
from cabtrace.importers.pieces import in_memory
from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanEvent, SpanRecord
from cabtrace.redact import Redactor
from cabtrace.store.reader import RunView

TRACE = "0af7651916cd43dd8448eb211c80319c"
START_NS = 1_781_663_488_000_000_000


def span(number: int, attributes: dict[str, Any], parent: int | None = None, name: str = "s", **more: Any) -> SpanRecord:
    start_ns = START_NS + number * 1_000_000
    parent_id = None if parent is None else f"{parent:016x}"
    return SpanRecord(TRACE, f"{number:016x}", parent_id, name, start_ns, start_ns + 500_000, attributes=attributes, **more)


def imported(store: Path, *spans: SpanRecord, redactor: Redactor | None = None) -> RunView:
    (run,) = import_traces(in_memory("here", "otlp-json", spans), store, redactor or Redactor())
    return RunView(run.path)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, "model_call"),
        ({"gen_ai.operation.name": "text_completion"}, "model_call"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool_call"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ({"gen_ai.operation.name": "of tomorrow"}, ""),
        ({"gen_ai.tool.name": "bash"}, "tool_call"),
        ({"openinference.span.kind": "LLM"}, "model_call"),
        ({"openinference.span.kind": "TOOL"}, "tool_call"),
        ({"openinference.span.kind": "CHAIN"}, ""),
        ({"traceloop.span.kind": "tool"}, "tool_call"),
        ({"llm.request.type": "chat"}, "model_call"),
        ({"db.system.name": "sqlite"}, ""),
        ({"gen_ai.operation.name": 7}, ""),
        ({"cabtrace.span.kind": "verifier"}, "verifier"),
        ({"cabtrace.span.kind": "something else"}, ""),
    ],
    ids=lambda v: v if isinstance(v, str) else "-".join(v),
)
def test_what_kind_of_span_it_is(attributes: dict[str, Any], kind: str) -> None:
    assert kind_of(span(1, attributes)) == kind


def test_other_names_are_added_and_nothing_is_taken_away() -> None:
    openinference = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "step-3.5",
        "llm.token_count.prompt": 120,
        "llm.token_count.completion": 30,
        "llm.token_count.prompt_details.cache_read": 100,
        "llm.provider": "stepfun",
    }

    added = recognised(openinference, "model_call")

    assert added[sc.GEN_AI_REQUEST_MODEL] == "step-3.5"
    assert (added[sc.GEN_AI_INPUT_TOKENS], added[sc.GEN_AI_OUTPUT_TOKENS], added[sc.GEN_AI_CACHE_READ_TOKENS]) == (120, 30, 100)
    assert added[sc.GEN_AI_PROVIDER] == "stepfun"
    assert added[sc.GEN_AI_OPERATION] == "chat"
    assert added[sc.IMPORT_DERIVED] == sorted(set(added) - {sc.IMPORT_DERIVED})


@pytest.mark.parametrize("count", ["12", -1, 2**70, float("nan"), float("inf"), 1.5, True, None, ["1"]], ids=repr)
def test_what_is_no_count_stays_unknown(count: object) -> None:
    assert sc.GEN_AI_INPUT_TOKENS not in recognised(
        {"openinference.span.kind": "LLM", "llm.token_count.prompt": count}, "model_call"
    )  # type: ignore[dict-item]


def test_what_a_span_says_itself_is_not_overruled() -> None:
    added = recognised({"gen_ai.operation.name": "chat", "gen_ai.request.model": "a", "llm.model_name": "b"}, "model_call")

    assert sc.GEN_AI_REQUEST_MODEL not in added


def test_calls_are_numbered_by_their_start(tmp_path: Path) -> None:
    run = imported(
        tmp_path,
        span(3, {"openinference.span.kind": "LLM", "llm.model_name": "m"}, 1),
        span(2, {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 5}, 1),
        span(
            4, {"openinference.span.kind": "TOOL", "tool.name": "shell", "input.value": '{"cmd":"ls"}', "output.value": "a b"}, 1
        ),
        span(1, {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}, name="invoke_agent planner"),
    )

    assert [(c.index, c.request_model, c.usage.input) for c in run.calls()] == [(1, "m", 5), (2, "m", None)]
    assert run.header.cell_id == f"imported/planner/m/trace-{TRACE[:16]}"
    assert run.header.task.name == "invoke_agent planner"
    assert run.header.verdict is None
    assert run.header.cause is None
    tool = run.spans()[-1]
    assert tool.text(sc.GEN_AI_TOOL_NAME) == "shell"
    assert tool.text(sc.GEN_AI_TOOL_RESULT) == "a b"
    assert tool.text("tool.name") == "shell"


def test_a_call_around_a_call_is_not_counted_twice(tmp_path: Path) -> None:
    tokens = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 100}
    run = imported(tmp_path, span(1, tokens), span(2, tokens, 1))

    assert [c.call_id for c in run.calls()] == [f"{2:016x}"]
    assert run.spans()[0].text(sc.SPAN_KIND) == "agent"


def test_an_agents_own_spans_beside_ours_are_not_calls_again(tmp_path: Path) -> None:
    ours = {sc.SPAN_KIND: "model_call", "gen_ai.operation.name": "chat", "gen_ai.request.model": "m", sc.CALL_INDEX: 1}
    run = imported(tmp_path, span(1, {sc.SPAN_KIND: "cell"}), span(2, ours, 1), span(3, {"gen_ai.operation.name": "chat"}, 1))

    assert [c.call_id for c in run.calls()] == [f"{2:016x}"]
    assert run.spans()[2].attributes == {"gen_ai.operation.name": "chat"}


MESSAGES = [{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]


@pytest.mark.parametrize("shape", ["json", "structured", "event"])
def test_the_conventions_own_messages(shape: str) -> None:
    value: Any = json.dumps(MESSAGES) if shape == "json" else MESSAGES
    attributes = {"gen_ai.input.messages": value, "gen_ai.system_instructions": [{"type": "text", "content": "Be brief"}]}
    if shape == "event":
        event = SpanEvent("gen_ai.client.inference.operation.details", START_NS, attributes)
        said = said_in(span(1, {}, events=(event,)))
    else:
        said = said_in(span(1, attributes))

    assert said.asked == [{"role": "system", "parts": [{"type": "text", "content": "Be brief"}]}, *MESSAGES]
    assert said.answered is None
    assert said.keys == (set() if shape == "event" else {"gen_ai.input.messages"})


def test_numbered_attributes_become_messages() -> None:
    said = said_in(
        span(
            1,
            {
                "llm.input_messages.1.message.role": "tool",
                "llm.input_messages.1.message.content": "4 files",
                "llm.input_messages.1.message.tool_call_id": "call_1",
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.content": "Look",
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.tool_calls.0.tool_call.id": "call_2",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "shell",
                "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"cmd": "ls"}',
                "llm.input_messages.99999999999.message.role": "absurd",
            },
        )
    )

    assert said.asked == [
        {"role": "user", "parts": [{"type": "text", "content": "Look"}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "4 files"}]},
    ]
    assert said.answered == [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_2", "name": "shell", "arguments": {"cmd": "ls"}}]}
    ]


def test_older_names_and_plain_values() -> None:
    older = said_in(
        span(1, {"gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hi", "gen_ai.completion.0.content": "Ho"})
    )
    plain = said_in(span(1, {"input.value": "Hi", "output.value": "Ho"}))

    assert older.asked == plain.asked == [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    assert older.answered is not None
    assert older.answered[0]["parts"] == [{"type": "text", "content": "Ho"}]
    assert plain.answered is not None
    assert plain.answered[0]["parts"] == [{"type": "text", "content": "Ho"}]


@pytest.mark.parametrize("value", ["", "[", '{"a":1}', "[" * 5_000, 7, None, b"\x00", ["x", 1, None]], ids=repr)
def test_what_are_no_messages_raises_nothing(value: Any) -> None:
    said = said_in(span(1, {"gen_ai.input.messages": value}))

    assert said.asked in (None, [])


def test_conversations_are_kept_without_their_secrets(tmp_path: Path) -> None:
    secret = "hunter2-is-the-secret"
    talk = [{"role": "user", "parts": [{"type": "text", "content": f"The key is {secret}"}]}]
    run = imported(
        tmp_path,
        span(1, {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(talk), "gen_ai.agent.name": secret}),
        redactor=Redactor({"key": secret}),
    )

    stored = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert secret.encode() not in stored
    assert secret not in str(run.path)
    messages = run.call_body(f"{1:016x}").input_messages
    assert messages is not None
    assert messages[0]["parts"][0]["content"] == "The key is [redacted:key]"
    assert run.header.redactions["key"] >= 3
