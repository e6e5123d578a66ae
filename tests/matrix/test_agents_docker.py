"""Real CLIs in an image that `cabtrace image build` made: run from outside, run from inside, and where the key is not."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from cabtrace.examples import example_script
from cabtrace.modelserver.script import load_script
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.spec import Cancel
from cabtrace.store.reader import RunView
from tests.matrix.test_endings import HANGS
from tests.support.cell_image import AGENTS_BASE, BRIDGE_HOST, cell_image
from tests.support.matrix import MODELS, Cell, roots_and_orphans, run

pytestmark = [pytest.mark.matrix, pytest.mark.docker, pytest.mark.slow, pytest.mark.xdist_group("matrix")]
AGENTS = ("claude-code", "codex", "copilot")
KEY = "sk-real-key-of-the-endpoint"


@pytest.fixture(scope="module")
def image() -> str:
    return cell_image("codex", AGENTS_BASE)  # the base has all three


def outside(agent: str, folder: Path, image: str) -> Cell:
    return run(agent, folder, sandbox="docker", image=image)


def inside(agent: str, folder: Path, image: str) -> Cell:
    """`docker run IMAGE run-cell ...`, as the seed page says, with a folder to keep the record in."""
    store = folder / "store"
    store.mkdir()
    store.chmod(0o777)  # the container's user is another
    server = ModelServer([load_script(example_script("hello"))], host=BRIDGE_HOST, speed=0.2, api_key=KEY)
    server.start()
    try:
        env = {**os.environ, "CAB_ENDPOINT": server.url, "CAB_KEY": KEY}
        start = ["docker", "run", "--rm", "-v", f"{store}:/cabtrace/store"]
        words = ["run-cell", "--tui", agent, "--model", MODELS.get(agent, "scripted/careful"), "--task", "smoke/hello-file"]
        done = subprocess.run(
            [*start, "-e", "CAB_ENDPOINT", "-e", "CAB_KEY", image, *words],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        readable = [*start, "--user", "0", "--entrypoint", "chmod", image, "-R", "a+rX", "/cabtrace/store"]
        subprocess.run(readable, check=True, timeout=120)
    finally:
        server.stop()
    (found,) = store.rglob("run.json")
    return Cell(None, RunView(found.parent), list(server.requests))  # type: ignore[arg-type]  # there is no result here


@pytest.mark.parametrize("where", [outside, inside])
@pytest.mark.parametrize("agent", AGENTS)
def test_the_record_is_as_whole_as_that_of_a_local_cell(agent: str, where: object, image: str, tmp_path: Path) -> None:
    cell: Cell = where(agent, tmp_path, image)  # type: ignore[operator]  # one of the two above
    header = cell.run.header

    assert (header.cause, header.cause_detail, header.exit_code) == ("passed", "", 0)
    assert (header.sandbox.isolated, header.sandbox.image) == (where is outside, image)
    assert header.agent.version
    assert header.completeness.lost.total == 0
    assert header.completeness.model_calls == "complete"
    assert cell.run.changes()["added"] == ["hello.txt"]
    assert "Done: hello.txt holds the word hello." in cell.terminal()

    calls = cell.run.calls()
    assert len(calls) >= 2
    assert sorted(call.request_hash for call in calls) == sorted(served.request_hash for served in cell.model_requests)
    assert all(call.usage.input and call.usage.output and call.latency_ms and call.finish_reasons for call in calls)
    (tool,) = cell.tools()
    assert "hello" in tool.text("gen_ai.tool.call.arguments")
    assert "hello" in tool.text("gen_ai.tool.call.result")
    assert tool.attributes["cabtrace.tool.sources"] == ("telemetry", "transcript", "model_calls")
    assert list((cell.run.path / "artifacts" / agent).rglob("*.jsonl"))
    assert tool.end_ns is not None
    assert tool.end_ns > tool.start_ns
    roots, orphans = roots_and_orphans(cell.run)
    assert (len(roots), orphans) == (1, [])
    assert not [p for p in cell.run.path.rglob("*") if p.is_file() and KEY.encode() in p.read_bytes()]


@pytest.mark.parametrize("agent", AGENTS)
def test_the_key_is_found_nowhere_in_a_container_that_runs(agent: str, image: str, tmp_path: Path) -> None:
    cancel = Cancel()
    searched: dict[str, str] = {}
    searcher = threading.Thread(target=search, args=(tmp_path, cancel, searched), daemon=True)
    searcher.start()

    cell = run(agent, tmp_path, cancel=cancel, scripts=(HANGS,), model="scripted/hangs", sandbox="docker", image=image)
    searcher.join(60)

    assert cell.result.cause == "cancelled"
    assert "cbt-" in searched["environments"]  # the cell's own token: the search does find what is there
    assert [name for name, found in searched.items() if KEY in found] == []
    assert searched["files"].split() == ["/tmp/planted"]


def search(folder: Path, cancel: Cancel, found: dict[str, str]) -> None:
    """Once the second model call is on its way: what Docker says of the container, and what the agent's user can find in it."""
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            path = next(iter((folder / "store").rglob("calls.jsonl")), None)
            if path is not None and path.read_bytes().count(b'"request"') >= 2:
                break
            time.sleep(0.1)
        run_id = json.loads(next((folder / "store").rglob("run.json")).read_bytes())["run_id"]
        name = f"cabtrace-{run_id[:20]}"
        found["inspect"] = docker("inspect", name)
        found["environments"] = docker("exec", name, "sh", "-c", "cat /proc/[0-9]*/environ | tr '\\0' ' '")
        # The key is put together there, so that the search does not find its own command line; one file proves that it finds.
        look = (
            'K="sk-real-key-of"; K="$K-the-endpoint"; printf "%s" "$K" > /tmp/planted;'
            ' grep -rlaF "$K" / --exclude-dir=proc --exclude-dir=sys --exclude-dir=dev 2>/dev/null; rm /tmp/planted'
        )
        found["files"] = docker("exec", name, "sh", "-c", look)
    finally:
        cancel.set("test")


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, check=False, timeout=120)
    return (done.stdout + done.stderr).decode("utf-8", "replace")
