"""`cabtrace check` and `cabtrace run-cell`: an endpoint and a key of one's own, one task, one cell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabtrace.examples import example_script, example_task
from cabtrace.model.outcome import PROVISIONAL_NOTE
from cabtrace.modelserver.script import Script, load_script
from cabtrace.modelserver.server import ModelServer
from cabtrace.store.reader import RunView
from replay.run import ReplayRun
from replay.tui.widgets.bars import HeaderBar

KEY = "sk-real-key-of-the-endpoint"
CABTRACE = [sys.executable, "-m", "cabtrace"]
VARIABLES = ("CAB_ENDPOINT", "CAB_KEY", "CABTRACE_ENDPOINT", "CABTRACE_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_KEY")
WORDS = ("--tui", "reference", "--model", "scripted/careful")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CABTRACE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CABTRACE_SCRATCH", str(tmp_path / "scratch"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "store"


@pytest.fixture
def server() -> Iterator[ModelServer]:
    server = ModelServer([load_script(example_script("hello"))], speed=0, api_key=KEY)
    server.start()
    yield server
    server.stop()


def cabtrace(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CABTRACE, *words], capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **env}
    )


def the_run(store: Path) -> RunView:
    (found,) = store.rglob("run.json")
    return RunView(found.parent)


def test_the_seed_pages_command_passes_and_says_that_it_is_provisional(store: Path, server: ModelServer) -> None:
    done = cabtrace("check", *WORDS, "--endpoint", server.url, "--key", KEY, "--task", "smoke/hello-file")

    assert done.returncode == 0, done.stderr
    assert PROVISIONAL_NOTE in done.stdout
    header = the_run(store).header
    assert (header.provisional, header.sandbox.kind, header.sweep_id, header.cause) == (True, "local", "check", "passed")
    assert not [path for path in store.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_every_surface_says_so(store: Path, server: ModelServer) -> None:
    cabtrace("check", *WORDS, "--endpoint", server.url, "--task", str(example_task("smoke/hello-file")), CAB_KEY=KEY)

    for words in (("ls",), ("show", "@last"), ("replay", "--plain", "@last")):
        assert PROVISIONAL_NOTE in cabtrace(*words).stdout, words
    assert json.loads(cabtrace("ls", "--json").stdout)[0]["provisional"] is True
    bar = HeaderBar()
    bar.show_run(ReplayRun(the_run(store).path).snapshot)
    assert any(PROVISIONAL_NOTE in text for text, _ in bar._right)


def test_a_run_that_is_not_provisional_says_nothing_of_it(store: Path, server: ModelServer) -> None:
    done = cabtrace("run-cell", *WORDS, "--task", "smoke/hello-file", CAB_ENDPOINT=server.url, CAB_KEY=KEY)

    assert done.returncode == 0, done.stderr
    assert not the_run(store).header.provisional
    assert PROVISIONAL_NOTE not in done.stdout + cabtrace("ls").stdout + cabtrace("show", "@last").stdout


def test_inside_an_image_the_record_says_what_is_not_known(store: Path, server: ModelServer) -> None:
    done = cabtrace(
        *("run-cell", *WORDS, "--task", "smoke/hello-file"),
        CAB_ENDPOINT=server.url,
        CAB_KEY=KEY,
        CABTRACE_IMAGE="cabtrace/reference:1",
    )

    assert done.returncode == 0, done.stderr
    sandbox = the_run(store).header.sandbox
    assert (sandbox.kind, sandbox.image, sandbox.isolated) == ("local", "cabtrace/reference:1", False)
    assert "started by somebody else" in sandbox.left_open[0]


def test_a_task_that_is_neither_a_folder_nor_an_example(store: Path, server: ModelServer) -> None:
    done = cabtrace("check", *WORDS, "--endpoint", server.url, "--task", "smoke/hello-fil", CAB_KEY=KEY)

    assert done.returncode == 2
    assert "It brings:" in done.stderr
    assert "smoke/hello-file" in done.stderr
    assert not store.exists()


def test_a_wrong_key_is_told_and_not_repeated(store: Path, server: ModelServer) -> None:
    done = cabtrace("check", *WORDS, "--endpoint", server.url, "--key", "sk-some-wrong-key", "--task", "smoke/hello-file")

    assert done.returncode == 3
    assert "refused the key" in done.stderr
    assert "sk-some-wrong-key" not in done.stdout + done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_key_is_in_no_list_of_processes_while_the_cell_runs(store: Path) -> None:
    hangs = {"schema_version": "1", "model": [{"name": "m", "turn": [{"text": "never", "fault": {"hang_s": 600}}]}]}
    server = ModelServer([Script.model_validate(hangs)], speed=0)
    server.start()
    words = ("check", "--tui", "reference", "--model", "m", "--endpoint", server.url, "--key", KEY, "--task", "smoke/hello-file")
    process = subprocess.Popen([*CABTRACE, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not any(served.request_hash for served in server.requests):
            assert time.monotonic() < until, "no model call came"
            time.sleep(0.05)
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        assert b"--key" in shown
        assert KEY.encode() not in shown
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 3
    finally:
        process.kill()
        process.wait()
        server.stop()
    assert the_run(store).header.cause == "cancelled"
