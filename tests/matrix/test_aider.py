"""What the real aider does by itself with an answer that is not right: each of it a tool call between two model calls."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from cabtrace.modelserver.script import Script
from tests.support.matrix import Cell, need, run

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("matrix")]
BROKEN = "greet.py\n```\ndef greet(:\n    return 1\n```\n"
WRONG = "greet.py\n```\ndef greet():\n    return 1\n```\n\nhello.txt\n```\nHello!\n```\n"
RIGHT = "hello.txt\n```\nhello\n```\n"
TEST = "grep -qx hello hello.txt || { echo found; cat hello.txt; exit 3; }"


def test_its_linter_and_its_test_command_are_tool_calls(tmp_path: Path) -> None:
    need("aider")
    model = {"name": "m", "without_tools": [BROKEN, WRONG, RIGHT]}
    script = Script.model_validate({"schema_version": "1", "model": [model]})

    cell = run("aider", tmp_path, scripts=(script,), model="m", agent_argv=("--auto-test", f"--test-cmd={TEST}"))

    assert (cell.result.cause, cell.result.header.exit_code) == ("passed", 0)
    calls = cell.run.calls()
    assert len(calls) == 3
    edits = [asked_by_its_turn(cell, turn, "edit") for turn in range(3)]
    assert [sorted(orjson.loads(arguments)["path"] for arguments, _, _ in turn) for turn in edits] == [
        ["greet.py"],
        ["greet.py", "hello.txt"],
        ["hello.txt"],
    ]
    ((_, linted, failed),) = asked_by_its_turn(cell, 0, "lint")
    assert ("SyntaxError" in linted, failed) == (True, True)
    ((arguments, tested, failed),) = asked_by_its_turn(cell, 1, "test")
    assert (orjson.loads(arguments), tested, failed) == ({"command": TEST}, "found\nHello!", True)
    spans = sorted(cell.spans("model_call"), key=lambda span: span.start_ns)
    for tool in cell.tools():
        number = [span.span_id for span in spans].index(tool.text("cabtrace.tool.asked_by"))
        assert tool.start_ns == spans[number].end_ns
        assert number == 2 or tool.end_ns == spans[number + 1].start_ns
        assert tool.end_ns is not None
        assert tool.end_ns > tool.start_ns
    assert cell.result.header.warnings == ()


def asked_by_its_turn(cell: Cell, number: int, name: str) -> list[tuple[str, str, bool]]:
    """Arguments, result and whether it failed, of the tools of that name that followed from an answer."""
    call = cell.run.calls()[number].call_id
    found = [tool for tool in cell.tools() if tool.text("cabtrace.tool.asked_by") == call]
    ours = [tool for tool in found if tool.text("gen_ai.tool.name") == name]
    return [(t.text("gen_ai.tool.call.arguments"), t.text("gen_ai.tool.call.result"), t.failed) for t in ours]
