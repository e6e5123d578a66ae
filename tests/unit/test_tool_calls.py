"""Tool calls as the model's side shows them, with ids and without: each one once, with its own result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord
from cabtrace.otel.recorder import Recorder
from cabtrace.runner.proxy.apis import gemini
from cabtrace.runner.tool_calls import ToolCallRecorder
from cabtrace.store.reader import RunView
from tests.support.recording import new_recorder

Message = Mapping[str, Any]


class Conversation:
    """What one agent and one model say to each other."""

    def __init__(self, folder: Path) -> None:
        self.recorder: Recorder = new_recorder(folder)
        self.root = self.recorder.start("cell", sc.SpanKind.CELL, parent=None)
        self.tools = ToolCallRecorder(self.recorder, self.root)
        self.now_ns = self.recorder.clock.now_ns()

    def answers(self, *parts: Message, call_id: str = "a" * 16) -> None:
        self.now_ns += 1_000
        self.tools.answer([{"role": "assistant", "parts": list(parts)}], call_id, self.now_ns)

    def asks(self, *messages: Message) -> None:
        self.now_ns += 1_000
        self.tools.request(messages, self.now_ns)

    def recorded(self) -> list[SpanRecord]:
        self.recorder.end(self.root)
        self.recorder.close()
        self.recorder.writer.close(status="finished")
        found = [s for s in RunView(self.recorder.writer.path).spans() if s.text(sc.GEN_AI_OPERATION) == "execute_tool"]
        return sorted(found, key=lambda s: s.start_ns)

    def results(self) -> list[tuple[str, str, str]]:
        ids = (sc.GEN_AI_TOOL_CALL_ID, sc.GEN_AI_TOOL_ARGUMENTS, sc.GEN_AI_TOOL_RESULT)
        return [(s.text(ids[0]), s.text(ids[1]), s.text(ids[2])) for s in self.recorded()]


@pytest.fixture
def talk(tmp_path: Path) -> Conversation:
    return Conversation(tmp_path)


def call(command: str, call_id: str | None = None, name: str = "shell") -> Message:
    return {"type": "tool_call", "id": call_id, "name": name, "arguments": {"command": command, "n": 1}}


def again(command: str, call_id: str | None, name: str = "shell") -> Message:
    """The same call as an agent repeats it: the keys of its arguments in another order."""
    return {"role": "assistant", "parts": [{**call(command, call_id, name), "arguments": {"n": 1, "command": command}}]}


def result(call_id: str, text: str) -> Message:
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": call_id, "result": text}]}


def test_with_ids_each_pair_is_one_span_whatever_comes_again(talk: Conversation) -> None:
    talk.answers(call("ls", "c1"), call("ls", "c2"))
    talk.asks(again("ls", "c1"), result("c2", "second"), result("c1", "first"))
    talk.asks(again("ls", "c1"), result("c2", "second"), result("c1", "first"))

    found = talk.recorded()

    assert sorted((s.text(sc.GEN_AI_TOOL_CALL_ID), s.text(sc.GEN_AI_TOOL_RESULT)) for s in found) == [
        ("c1", "first"),
        ("c2", "second"),
    ]
    assert {(s.attributes[sc.TOOL_CALL_SOURCES], s.attributes[sc.TOOL_CALL_TIMES]) for s in found} == {
        (("model_calls",), "model_calls")
    }


def test_an_id_that_the_agent_made_up_is_known_by_name_and_arguments(talk: Conversation) -> None:
    talk.answers(call("ls"))
    talk.asks(again("ls", "shell_17_0"), result("shell_17_0", "a.txt"))

    assert talk.results() == [("shell_17_0", '{"command":"ls","n":1}', "a.txt")]


def test_the_same_call_twice_gets_each_time_the_result_of_its_turn(talk: Conversation) -> None:
    first = (again("ls", "s_1"), result("s_1", "before"))
    second = (again("ls", "s_2"), result("s_2", "after"))
    talk.answers(call("ls"), call_id="a" * 16)
    talk.asks(*first)
    talk.answers(call("ls"), call_id="b" * 16)
    talk.asks(*first, *second)
    talk.asks(*first, *second)

    assert [(one, text) for one, _, text in talk.results()] == [("s_1", "before"), ("s_2", "after")]


def test_results_without_ids_belong_to_the_newest_turn(talk: Conversation) -> None:
    """Older versions of the API name the tool only."""
    first = (again("ls", None), result("shell", "before"))
    talk.answers(call("ls"), call_id="a" * 16)
    talk.asks(*first)
    talk.answers(call("ls"), call("cat a"), call_id="b" * 16)
    both = {"role": "assistant", "parts": [call("ls"), call("cat a")]}
    talk.asks(*first, both, result("shell", "after"), result("shell", "text of a"))

    found = talk.results()

    assert [text for *_, text in found] == ["before", "after", "text of a"]
    assert len({one for one, *_ in found}) == 3  # made up, and no two the same


def test_a_call_of_another_conversation_is_left_alone(talk: Conversation) -> None:
    """Two agents in turns: the newer answer is not the one whose result comes first."""
    talk.answers(call("ls"), call_id="a" * 16)
    talk.answers(call("pwd"), call_id="b" * 16)
    talk.asks(again("pwd", "s_9"), result("s_9", "/home"))
    talk.asks(again("never asked", "s_8"), result("s_8", "odd"))

    assert [(one, text) for one, _, text in talk.results()] == [("s_9", "/home")]


def test_gemini_as_its_cli_speaks_it(talk: Conversation) -> None:
    asked = b'{"candidates":[{"content":{"role":"model","parts":[{"functionCall":{"name":"run","args":{"command":"ls"}}}]},"finishReason":"STOP"}]}'
    later = (
        b'{"contents":[{"role":"user","parts":[{"text":"go"}]},'
        b'{"role":"model","parts":[{"functionCall":{"id":"run_1795_0","name":"run","args":{"command":"ls"}}}]},'
        b'{"role":"user","parts":[{"functionResponse":{"id":"run_1795_0","name":"run","response":{"output":"a.txt"}}}]}]}'
    )

    talk.tools.answer(gemini.response_facts(200, "application/json", asked).messages, "a" * 16, talk.now_ns)
    talk.asks(*gemini.request_facts(later).messages)

    assert talk.results() == [("run_1795_0", '{"command":"ls"}', '{"output":"a.txt"}')]


@pytest.mark.parametrize(
    ("text", "code", "failed"),
    [
        ("2 tests ran\n[exit code 1]", 1, True),
        ("Exit code: 2\nno such file", 2, True),
        ("Process exited with code 0\nfine", 0, False),
        ("fine", None, False),
        (f"{'x' * 300}\nexit code: 3\n{'x' * 300}", None, False),
    ],
    ids=["at_the_end", "at_the_beginning", "zero", "none", "in_a_file_that_was_read"],
)
def test_an_exit_code_at_an_end_of_the_result_is_the_tools(talk: Conversation, text: str, code: int | None, failed: bool) -> None:
    talk.answers(call("make", "c1"))
    talk.asks(result("c1", text))

    (span,) = talk.recorded()

    assert (span.attributes.get(sc.PROCESS_EXIT_CODE), span.failed) == (code, failed)
    assert span.attributes.get(sc.TOOL_EXIT_CODE_FROM) == (None if code is None else "result")
    assert span.attributes.get(sc.ERROR_TYPE) == (str(code) if failed else None)
