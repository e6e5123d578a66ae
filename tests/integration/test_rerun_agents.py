"""The cells of the agents' real CLIs again on their recorded answers, where there is only the loopback; and where they part."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cabtrace.agents.plugins import load_plugins
from cabtrace.cli.rerun import rerun
from cabtrace.diagnose.diff.compare import compare
from cabtrace.errors import UsageError
from cabtrace.examples import example_script, example_task
from cabtrace.model.outcome import Cause
from cabtrace.modelserver.script import load_script
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.spec import Cancel
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView
from tests.support.cells import says, script
from tests.support.matrix import AGENTS, need, run

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("rerun-agents")]

_ALONE = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
_QUICK = ("claude-code", "codex", "copilot")
_PLUGINS = """schema_version = "1"
[[plugin]]
name = "extra"
env = { EXTRA_OF_THE_PLUGIN = "1" }
"""


def changed_task(folder: Path) -> Path:
    """The task of the matrix with a few words more in its prompt."""
    shutil.copytree(example_task("smoke/hello-file"), folder)
    prompt = folder / "instruction.md"
    prompt.write_text(f"Please be careful. {prompt.read_text()}")
    return folder


def same_work(before: RunView, after: RunView) -> None:
    found = compare(before, after)

    assert found.divergence is None, found.divergence
    assert all(step.left_id and step.right_id for step in found.tools)
    assert (after.header.verdict, after.header.cause) == (before.header.verdict, before.header.cause)
    assert after.patch() == before.patch()


@pytest.mark.parametrize("name", AGENTS)
def test_a_real_cli_runs_again_where_there_is_only_the_loopback(name: str, tmp_path: Path) -> None:
    need(name)
    before = run(name, tmp_path).run
    if subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespace can be made here")
    environment = {**os.environ, "CABTRACE_SCRATCH": str(tmp_path / "scratch-two")}
    argv = [sys.executable, "-m", "cabtrace", "rerun", str(before.path), "--store", str(tmp_path / "again"), "--json"]
    done = subprocess.run([*_ALONE, *argv], env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)

    assert record["unanswered"] is None
    assert record["first_divergence"] is None
    assert record["answered_from_recording"] == len(before.calls())
    same_work(before, RunView(Path(record["path"])))


@pytest.mark.parametrize("name", _QUICK)
def test_a_longer_conversation_with_what_differs_from_run_to_run(name: str, tmp_path: Path) -> None:
    need(name)
    steps = ("pwd; date; date +%s%N", "ls -la", "cat missing.txt", "mktemp -d", "printf 'hello\\n' > hello.txt", "sleep 0.2")
    before = run(name, tmp_path, scripts=(script(*steps, says("Done."), name="*"),)).run
    task = load_task(example_task("smoke/hello-file"))
    result, model = rerun(before, task, Cancel(), store=tmp_path / "again", scratch=tmp_path / "scratch-of-another-length")

    assert model.unanswered is None, model.unanswered
    assert len(before.calls()) == model.served == len(steps) + 1
    same_work(before, RunView(result.path))


@pytest.mark.parametrize("name", _QUICK)
def test_a_changed_prompt_stops_a_real_cli_and_is_shown_or_goes_on_live(name: str, tmp_path: Path) -> None:
    need(name)
    before = run(name, tmp_path).run
    task = load_task(changed_task(tmp_path / "changed"))
    result, model = rerun(before, task, Cancel(), store=tmp_path / "again", scratch=tmp_path / "scratch-two")
    server = ModelServer((load_script(example_script("hello")),), speed=0.2)
    server.start()
    try:
        live, other = rerun(before, task, Cancel(), store=tmp_path / "again", scratch=tmp_path / "scratch-three", live=server.url)
    finally:
        server.stop()

    assert model.served == 0
    assert result.cause is Cause.CANCELLED
    assert model.unanswered is not None
    assert "model call 1" in model.unanswered.sentence
    rows = model.unanswered.difference.splitlines()
    assert any(row.startswith("+") and "Please be careful." in row for row in rows)
    assert any(row.startswith("-") and "Create a file named" in row for row in rows)
    assert (live.cause, other.served) == (Cause.PASSED, 0)
    assert other.live_requests >= len(before.calls())


def test_a_cell_that_had_plugins_runs_again_with_them_only(tmp_path: Path) -> None:
    need("claude-code")
    file = tmp_path / "plugins.toml"
    file.write_text(_PLUGINS)
    before = run("claude-code", tmp_path, plugins=load_plugins(file)).run
    task = load_task(example_task("smoke/hello-file"))
    where = {"store": tmp_path / "again", "scratch": tmp_path / "scratch-two"}

    with pytest.raises(UsageError, match="plugin 'extra'"):
        rerun(before, task, Cancel(), **where)
    result, model = rerun(before, task, Cancel(), **where, plugins=file)

    after = RunView(result.path)
    assert model.unanswered is None
    assert before.header.agent.plugins == after.header.agent.plugins == ("extra",)
    same_work(before, after)
