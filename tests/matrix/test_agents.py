"""Every agent's real CLI, offline, in a local sandbox: what its record must hold."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.agents.transcripts.values import mapping
from tests.support.matrix import AGENTS, Cell, need, roots_and_orphans, run

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("matrix")]
GUESSES_TOKENS = {"aider"}  # what it prints is an estimate of its own
LEAVES_EARLY = {"opencode"}  # before all of its spans are sent
KNOWN_WARNINGS = {"opencode": "name as their parent never arrived"}
ALL_SOURCES = ("telemetry", "transcript", "model_calls")
CALLS_BESIDE = {"opencode", "qwen"}  # a title; the keeping of a memory
NO_TELEMETRY = {"aider", "mini-swe-agent", "qwen"}
NO_TIMES_OF_TOOLS = {"aider"}  # its history has none: they are bounded by the model calls around them
OWN_WORDS = {"aider": "Applied edit to hello.txt"}


@pytest.fixture(scope="module", params=AGENTS)
def cell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cell:
    need(request.param)
    return run(request.param, tmp_path_factory.mktemp(request.param))


def agent_of(cell: Cell) -> str:
    return cell.result.header.agent.name


def test_the_cell_passes_and_the_record_is_whole(cell: Cell) -> None:
    header = cell.result.header

    assert (cell.result.cause, cell.result.detail) == ("passed", "")
    assert header.exit_code == 0
    assert cell.run.changes()["added"] == ["hello.txt"]
    assert header.completeness.lost.total == 0
    assert header.completeness.model_calls == "complete"
    known = KNOWN_WARNINGS.get(agent_of(cell))
    assert [warning for warning in cell.run.warnings() if not (known and known in warning)] == []


def test_the_version_is_that_of_the_program(cell: Cell) -> None:
    agent = find_agent(agent_of(cell))

    version = cell.result.header.agent.version
    assert version
    told = any(version in warning for warning in cell.result.header.warnings)
    assert told == (version != agent.verified_version)  # type: ignore[attr-defined]  # an optional member


def test_every_model_call_is_recorded_as_the_server_saw_it(cell: Cell) -> None:
    calls = cell.run.calls()

    assert len(calls) >= 2
    assert sorted(call.request_hash for call in calls) == sorted(served.request_hash for served in cell.model_requests)
    for call in calls:
        assert call.http_status == 200
        assert call.usage.input
        assert call.usage.output
        assert call.latency_ms
        assert call.finish_reasons
        assert call.request_model == cell.result.header.model
        assert not call.incomplete


def test_the_tool_call_is_there_once_with_all_that_is_known(cell: Cell) -> None:
    tools = cell.tools()

    ids = [tool.text("gen_ai.tool.call.id") for tool in tools]
    assert tools
    assert len(set(ids)) == len(ids)
    wrote = next(tool for tool in tools if "hello" in tool.text("gen_ai.tool.call.result"))
    assert "hello" in wrote.text("gen_ai.tool.call.arguments")
    sources = wrote.attributes["cabtrace.tool.sources"]
    assert isinstance(sources, tuple)
    assert sources in (ALL_SOURCES, ALL_SOURCES[1:])
    assert agent_of(cell) in LEAVES_EARLY or (sources != ALL_SOURCES) == (agent_of(cell) in NO_TELEMETRY)
    assert wrote.attributes["cabtrace.tool.times"] == (sources[-1] if agent_of(cell) in NO_TIMES_OF_TOOLS else sources[0])
    assert wrote.text("cabtrace.tool.asked_by") in {call.call_id for call in cell.run.calls()}
    assert wrote.end_ns is not None
    assert wrote.end_ns > wrote.start_ns


def test_the_terminal_shows_the_agents_own_words(cell: Cell) -> None:
    assert OWN_WORDS.get(agent_of(cell), "Done: hello.txt holds the word hello.") in cell.terminal()


def test_the_trace_has_one_root_and_no_orphan(cell: Cell) -> None:
    roots, orphans = roots_and_orphans(cell.run)

    assert roots == [f"cell {agent_of(cell)} smoke/hello-file"]
    assert orphans == []


def test_its_transcript_is_kept_and_agrees_with_the_calls(cell: Cell) -> None:
    agent = find_agent(agent_of(cell))
    kept = cell.result.path / "artifacts" / agent.name

    found = agent.read_transcript(kept)  # type: ignore[attr-defined]  # an optional member
    assert found.problems == ()
    assert found.tool_calls
    main = [call for call in cell.run.calls() if _belongs_to_the_conversation(cell, call.call_id)]
    assert found.model_calls == len(main)
    told = (found.input_tokens, found.output_tokens)
    seen = (sum(call.usage.input or 0 for call in main), sum(call.usage.output or 0 for call in main))
    assert told == ((None, None) if agent_of(cell) in GUESSES_TOKENS else seen)


def test_where_totals_differ_the_record_says_why(cell: Cell) -> None:
    (root,) = cell.spans("cell")
    calls = cell.run.calls()
    agent = agent_of(cell)

    told = root.integer("cabtrace.transcript.model_calls")
    note = root.text("cabtrace.transcript.note")
    assert (root.integer("cabtrace.transcript.tool_calls") or 0) >= 1
    if agent in GUESSES_TOKENS:
        assert (told, note) == (len(calls), "the transcript does not count tokens, or only guesses them")
    elif told == len(calls):
        assert note == ""
        assert root.integer("cabtrace.transcript.input_tokens") == sum(call.usage.input or 0 for call in calls)
        assert root.integer("cabtrace.transcript.output_tokens") == sum(call.usage.output or 0 for call in calls)
    else:
        assert agent in CALLS_BESIDE
        assert note == f"the transcript tells of {told} of {len(calls)} model calls: those beside the conversation are not in it"
    # Telemetry that counts otherwise would be kept as the original, and be a warning.
    both = [span for span in cell.spans("model_call") if span.attributes.get("cabtrace.call.sources") == ("proxy", "telemetry")]
    assert len(both) <= len(calls)
    assert agent in LEAVES_EARLY or len(both) == (0 if agent in NO_TELEMETRY else len(calls))
    assert not [key for span in both for key in span.attributes if key.startswith("cabtrace.original.gen_ai.usage")]


def _belongs_to_the_conversation(cell: Cell, call_id: str) -> bool:
    """Not a title (no tools are offered), nor Qwen's keeping of its memory: no transcript has those."""
    lines = (cell.result.path / "calls.jsonl").read_bytes().splitlines()
    asked = next(line for line in lines if b'"request"' in line[:100] and call_id.encode() in line[:100])
    if b"memory extraction subagent" in asked:
        return False
    return agent_of(cell) == "aider" or bool(mapping(orjson.loads(asked)).get("tool_names"))


def test_neither_the_key_nor_the_token_is_on_disk(cell: Cell) -> None:
    found = [
        str(p) for p in Path(cell.result.path).rglob("*") if p.is_file() and b"sk-real-key-of-the-endpoint" in p.read_bytes()
    ]
    tokens = [str(p) for p in Path(cell.result.path).rglob("*") if p.is_file() and b"cbt-" in p.read_bytes()]

    assert (found, tokens) == ([], [])
