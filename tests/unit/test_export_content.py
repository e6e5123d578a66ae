"""Prompts and outputs leave this machine only where that was asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanEvent
from cabtrace.store.reader import RunView
from exporters.otlp.content import bounded_json, is_content
from exporters.otlp.outgoing import Shape, outgoing
from exporters.otlp.protobuf import ProtobufCodec
from exporters.source import span_source
from tests.support.export_runs import INSTRUCTION, many_spans, run_of
from tests.support.sample_run import build_sample_run
from tests.support.sample_text import TURNS


def sent(run: RunView, shape: Shape) -> bytes:
    codec = ProtobufCodec()
    return b"".join(codec.span(s) for s in outgoing(run, span_source(run).records(), shape))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return RunView(build_sample_run(tmp_path_factory.mktemp("sample")))


def secrets_of(run: RunView) -> list[bytes]:
    said = [text for text in run.assistant_texts() if len(text) > 20]
    commands = [orjson.dumps(t.command)[1:-1].decode() for t in TURNS if t.command]
    return [text.encode()[:40] for text in [*said, *commands]]


def test_without_content_nothing_that_was_said_leaves(sample: RunView) -> None:
    data = sent(sample, Shape())

    found = [text for text in secrets_of(sample) if text in data]
    assert len(secrets_of(sample)) > 5
    assert found == []
    assert b"gen_ai.usage.input_tokens" in data
    assert b"gen_ai.request.model" in data


def test_with_content_what_was_said_goes_along(sample: RunView) -> None:
    data = sent(sample, Shape(content=True))

    assert b"gen_ai.input.messages" in data
    said = [t.encode()[:30] for t in sample.assistant_texts() if len(t) > 30 and "\n" not in t[:30] and '"' not in t[:30]]
    assert said
    assert all(text in data for text in said)


def test_the_instruction_is_taken_out_wherever_it_stands(tmp_path: Path) -> None:
    span = replace(
        next(iter(many_spans(3))),
        name=f"run {INSTRUCTION}",
        status_message=f"failed: {INSTRUCTION}",
        attributes={sc.PROCESS_ARGS: ("agent", "--prompt", INSTRUCTION), "k": {"v": [f"x {INSTRUCTION} y"]}, "plain": 1},
        events=(SpanEvent("e", 1, {"note": INSTRUCTION, "prompt": "secret"}),),
    )
    run = run_of(tmp_path, [span])

    data = sent(run, Shape())

    assert INSTRUCTION.encode() not in data
    assert b"secret" not in data
    assert b"--prompt" in data
    assert b"withheld" in data


@pytest.mark.parametrize(
    "key",
    ["gen_ai.tool.call.arguments", "cabtrace.original.prompt", "user_prompt", "function_args", "input.value", "tool.output", "llm.input_messages.0.message.content", "gen_ai.prompt.0.content"],
)  # fmt: skip
def test_content_by_name(key: str) -> None:
    assert is_content(key)


@pytest.mark.parametrize(
    "key", ["gen_ai.usage.output_tokens", "cabtrace.call.request_bytes", "gen_ai.response.finish_reasons", "test.case.result.status", "gen_ai.request.model", "cabtrace.exit_code", "service.name"]
)  # fmt: skip
def test_no_content_by_name(key: str) -> None:
    assert not is_content(key)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=300), max_size=12), st.integers(200, 2000))
def test_messages_stay_json_however_long(texts: list[str], size: int) -> None:
    messages = [{"role": "user", "parts": [{"type": "text", "content": t}]} for t in texts]

    value = orjson.loads(bounded_json(messages, size))

    assert isinstance(value, list)
    if sum(len(t.encode()) + 80 for t in texts) < size:
        assert value == messages
    elif texts:
        assert value[-1]["role"] == "user"


def test_timeshift_moves_every_time_and_says_by_how_much(tmp_path: Path) -> None:
    spans = list(many_spans(20))
    run = run_of(tmp_path, spans)

    moved = {s.span_id: s for s in outgoing(run, span_source(run).records(), Shape(timeshift_ns=10**15))}

    for span in spans:
        other = moved[span.span_id]
        assert (other.start_ns, other.end_ns) == (span.start_ns + 10**15, (span.end_ns or 0) + 10**15)
        assert [e.time_ns for e in other.events] == [e.time_ns + 10**15 for e in span.events]
        assert ("cabtrace.timeshift_ns" in other.attributes) is (span.parent_id is None)
