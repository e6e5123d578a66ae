"""`cabtrace record --agent` around real CLIs on a real terminal: as a user starts them, their model calls through the proxy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cabtrace.examples import example_script
from cabtrace.modelserver.script import load_script
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.sandbox.owner import RUN_VARIABLE
from cabtrace.store.reader import RunView
from tests.integration.test_record import CABTRACE, KEY
from tests.support.matrix import Cell, need, roots_and_orphans
from tests.support.pty_app import PtyApp

pytestmark = [pytest.mark.matrix, pytest.mark.slow, pytest.mark.xdist_group("matrix")]
COMMANDS = {
    "claude-code": ("claude", "-p", "--dangerously-skip-permissions"),
    "codex": ("codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
    "copilot": ("copilot", "--allow-all", "--prompt"),
}


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    for folder in (tmp_path / "work", tmp_path / "home"):
        folder.mkdir()
    values = {"STORE": tmp_path / "store", "SCRATCH": tmp_path / "scratch", "API_KEY": KEY}
    for name, value in values.items():
        monkeypatch.setenv(f"CABTRACE_{name}", str(value))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    server = ModelServer([load_script(example_script("hello"))], speed=0.2, api_key=KEY)
    server.start()
    yield server
    server.stop()


def recording(agent: str, server: ModelServer, *argv: str) -> PtyApp:
    options = ("--agent", agent, "--model", "scripted/careful", "--endpoint", server.url)
    return PtyApp([*CABTRACE, "record", *options, "--", *argv])


@pytest.mark.parametrize("agent", COMMANDS)
def test_the_record_is_as_that_of_a_cell(agent: str, tmp_path: Path, server: ModelServer) -> None:
    need(agent)
    with recording(agent, server, *COMMANDS[agent], "Create hello.txt.") as app:
        assert app.wait(240) == 0, app.output
        assert b"Done: hello.txt holds the word hello." in app.output

    home = tmp_path / "home"

    (found,) = (tmp_path / "store").rglob("run.json")
    run = RunView(found.parent)
    cell = Cell(None, run, list(server.requests))  # type: ignore[arg-type]  # there is no result here
    assert (run.header.status, run.header.verdict, run.header.exit_code) == ("finished", None, 0)
    assert run.header.agent.version
    assert run.changes()["added"] == ["hello.txt"]
    calls = run.calls()
    assert sorted(call.request_hash for call in calls) == sorted(served.request_hash for served in cell.model_requests)
    assert all(call.usage.input and call.usage.output and call.latency_ms and call.finish_reasons for call in calls)
    (tool,) = cell.tools()
    assert {"telemetry", "transcript"} <= set(tool.attributes["cabtrace.tool.sources"])
    roots, orphans = roots_and_orphans(run)
    assert (len(roots), orphans) == (1, [])
    assert list((run.path / "artifacts" / agent).rglob("*.jsonl"))
    # the user's own settings are neither read nor written
    assert not [path for path in home.rglob("*") if path.is_file() and ".cache" not in path.parts]
    assert not [p for p in run.path.rglob("*") if p.is_file() and (KEY.encode() in p.read_bytes() or b"cbt-" in p.read_bytes())]


# What is waited for on the screen, and what is typed then.
SESSIONS = {
    "claude-code": (("claude",), ((b"trust?", b"\r"), (b"shortcuts", b"Create hello.txt"), (b"", b"\r"), (b"proceed?", b"\r"))),
    "codex": (
        ("codex", "--dangerously-bypass-approvals-and-sandbox"),
        ((b"shortcuts", b"Create hello.txt"), (b"", b"\r")),
    ),
}


@pytest.mark.parametrize("agent", SESSIONS)
def test_a_session_on_the_agents_own_screen(agent: str, tmp_path: Path, server: ModelServer) -> None:
    need(agent)
    argv, steps = SESSIONS[agent]
    made = tmp_path / "work" / "hello.txt"
    with recording(agent, server, *argv) as app:
        for screen, keys in steps:
            app.wait_for(screen, 90)
            app.send(keys, quiet_s=1.0)
        again_until(lambda: made.exists() and b"holds" in app.output, app, b"\r")
        again_until(lambda: app._ended(), app, b"\x03", b"\x03")  # twice within a second, as both of them want it
        assert app.exit_code == 0, app.output[-2000:]

    (found,) = (tmp_path / "store").rglob("run.json")
    run = RunView(found.parent)
    assert (run.header.status, run.header.verdict, run.header.exit_code) == ("finished", None, 0)
    assert run.changes()["added"] == ["hello.txt"]
    hashes = [call.request_hash for call in run.calls()]
    assert len(hashes) >= 2
    assert sorted(hashes) == sorted(served.request_hash for served in server.requests if served.request_hash)
    roots, orphans = roots_and_orphans(run)
    assert (len(roots), orphans) == (1, [])
    # Codex leaves a server of its own running, which must not outlive its home
    assert run.header.run_id not in {process.info["environ"].get(RUN_VARIABLE) for process in processes()}
    assert not list((tmp_path / "scratch").iterdir())


def again_until(done: Callable[[], bool], app: PtyApp, *keys: bytes) -> None:
    """An agent may be busy drawing when a key comes; it is then pressed again."""
    until = time.monotonic() + 90
    while True:
        app.settle(1.5)
        if done():
            return
        assert time.monotonic() < until, app.output[-2000:]
        for key in keys:
            app.send(key)


def processes() -> list[psutil.Process]:
    return [process for process in psutil.process_iter(["environ"]) if process.info["environ"]]
