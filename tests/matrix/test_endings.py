"""Real CLIs that do not come to an end of their own: what their record holds all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from cabtrace.examples import example_task
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.sandbox.owner import RUN_VARIABLE
from cabtrace.store.reader import RunView
from tests.support.cell_image import AGENTS_BASE, cell_image
from tests.support.matrix import Cell, need, roots_and_orphans, run

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("matrix")]
AGENTS = ("claude-code", "codex", "copilot")
# The first answer asks for a command; the second never comes.
HANGS = Script.model_validate(
    {
        "schema_version": "1",
        "model": [
            {
                "name": "scripted/hangs",
                "turn": [
                    {
                        "text": "I will create the file.",
                        "tool_call": [{"name": "*", "arguments": {"command": "printf 'hello\\n' > hello.txt && cat hello.txt"}}],
                    },
                    {"text": "never said", "fault": {"hang_s": 600}},
                ],
            }
        ],
    }
)


def what_was_finished_is_complete(cell: Cell) -> None:
    calls = cell.run.calls()
    assert [call.incomplete for call in calls] == [False, True]
    assert calls[0].usage.input
    assert calls[0].finish_reasons
    assert calls[0].latency_ms
    assert calls[1].request_hash == cell.model_requests[1].request_hash

    tool = next(tool for tool in cell.tools() if "hello" in tool.text("gen_ai.tool.call.arguments"))
    assert "hello" in tool.text("gen_ai.tool.call.result")
    assert "transcript" in tool.attributes["cabtrace.tool.sources"]
    assert tool.end_ns is not None
    assert tool.end_ns > tool.start_ns

    roots, orphans = roots_and_orphans(cell.run)
    assert len(roots) == 1
    assert orphans == []
    assert not cell.run.aborted
    assert cell.result.header.completeness.lost.total == 0


@pytest.mark.parametrize("agent", AGENTS)
def test_hung_on_a_model_call_and_ended_by_the_time_limit(agent: str, tmp_path: Path) -> None:
    need(agent)

    cell = run(agent, tmp_path, scripts=(HANGS,), model="scripted/hangs", timeout_s=25.0)

    assert cell.result.cause == "timeout"
    assert cell.result.header.timed_out
    what_was_finished_is_complete(cell)


@pytest.mark.parametrize("agent", AGENTS)
def test_killed_while_a_model_call_hangs(agent: str, tmp_path: Path) -> None:
    need(agent)
    killer = threading.Thread(target=kill_once_the_file_is_there, args=(tmp_path / "scratch",), daemon=True)
    killer.start()

    cell = run(agent, tmp_path, scripts=(HANGS,), model="scripted/hangs", timeout_s=120.0)

    assert cell.result.header.exit_code == 128 + signal.SIGKILL
    assert not cell.result.header.timed_out
    what_was_finished_is_complete(cell)


def kill_once_the_file_is_there(scratch: Path) -> None:
    """SIGKILL for every process of the cell, once its tool has run and the second call is on its way."""
    deadline = time.monotonic() + 110
    while time.monotonic() < deadline:
        written = next(iter(scratch.glob("*/box/workdir/hello.txt")), None)
        if written is not None and written.read_text() == "hello\n":
            time.sleep(2)  # for the second call to reach the server; later is as good
            run_id = written.parents[2].name
            for process in psutil.process_iter():
                try:
                    if process.pid != os.getpid() and run_id in process.environ().get(RUN_VARIABLE, ""):
                        process.kill()
                except psutil.Error:
                    continue
            return
        time.sleep(0.05)


@pytest.mark.parametrize("sandbox", ["local", pytest.param("docker", marks=pytest.mark.docker)])
@pytest.mark.parametrize("agent", AGENTS)
def test_the_runner_is_killed_and_the_run_recovered(agent: str, sandbox: str, tmp_path: Path) -> None:
    if sandbox == "local":
        need(agent)
    box = ["--sandbox", sandbox] if sandbox == "local" else ["--sandbox", sandbox, "--image", cell_image("codex", AGENTS_BASE)]
    env = {**os.environ, "CABTRACE_STORE": str(tmp_path / "store"), "CABTRACE_SCRATCH": str(tmp_path / "scratch")}
    server = ModelServer((HANGS,), speed=0)
    server.start()
    try:
        words = ["--task", str(example_task("smoke/hello-file")), "--agent", agent, "--model", "scripted/hangs", *box]
        command = [sys.executable, "-m", "cabtrace"]
        runner = subprocess.Popen(
            [*command, "run", *words, "--endpoint", server.url],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 110
        while sum(bool(s.request_hash) for s in server.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)  # the record of a call that hangs is its request; it was written before the server got it
        runner.kill()
        runner.wait()
        (path,) = {p.parent for p in (tmp_path / "store").rglob("run.json")}
        subprocess.run([*command, "recover", str(path)], env=env, check=True, capture_output=True, timeout=120)
        subprocess.run([*command, "gc"], env=env, check=True, capture_output=True, timeout=120)
    finally:
        server.stop()

    recovered = RunView(path)
    assert recovered.header.status == "recovered"
    assert not [warning for warning in recovered.header.warnings if "transcript" in warning]
    calls = recovered.calls()
    assert [call.incomplete for call in calls] == [False, True]
    assert calls[0].usage.input
    assert calls[0].finish_reasons
    assert [call.request_hash for call in calls] == [s.request_hash for s in server.requests if s.request_hash]
    (tool,) = [s for s in recovered.spans() if s.text("gen_ai.operation.name") == "execute_tool"]
    assert "hello" in tool.text("gen_ai.tool.call.result")
    assert {"transcript", "model_calls"} <= set(tool.attributes["cabtrace.tool.sources"])
    assert tool.end_ns is not None
    assert tool.end_ns > tool.start_ns
    assert list((path / "artifacts" / agent).rglob("*.jsonl"))
    assert not [p for p in path.rglob("*") if p.is_file() and b"cbt-" in p.read_bytes()]
    roots, orphans = roots_and_orphans(recovered)
    assert len(roots) == 1
    assert orphans == []
    assert not list((tmp_path / "scratch").glob("*"))
