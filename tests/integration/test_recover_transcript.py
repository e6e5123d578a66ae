"""`cabtrace recover` after the runner was killed: the agent's own words are fetched from where they still are, or it is said."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cabtrace.model import semconv as sc
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import FAILING_TEST, make_task
from tests.support.pty_app import PtyApp
from tests.support.transcripts import recorded

SECRET = "sk-proj-" + "a1B2" * 12
# A program that leaves what Codex leaves, and then waits.
CODEX = """#!/bin/sh
case "$1" in --version) echo codex-cli 0.169.0; exit 0;; esac
mkdir -p "$CODEX_HOME/sessions/2026/11/22"
cp "$FIXTURE" "$CODEX_HOME/sessions/2026/11/22/rollout-1.jsonl"
ln -s /etc/passwd "$CODEX_HOME/sessions/2026/11/22/rollout-2.jsonl"
echo "I am working"
exec sleep 600
"""


@dataclass
class Killed:
    """A run whose runner was killed while its agent waited."""

    folder: Path
    path: Path

    def cabtrace(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cabtrace", *words],
            env=environment(self.folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def home(self) -> Path:
        return next((self.folder / "scratch").glob("*/box/home"))


def environment(folder: Path) -> dict[str, str]:
    own = {
        "CABTRACE_STORE": str(folder / "store"),
        "CABTRACE_SCRATCH": str(folder / "scratch"),
        "FIXTURE": str(folder / "fixture"),
    }
    return {**os.environ, **own, "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"}


def lay_program(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "codex"
    program.write_text(CODEX.replace("$FIXTURE", str(tmp_path / "fixture")), "utf-8")
    program.chmod(0o755)
    extra = {"type": "response_item", "payload": {"type": "message", "content": [{"text": f"the key is {SECRET}"}]}}
    (tmp_path / "fixture").write_bytes(recorded("codex") + json.dumps(extra).encode() + b"\n")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    server = ModelServer([Script.model_validate({"schema_version": "1", "model": [{"name": "m"}]})], speed=0)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def killed(tmp_path: Path, server: ModelServer) -> Killed:
    lay_program(tmp_path)
    task = make_task(tmp_path / "task", test_sh=FAILING_TEST)
    words = ("run", "--task", str(task), "--agent", "codex", "--model", "m", "--sandbox", "local", "--endpoint", server.url)
    runner = subprocess.Popen(
        [sys.executable, "-m", "cabtrace", *words],
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while not any(b"I am working" in cast.read_bytes() for cast in (tmp_path / "store").rglob("terminal.cast")):
        assert time.monotonic() < until, runner.poll()
        time.sleep(0.05)
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    (header,) = (tmp_path / "store").rglob("run.json")
    return Killed(tmp_path, header.parent)


def tools(path: Path) -> list[tuple[str, object]]:
    spans = [s for s in RunView(path).spans() if s.text(sc.GEN_AI_OPERATION) == "execute_tool"]
    return [(s.text(sc.GEN_AI_TOOL_NAME), s.attributes[sc.TOOL_CALL_SOURCES]) for s in spans]


def test_the_transcript_is_kept_and_fills_in_the_tool_calls(killed: Killed) -> None:
    done = killed.cabtrace("recover", str(killed.path))

    assert done.returncode == 0, done.stderr
    assert "The agent's transcript was kept (files: 1, tool calls: 1)." in done.stdout
    run = RunView(killed.path)
    assert (run.header.status, run.header.cause) == ("recovered", "harness_failed")
    assert run.header.warnings == ("2026/11/22/rollout-2.jsonl was not copied: a link to the outside",)
    (kept,) = [path for path in (killed.path / "artifacts").rglob("*") if path.is_file()]
    assert kept.relative_to(killed.path).as_posix() == "artifacts/codex/.codex/sessions/2026/11/22/rollout-1.jsonl"
    assert SECRET not in kept.read_text("utf-8")
    assert "root:" not in kept.read_text("utf-8")
    assert tools(killed.path) == [("exec_command", ("transcript",))]
    assert verify_run(killed.path).problems == ()
    assert killed.home.exists()  # that is for `gc` to remove

    again = killed.cabtrace("recover", str(killed.path))
    assert "closed already" in again.stdout
    assert killed.cabtrace("gc").returncode == 0
    assert not list((killed.folder / "scratch").iterdir())


def test_where_the_home_is_gone_it_is_said(killed: Killed) -> None:
    assert killed.cabtrace("gc").returncode == 0

    done = killed.cabtrace("recover", "--json", str(killed.path))

    told = json.loads(done.stdout)
    (warning,) = told["warnings"]
    assert warning.startswith("The agent's transcript could not be kept: its home is no longer there.")
    assert (told["transcript_files"], told["transcript_tool_calls"]) == (0, 0)
    header = RunView(killed.path).header
    assert (header.status, header.warnings) == ("recovered", (warning,))
    assert verify_run(killed.path).problems == ()


def test_where_it_was_kept_before_the_kill_nothing_is_missing(killed: Killed) -> None:
    """The runner died between the removal of the home and the end of the record."""
    kept = killed.path / "artifacts" / "codex" / ".codex" / "sessions" / "2026" / "11" / "22" / "rollout-1.jsonl"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(recorded("codex"))
    assert killed.cabtrace("gc").returncode == 0

    done = killed.cabtrace("recover", str(killed.path))

    assert done.returncode == 0, done.stderr
    assert RunView(killed.path).header.warnings == ()
    assert tools(killed.path) == [("exec_command", ("transcript",))]


def test_a_link_in_place_of_the_home_is_not_followed(killed: Killed, tmp_path: Path) -> None:
    outside = tmp_path / "outside" / "sessions" / "2026"
    outside.mkdir(parents=True)
    (outside / "rollout-9.jsonl").write_text('{"type": "outside"}\n', "utf-8")
    killed.home.joinpath(".codex").rename(tmp_path / "aside")
    killed.home.joinpath(".codex").symlink_to(tmp_path / "outside")

    assert killed.cabtrace("recover", str(killed.path)).returncode == 0

    assert not [path for path in killed.path.rglob("*") if path.is_file() and b"outside" in path.read_bytes()]
    assert RunView(killed.path).header.status == "recovered"


def test_a_recording_of_a_program_that_the_user_started(
    tmp_path: Path, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_program(tmp_path)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    options = ("--agent", "codex", "--model", "m", "--endpoint", server.url)
    with PtyApp([sys.executable, "-m", "cabtrace", "record", *options, "--", "codex", "exec", "go"]) as app:
        app.wait_for(b"I am working")
        app.signal(signal.SIGKILL)
        app.wait()
    (header,) = (tmp_path / "store").rglob("run.json")
    killed = Killed(tmp_path, header.parent)

    done = killed.cabtrace("recover", str(killed.path))

    assert "The agent's transcript was kept (files: 1, tool calls: 1)." in done.stdout
    assert tools(killed.path) == [("exec_command", ("transcript",))]
    assert killed.cabtrace("gc").returncode == 0
    assert not list((tmp_path / "scratch").iterdir())
