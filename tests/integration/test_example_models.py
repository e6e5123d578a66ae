"""Every example model tells the truth: its careful session passes the task, its hasty one fails it.

The commands of each script are run as an agent would, one fresh shell a call, and the task's own test.sh decides.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cabtrace.globs import matching
from cabtrace.modelserver.script import ScriptedModel, load_script
from cabtrace.runner.task import Task, load_task
from cabtrace.runner.verifier import read_reward
from cabtrace.runner.workspace import Baseline, Changes, prepare

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.parent.relative_to(EXAMPLES / "tasks").as_posix() for path in EXAMPLES.glob("tasks/*/*/task.toml"))
NAMES = [name for name in NAMES if name != "smoke/hello-file"]  # no session to read: one line, for whichever agent's sake
NEEDS = {"rust-error-handling": "cargo", "js-async-bug": "node"}


def load(name: str, model: str) -> tuple[Task, ScriptedModel]:
    program = NEEDS.get(Path(name).name, "python3")
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    script = load_script(EXAMPLES / "models" / f"{Path(name).name}.toml")
    assert [one.name for one in script.model] == ["scripted/careful", "scripted/hasty"]
    return load_task(EXAMPLES / "tasks" / name), next(one for one in script.model if one.name == model)


def play(task: Task, model: ScriptedModel, tmp_path: Path) -> tuple[bool | None, Changes]:
    """Runs the session's commands in a fresh working copy, then the tests."""
    workdir, logs = tmp_path / "work", tmp_path / "logs"
    logs.mkdir()
    prepare(task, workdir)
    baseline = Baseline.take(workdir, tmp_path / "git", ignored=task.ignored)
    env = {
        **os.environ,
        "CABTRACE_WORKDIR": str(workdir),
        "CABTRACE_TESTS": str(task.tests_dir),
        "TMPDIR": str(tmp_path),
    }
    for turn in model.turn:
        for call in turn.tool_call:
            subprocess.run(
                ["sh", "-c", call.arguments["command"]],
                cwd=workdir,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=120,
                check=False,
            )
    changes = baseline.diff(workdir)
    done = subprocess.run(
        ["bash", str(task.tests_dir / "test.sh")],
        cwd=workdir,
        env={**env, "CABTRACE_LOGS": str(logs)},
        capture_output=True,
        timeout=300,
        check=False,
    )
    return read_reward(logs, done.returncode).passed, changes


@pytest.mark.parametrize("name", NAMES)
def test_careful_passes_and_changes_only_what_is_expected(name: str, tmp_path: Path) -> None:
    task, model = load(name, "scripted/careful")

    passed, changes = play(task, model, tmp_path)

    changed = (*changes.added, *changes.removed, *changes.modified)
    assert passed is True
    assert task.expected_changes is not None
    assert set(matching(task.expected_changes, changed)) == set(changed)
    if task.expected_refusal:
        said = " ".join(turn.text for turn in model.turn).lower()
        assert any(marker in said for marker in task.refusal_markers)


@pytest.mark.parametrize("name", NAMES)
def test_hasty_fails_and_leaves_something_that_nobody_asked_for(name: str, tmp_path: Path) -> None:
    task, model = load(name, "scripted/hasty")

    passed, changes = play(task, model, tmp_path)

    changed = (*changes.added, *changes.removed, *changes.modified)
    assert passed is False
    assert task.expected_changes is not None
    assert set(changed) - set(matching(task.expected_changes, changed))
    said = " ".join(turn.text for turn in model.turn).lower()
    assert not any(marker in said for marker in task.refusal_markers)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("model_name", ["scripted/careful", "scripted/hasty"])
def test_a_session_reads_like_one(name: str, model_name: str) -> None:
    _, model = load(name, model_name)

    assert 5 <= len(model.turn) <= 9
    assert all(turn.text and len(turn.tool_call) == 1 for turn in model.turn[:-1])
    assert not model.turn[-1].tool_call
    assert all(call.name == "*" and isinstance(call.arguments["command"], str) for t in model.turn for call in t.tool_call)
