"""The reference agent as the program that it is, against the scripted model."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cabtrace.agents.reference_loop as loop
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer

PROGRAM = Path(loop.__file__)


def script(*turns: dict) -> Script:
    return Script.model_validate({"schema_version": "1", "model": [{"name": "m", "turn": [*turns]}]})


def shell(command: str, **more: object) -> dict:
    return {"tool_call": [{"name": "shell", "arguments": {"command": command}}], **more}


@pytest.fixture
def run(tmp_path):
    servers: list[ModelServer] = []

    def go(*turns: dict, arguments: tuple[str, ...] = (), prompt: str = "Do it", url: str | None = None, env=None):
        server = ModelServer([script(*turns)], speed=0, api_key="token")
        server.start()
        servers.append(server)
        argv = [sys.executable, PROGRAM, "--model", "m", "--base-url", url or server.url, *arguments, "--", prompt]
        environment = {"PATH": os.environ["PATH"], "OPENAI_API_KEY": "token", "PYTHONIOENCODING": "utf-8", **(env or {})}
        done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done.returncode, done.stdout.decode(), server

    yield go
    for server in servers:
        server.stop()


def test_it_works_until_the_model_is_done(run, tmp_path):
    code, shown, server = run(
        {"text": "I look first.", **shell("ls; printf 'x\\ny\\n' > made.txt")},
        shell("cat made.txt; exit 3"),
        {"text": "Made made.txt."},
        prompt="Make a file\nplease",
    )
    assert code == 0
    assert (tmp_path / "made.txt").read_text() == "x\ny\n"
    for words in ("Make a file", "please", "I look first.", "cat made.txt", "exit 3", "Made made.txt.", "\x1b["):
        assert words in shown
    assert [request.status for request in server.requests] == [200, 200, 200]


def test_the_model_gets_to_see_output_and_exit_code():
    call = {"id": "c", "function": {"name": "shell", "arguments": json.dumps({"command": "echo out; echo err >&2; exit 5"})}}
    assert loop.run_tool(call) == "out\nerr\n\n[exit code 5]"


def test_it_gives_up_after_so_many_turns(run):
    assert run(*[shell("true")] * 5, arguments=("--max-turns", "2"))[0] == 3


@pytest.mark.parametrize("fault", [{"status": 429, "retry_after_s": 0.01}, {"status": 503, "retry_after_s": 0.0}])
def test_it_tries_again_when_the_model_is_busy(run, fault):
    code, shown, server = run({"text": "Hello.", "fault": {**fault, "times": 2}})
    assert code == 0
    assert "again in" in shown
    assert [request.status for request in server.requests] == [fault["status"]] * 2 + [200]


def test_it_tries_again_when_the_answer_is_cut(run):
    code, shown, server = run({"text": "Hello, all is well.", "fault": {"cut_after_chunks": 3, "times": 1}})
    assert code == 0
    assert len(server.requests) == 2
    assert "Hello, all is well." in shown


def test_it_gives_up_on_a_model_that_stays_busy(run):
    code, shown, server = run({"text": "x", "fault": {"status": 500, "retry_after_s": 0.0}})
    assert code == 1
    assert len(server.requests) == 4
    assert "tried 4 times" in shown


def test_a_wrong_key_is_not_tried_again(run):
    code, shown, server = run({"text": "x"}, env={"OPENAI_API_KEY": "wrong"})
    assert code == 1
    assert "HTTP 401" in shown
    assert len(server.requests) == 1


def test_an_endpoint_that_is_not_there(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    code, shown, _ = run({"text": "x"}, url=f"http://127.0.0.1:{port}/v1")
    assert code == 1
    assert "refused" in shown


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/v1"])
def test_a_base_url_that_is_none(run, url):
    assert run({"text": "x"}, url=url)[0] == 2


def test_a_tool_that_it_does_not_have_is_answered(run):
    code, shown, _ = run({"tool_call": [{"name": "fly", "arguments": {}}]}, {"text": "Then not."})
    assert code == 0
    assert "not a call of the shell tool" in shown


def test_the_key_is_not_passed_on_to_commands(run, tmp_path):
    run(shell("env > env.txt"))
    assert "token" not in (tmp_path / "env.txt").read_text()


def test_escapes_in_output_do_not_reach_the_terminal(run):
    _, shown, _ = run({"text": "\x1b]0;title\x07", **shell("printf '\\033[2J\\033]52;c;eA==\\007'")})
    assert "\x1b[2J" not in shown
    assert "\x1b]" not in shown


def test_long_output_loses_its_middle():
    output = loop.Output()
    data = bytes(range(48, 58)) * 5_000
    for start in range(0, len(data), 777):
        output.take(data[start : start + 777])
    text = output.text()
    assert text.startswith("0123")
    assert text.endswith("6789")
    assert f"{len(data) - 2 * loop.HALF_BYTES} bytes left out" in text
    assert len(text) < 2 * loop.HALF_BYTES + 100


def test_a_command_over_its_time_is_stopped_with_its_children(monkeypatch, tmp_path):
    monkeypatch.setattr(loop, "SHELL_TIMEOUT_S", 0.3)
    mark = tmp_path / "mark"
    output, code = loop.run_shell(f"echo begun; (sleep 1; touch {mark}) & sleep 30")
    assert output.startswith("begun\n")
    assert "stopped after" in output
    assert code == -9
    time.sleep(1.2)
    assert not mark.exists()


def test_a_command_that_leaves_something_running_does_not_hold_it_up():
    output, code = loop.run_shell("sleep 20 & echo left it")
    assert (output, code) == ("left it\n", 0)
