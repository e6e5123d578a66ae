from __future__ import annotations

import pytest

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.tools import canonical, command_of, tool_use
from cabtrace.model import semconv as sc
from cabtrace.model.exit_code import exit_code_in
from cabtrace.store.calls import CallBody
from tests.support.plain_run import PlainRun, call, tool


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("hello\n[exit code 3]", 3),
        ("Exit code: 1\nWall time: 0.1 s\nOutput:\nx", 1),
        ("Error: Exit code 127\nnot found", 127),
        ("Process exited with code 2", 2),
        ('{"output":"x","metadata":{"exit_code":4}}'.replace('":4', '": 4'), 4),
        ("<returncode>1</returncode>\n<output>\n</output>", 1),
        ("Command failed with exit code 101.", 101),
        ("all is well", None),
        ("", None),
        ("the exit code 7 is described below", None),
    ],
)
def test_exit_codes_are_read_as_agents_write_them(result: str, code: int | None) -> None:
    assert exit_code_in(result) == code


def test_long_results_are_read_at_both_ends() -> None:
    assert exit_code_in("Exit code: 5\n" + "x" * 100_000) == 5
    assert exit_code_in("x" * 100_000 + "\n[exit code 6]") == 6


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ('{"command":"ls -la"}', "ls -la"),
        ('{"command":["bash","-lc","ls"]}', "ls"),
        ('{"command":["ls","-la"]}', "ls -la"),
        ('{"cmd":"pwd","timeout":3}', "pwd"),
        ('{"path":"a.py"}', '{"path":"a.py"}'),
        ("not json", "not json"),
        ('{"broken', '{"broken'),
    ],
)
def test_the_command_is_found_in_the_arguments(arguments: str, command: str) -> None:
    assert command_of(arguments) == command


def test_arguments_are_equal_whatever_their_order() -> None:
    assert canonical('{"b":1,"a":[2]}') == canonical('{ "a": [2], "b": 1 }')


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ("python3 -m unittest -v", "python -m unittest"),
        ("/usr/bin/python3.11 tool.py", "python tool.py"),
        ("cd src && cargo test --all", "cargo test"),
        ("FOO=1 make all", "make all"),
        ("sh check.sh", "sh check.sh"),
        ("sed -i s/a/b/ x", "sed"),
        ("", ""),
    ],
)
def test_programs_are_told_apart_without_their_operands(command: str, program: str) -> None:
    use = tool_use(tool("t", 0, 1, command))
    assert use is not None
    assert use.program == f"shell {program}".rstrip() or use.program == f"shell {program}"


@pytest.mark.parametrize(
    "command", ["echo x > a", "sed -i s/a/b/ a", "cat <<E > a", "mv a b", "git apply x.patch", "printf x >> a"]
)
def test_commands_that_write_are_known(command: str) -> None:
    use = tool_use(tool("t", 0, 1, command))
    assert use is not None
    assert use.writes


@pytest.mark.parametrize("command", ["cat a", "ls 2>/dev/null", "grep -n x a | head", "make -n 2>&1", "python3 -m unittest"])
def test_commands_that_only_look_are_not_taken_for_writing(command: str) -> None:
    use = tool_use(tool("t", 0, 1, command))
    assert use is not None
    assert not use.writes


def test_spans_of_the_harness_are_no_tool_calls() -> None:
    run = PlainRun(recorded=[tool("t", 0, 1, "ls"), call(1, 2, 3)])

    assert tool_use(call(1, 0, 1)) is None
    assert [use.span_id for use in Evidence(run).tools] == ["t"]


def test_a_tool_whose_result_never_came_back_is_pending() -> None:
    parts = [{"type": "tool_call", "name": "shell", "arguments": {"command": "sleep 60"}}]
    bodies = {"c1": CallBody(output_messages=[{"role": "assistant", "parts": parts}])}
    asked = call(1, 0, 10)

    waiting = Evidence(PlainRun(recorded=[asked], bodies=bodies)).pending
    answered = Evidence(
        PlainRun(recorded=[asked, tool("t", 10, 20, "sleep 60", **{sc.TOOL_CALL_ASKED_BY: "c1"})], bodies=bodies)
    ).pending
    asked_again = Evidence(PlainRun(recorded=[asked, call(2, 20, 30)], bodies=bodies)).pending

    assert [use.command for use in waiting] == ["sleep 60"]
    assert answered == ()
    assert asked_again == ()
