"""Transcripts are written by agents: whatever is in them, reading ends, and says what it could not read."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.limits import DEFAULT
from cabtrace.protocols import Transcript
from tests.support.transcripts import PLACES, lay, recorded

LINES = [agent for agent in PLACES if PLACES[agent][1].endswith(".jsonl")]
STRANGE: list[Any] = [
    None,
    True,
    0,
    -1,
    10**18,
    1.5e308,
    "",
    "x",
    "\ud83d",
    [],
    {},
    [None],
    {"a": 1},
    [[[]]],
    "9999-12-31T23:59:59Z",
]


def read(agent: str, home: Path) -> Transcript:
    return find_agent(agent).read_transcript(home)  # type: ignore[attr-defined]  # an optional member


@pytest.mark.parametrize("agent", PLACES)
def test_cut_anywhere_what_is_whole_is_read(agent: str, tmp_path: Path) -> None:
    data = recorded(agent)
    lay(agent, tmp_path)
    everything = read(agent, tmp_path)
    cuts = range(0, len(data), max(1, len(data) // 150))

    for cut in cuts:
        lay(agent, tmp_path, data[:cut])
        found = read(agent, tmp_path)
        assert [c.tool_call_id for c in found.tool_calls] == [c.tool_call_id for c in everything.tool_calls][
            : len(found.tool_calls)
        ]
        assert (found.model_calls or 0) <= (everything.model_calls or 0)


@pytest.mark.parametrize("agent", LINES)
def test_a_torn_last_line_is_told_and_the_rest_is_kept(agent: str, tmp_path: Path) -> None:
    lay(agent, tmp_path)
    whole = read(agent, tmp_path)
    path = lay(agent, tmp_path, recorded(agent) + b'{"type": "assist')

    found = read(agent, tmp_path)

    assert found.tool_calls == whole.tool_calls
    assert found.problems == (f"{path.name}: the last line is torn",)


@pytest.mark.parametrize("agent", LINES)
def test_a_line_that_is_too_long_is_left_out_and_told(agent: str, tmp_path: Path) -> None:
    lay(agent, tmp_path)
    whole = read(agent, tmp_path)
    lay(agent, tmp_path, b'{"x": "' + b"y" * (DEFAULT.line_bytes + 10) + b'"}\n' + recorded(agent))

    found = read(agent, tmp_path)

    assert found.tool_calls == whole.tool_calls
    assert any("too long" in problem for problem in found.problems)


@pytest.mark.parametrize("agent", PLACES)
def test_any_value_may_be_anything(agent: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    data = recorded(agent)
    for _ in range(150):
        if agent == "aider":
            changed = bytearray(data)
            changed[chance.randrange(len(changed))] = chance.randrange(256)
            lay(agent, tmp_path, bytes(changed))
        else:
            pieces = [data] if agent == "mini-swe-agent" else data.splitlines()
            wild = [orjson.dumps(_wild(orjson.loads(piece), chance), default=str) for piece in pieces]
            lay(agent, tmp_path, b"\n".join(wild) + b"\n")
        found = read(agent, tmp_path)
        for call in found.tool_calls:
            assert isinstance(call.arguments, str)
            assert isinstance(call.result, str)
            assert call.exit_code is None or isinstance(call.exit_code, int)
            if call.started_ns is not None and call.ended_ns is not None:
                assert call.ended_ns >= call.started_ns


def _wild(value: Any, chance: random.Random) -> Any:
    if chance.random() < 0.04:
        strange = chance.choice(STRANGE)
        return strange if strange != "\ud83d" else "?"
    if isinstance(value, dict):
        return {key: _wild(inner, chance) for key, inner in value.items() if chance.random() > 0.02}
    if isinstance(value, list):
        return [_wild(inner, chance) for inner in value]
    return value


@pytest.mark.parametrize("agent", PLACES)
@pytest.mark.parametrize("data", [b"", b"\n\n", b"\x00" * 4096, b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe{}\n", b"null\n1\n"])
def test_garbage_is_no_transcript(agent: str, data: bytes, tmp_path: Path) -> None:
    lay(agent, tmp_path, data)

    found = read(agent, tmp_path)

    assert found.tool_calls == ()
    assert found.model_calls is None


@pytest.mark.parametrize("agent", PLACES)
def test_links_are_not_followed(agent: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(recorded(agent))
    path = lay(agent, tmp_path / "home")
    path.unlink()
    path.symlink_to(secret)

    found = read(agent, tmp_path / "home")

    assert found.tool_calls == ()
