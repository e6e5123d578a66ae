"""What each agent's transcript says of a real run: its tool call with times, its tokens, its version."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.agents.transcripts import opencode
from cabtrace.protocols import RecordedAgent, Transcript
from tests.support.transcripts import PLACES, lay, lay_opencode_database, recorded

COMMAND = "printf 'hello\\n' > hello.txt && cat hello.txt"
# agent: tool, name of its argument, what the result holds, milliseconds it took, exit code, model calls, tokens in and out
SEEN = {
    "claude-code": ("Bash", "command", "hello", 146, 0, 2, 38300, 36, "2.1.197"),
    "codex": ("exec_command", "cmd", "Output:\nhello\n", 71, 0, 2, 20027, 37, "0.169.0"),
    "copilot": ("bash", "command", "hello\n<shellId: 0 completed with exit code 0>", 61, 0, 2, 24187, 44, "1.0.102"),
    "gemini": ("run_shell_command", "command", "Output: hello\n", 183, 0, 2, 24446, 39, ""),
    "qwen": ("run_shell_command", "command", "Output: hello\n", 4953, 0, 2, 39041, 39, "0.15.10"),
    "opencode": ("bash", "command", "hello\n", 3102, 0, 2, 15540, 36, "1.18.33"),
    "mini-swe-agent": ("bash", "command", "hello\n", 11, 0, 2, 1827, 54, "2.4.6"),
}


def read(agent: str, home: Path) -> Transcript:
    found: RecordedAgent = find_agent(agent)  # type: ignore[assignment]  # these ones have the optional members
    return found.read_transcript(home)


@pytest.mark.parametrize("agent", SEEN)
def test_a_real_run_is_read(agent: str, tmp_path: Path) -> None:
    lay(agent, tmp_path)

    found = read(agent, tmp_path)

    tool, argument, result, took_ms, exit_code, calls, input_tokens, output_tokens, version = SEEN[agent]
    call = found.tool_calls[0]
    assert call.name == tool
    assert orjson.loads(call.arguments)[argument] == COMMAND
    assert result in call.result
    assert call.started_ns is not None
    assert call.ended_ns is not None
    assert (call.ended_ns - call.started_ns) // 1_000_000 == took_ms
    assert call.exit_code == exit_code
    assert call.error == ""
    assert (found.model_calls, found.input_tokens, found.output_tokens) == (calls, input_tokens, output_tokens)
    assert found.version == version
    assert found.problems == ()


def test_mini_says_what_it_did_not_run(tmp_path: Path) -> None:
    lay("mini-swe-agent", tmp_path)

    last = read("mini-swe-agent", tmp_path).tool_calls[-1]

    assert last.error == "action was not executed"
    assert last.exit_code is None


def test_an_edit_of_aider_is_its_only_kind_of_tool_call(tmp_path: Path) -> None:
    lay("aider", tmp_path)

    found = read("aider", tmp_path)

    assert [(c.name, orjson.loads(c.arguments), c.result) for c in found.tool_calls] == [
        ("edit", {"path": "hello.txt"}, "Applied edit to hello.txt")
    ]
    assert found.tool_calls[0].started_ns is None
    assert (found.model_calls, found.input_tokens, found.output_tokens, found.version) == (1, None, None, "0.86.2")


def test_what_aider_guesses_or_rounds_is_not_a_count(tmp_path: Path) -> None:
    lay("aider", tmp_path, b"> Tokens: 1.2k sent, 34 received. Cost: $0.01 message, $0.01 session.  \n")

    found = read("aider", tmp_path)

    assert (found.model_calls, found.input_tokens, found.output_tokens) == (1, None, None)


def test_the_database_of_opencode_says_the_same_as_what_is_kept_of_it(tmp_path: Path) -> None:
    lay_opencode_database(tmp_path / "a")
    lay("opencode", tmp_path / "b")

    from_database = read("opencode", tmp_path / "a")
    kept = opencode.derive(tmp_path / "a")[opencode.DERIVED]

    assert from_database == read("opencode", tmp_path / "b")
    assert from_database.tool_calls
    assert b"secret-of-an-account" not in kept
    assert [orjson.loads(line) for line in kept.splitlines()] == [
        orjson.loads(line) for line in recorded("opencode").splitlines()
    ]


def test_subagents_of_claude_count_and_a_resumed_session_does_not_count_twice(tmp_path: Path) -> None:
    session = lay("claude-code", tmp_path)
    session.with_name("resumed.jsonl").write_bytes(recorded("claude-code"))
    below = session.with_suffix("") / "subagents" / "agent-1.jsonl"
    below.parent.mkdir(parents=True)
    other = (
        recorded("claude-code")
        .replace(b"toolu_f377913a40fcb04931b4470b0", b"toolu_other")
        .replace(b'"id": "msg_', b'"id": "sub_')
    )
    below.write_bytes(other)

    found = read("claude-code", tmp_path)

    assert len(found.tool_calls) == 2
    assert (found.model_calls, found.input_tokens) == (4, 2 * 38300)


def test_claude_failures_tell_the_exit_code(tmp_path: Path) -> None:
    block = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "false"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "Exit code 3\nno", "is_error": True}
    said = {"type": "assistant", "timestamp": "2026-11-22T14:57:36.200Z", "message": {"content": [block]}}
    done = {"type": "user", "timestamp": "2026-11-22T14:57:36.300Z", "message": {"content": [result]}, "toolUseResult": "Error"}
    lay("claude-code", tmp_path, orjson.dumps(said) + b"\n" + orjson.dumps(done) + b"\n")

    (call,) = read("claude-code", tmp_path).tool_calls

    assert (call.exit_code, call.error) == (3, "Exit code 3\nno")


def test_claude_counts_what_was_cached_as_input(tmp_path: Path) -> None:
    usage = {"input_tokens": 5, "cache_read_input_tokens": 70, "cache_creation_input_tokens": 600, "output_tokens": 8}
    record = {"type": "assistant", "message": {"id": "m1", "model": "m", "content": [], "usage": usage}}
    lay("claude-code", tmp_path, orjson.dumps(record) + b"\n")

    found = read("claude-code", tmp_path)

    assert (found.model_calls, found.input_tokens, found.output_tokens) == (1, 675, 8)


def test_an_old_codex_tells_totals_but_not_how_many_calls(tmp_path: Path) -> None:
    totals = [{"input_tokens": n, "output_tokens": n // 10} for n in (100, 250)]
    lines = [{"type": "event_msg", "payload": {"type": "token_count", "info": {"total_token_usage": t}}} for t in totals]
    output = orjson.dumps({"output": "no\n", "metadata": {"exit_code": 2, "duration_seconds": 0.1}}).decode()
    lines += [
        {"type": "response_item", "payload": {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{}"}},
        {"type": "response_item", "payload": {"type": "function_call_output", "call_id": "c1", "output": output}},
    ]
    lay("codex", tmp_path, b"\n".join(orjson.dumps(line) for line in lines) + b"\n")

    found = read("codex", tmp_path)

    assert (found.model_calls, found.input_tokens, found.output_tokens) == (None, 250, 25)
    assert [(c.exit_code, c.result) for c in found.tool_calls] == [(2, "no\n")]


def test_an_old_gemini_wrote_one_document(tmp_path: Path) -> None:
    call = {"id": "c1", "name": "run_shell_command", "args": {}, "status": "error", "timestamp": "2026-01-01T00:00:01Z"}
    response = {"functionResponse": {"response": {"output": "Output: x\nExit Code: 4"}}}
    message = {"type": "gemini", "timestamp": "2026-01-01T00:00:00Z", "toolCalls": [{**call, "result": [response]}]}
    path = tmp_path / ".gemini/tmp/hash/chats/session-2026-01-01T00-00-1.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(orjson.dumps({"messages": [message]}))

    (found,) = read("gemini", tmp_path).tool_calls

    assert (found.exit_code, found.error) == (4, "error")
    assert found.ended_ns == found.started_ns + 10**9


@pytest.mark.parametrize("agent", PLACES)
def test_nothing_there_is_nothing_known(agent: str, tmp_path: Path) -> None:
    assert read(agent, tmp_path) == Transcript()
