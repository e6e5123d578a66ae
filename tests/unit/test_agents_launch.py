from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.errors import UsageError
from cabtrace.protocols import LaunchContext, SandboxPaths

PATHS = SandboxPaths("/box/work", "/box/home", "/box/tests", "/box/logs", "/box/solution")
CONTEXT = LaunchContext("Fix {it} now", "a/model", "http://127.0.0.1:9", "run-token", PATHS, 60.0, "docker")


def test_reference_runs_its_one_file_from_the_cells_home():
    launch = find_agent("reference").launch(CONTEXT)
    assert launch.argv[:2] == ("python3", "/box/home/reference_agent.py")
    assert launch.argv[-2:] == ("--", "Fix {it} now")
    assert launch.argv[launch.argv.index("--base-url") + 1] == "http://127.0.0.1:9/v1"
    assert launch.argv[launch.argv.index("--model") + 1] == "a/model"
    assert launch.env["OPENAI_API_KEY"] == "run-token"
    ast.parse(launch.files["reference_agent.py"], feature_version=(3, 9))


def test_reference_uses_this_interpreter_where_the_sandbox_is_this_machine():
    assert find_agent("reference").launch(replace(CONTEXT, sandbox="local")).argv[0] == sys.executable


def test_reference_imports_the_standard_library_only():
    source = find_agent("reference").launch(CONTEXT).files["reference_agent.py"].decode()
    imported = {line.split()[1].split(".")[0] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= set(sys.stdlib_module_names)


def test_command_fills_in_its_places_and_leaves_other_braces():
    argv = (
        "my-agent",
        "--model={model}",
        "{prompt}",
        "{base_url}/v1",
        "{workdir}:{home}",
        "{}",
        "{other} {{model}}",
        '{"a": {}}',
    )
    launch = find_agent("command").launch(replace(CONTEXT, argv=argv))
    assert launch.argv == (
        "my-agent", "--model=a/model", "Fix {it} now", "http://127.0.0.1:9/v1", "/box/work:/box/home", "{}", "{other} {a/model}",
        '{"a": {}}',
    )  # fmt: skip


def test_command_does_not_fill_in_what_it_filled_in():
    launch = find_agent("command").launch(replace(CONTEXT, prompt="{model} {home}", argv=("x", "{prompt}")))
    assert launch.argv == ("x", "{model} {home}")


def test_command_tells_client_libraries_where_the_proxy_is():
    assert find_agent("command").launch(replace(CONTEXT, argv=("x",))).env == {
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
        "OPENAI_API_BASE": "http://127.0.0.1:9/v1",
        "OPENAI_API_KEY": "run-token",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_API_KEY": "run-token",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
        "GEMINI_API_KEY": "run-token",
    }


def test_command_without_a_command_is_a_usage_error():
    with pytest.raises(UsageError, match="needs a command line"):
        find_agent("command").launch(CONTEXT)


@pytest.mark.parametrize("name", ["reference", "command", "oracle", "nop"])
def test_no_agent_takes_anything_from_this_environment(monkeypatch, name):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-users-own")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-the-users-own")
    launch = find_agent(name).launch(replace(CONTEXT, argv=("x",)))
    assert "sk-the-users-own" not in repr(launch)


@pytest.mark.parametrize(("name", "uses"), [("reference", True), ("command", True), ("oracle", False), ("nop", False)])
def test_who_uses_a_model(name, uses):
    assert find_agent(name).capabilities.uses_model is uses


@pytest.mark.parametrize(
    "script", ["printf solved > out.txt\n", "set -euo pipefail\nwords=(solved)\nprintf %s ${words[0]} > out.txt\n"]
)
def test_oracle_runs_the_solution_in_the_working_directory(tmp_path: Path, script):
    work, solution = tmp_path / "work", tmp_path / "solution"
    work.mkdir()
    solution.mkdir()
    (solution / "solve.sh").write_text(script)
    launch = find_agent("oracle").launch(replace(CONTEXT, paths=replace(PATHS, solution=str(solution))))
    assert subprocess.run(launch.argv, cwd=work, check=False).returncode == 0
    assert (work / "out.txt").read_text() == "solved"


def test_oracle_passes_the_exit_code_on(tmp_path: Path):
    (tmp_path / "solve.sh").write_text("exit 7\n")
    launch = find_agent("oracle").launch(replace(CONTEXT, paths=replace(PATHS, solution=str(tmp_path))))
    assert subprocess.run(launch.argv, check=False).returncode == 7


def test_nop_succeeds_and_changes_nothing(tmp_path: Path):
    assert subprocess.run(find_agent("nop").launch(CONTEXT).argv, cwd=tmp_path, check=False).returncode == 0
    assert [*tmp_path.iterdir()] == []
