"""Bad input gets one clear sentence, the right exit code, no traceback, and leaves nothing half-written."""

from __future__ import annotations

import json
import shlex
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cabtrace.modelserver.script import Script, ScriptedModel, Turn
from cabtrace.modelserver.server import ModelServer
from tests.support.cli_rig import CommandLine, digests, entries, make_task, one_sentence
from tests.support.sample_run import build_sample_run

KEY = "the-right-key-of-this-test"
EXIT_USAGE, EXIT_HARNESS = 2, 3


@dataclass(frozen=True, slots=True)
class Place:
    """What a wrong call may name."""

    cabtrace: CommandLine
    task: Path
    locked: str  # an endpoint that wants KEY
    closed: str  # an endpoint where nothing listens

    @property
    def folder(self) -> Path:
        return self.cabtrace.folder


@pytest.fixture(scope="module")
def locked_endpoint() -> Iterator[str]:
    script = Script(schema_version="1", model=(ScriptedModel(name="*", turn=(Turn(text="ok"),)),))
    server = ModelServer([script], api_key=KEY, speed=0)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def place(tmp_path: Path, locked_endpoint: str) -> Place:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    return Place(CommandLine(tmp_path), make_task(tmp_path / "task", solution="true\n"), locked_endpoint, closed)


def test_the_program_itself_says_it_without_a_traceback(place: Place) -> None:
    done = place.cabtrace.run("run", "--task", "nowhere", "--agent", "nop")

    assert (done.code, done.out) == (EXIT_USAGE, "")
    assert "nowhere" in one_sentence(done)


def run_of(*words: str, task: bool = True) -> Callable[[Place], list[str]]:
    def argv(place: Place) -> list[str]:
        named = {
            "TASK": str(place.task),
            "LOCKED": place.locked,
            "CLOSED": place.closed,
            "FOLDER": str(place.folder),
        }
        filled = [named.get(word, word.replace("FOLDER", str(place.folder))) for word in words]
        return ["run", *(["--task", str(place.task)] if task else []), *filled]

    return argv


LOCAL = ("--sandbox", "local")
REFERENCE = ("--agent", "reference", "--model", "m", *LOCAL)

# name -> (the call, exit code, words that the sentence must have, environment)
CASES: dict[str, tuple[Callable[[Place], list[str]], int, tuple[str, ...], dict[str, str]]] = {
    "no such task": (run_of("--task", "FOLDER/nowhere", "--agent", "nop", *LOCAL, task=False), 2, ("nowhere", "task.toml"), {}),
    "task is a file": (
        run_of("--task", "FOLDER/task/instruction.md", "--agent", "nop", *LOCAL, task=False),
        2,
        ("task.toml",),
        {},
    ),
    "no task named": (run_of("--agent", "nop", *LOCAL, task=False), 2, ("--task",), {}),
    "unknown agent": (run_of("--agent", "codexx", *LOCAL), 2, ("codexx", "nop"), {}),
    "no agent named": (run_of(*LOCAL), 2, ("--agent",), {}),
    "unknown sandbox": (run_of("--agent", "nop", "--sandbox", "vm"), 2, ("vm", "docker", "local"), {}),
    "unknown option": (run_of("--agent", "nop", "--sandbx", "local"), 2, ("--sandbx",), {}),
    "no model": (run_of("--agent", "reference", *LOCAL, "--endpoint", "LOCKED"), 2, ("--model",), {}),
    "no endpoint": (run_of(*REFERENCE), 2, ("--endpoint", "CABTRACE_ENDPOINT"), {}),
    "unreachable endpoint": (run_of(*REFERENCE, "--endpoint", "CLOSED"), 3, ("127.0.0.1", "refused"), {}),
    "no such host": (run_of(*REFERENCE, "--endpoint", "http://no-such-host.invalid/v1"), 3, ("no-such-host.invalid",), {}),
    "no key": (run_of(*REFERENCE, "--endpoint", "LOCKED"), 3, ("key", "401", "CABTRACE_API_KEY"), {}),
    "wrong key": (run_of(*REFERENCE, "--endpoint", "LOCKED"), 3, ("refused the key", "401"), {"CABTRACE_API_KEY": "wrong-key-1"}),
    "endpoint without a scheme": (run_of(*REFERENCE, "--endpoint", "localhost:8000"), 2, ("http",), {}),
    "endpoint of another scheme": (run_of(*REFERENCE, "--endpoint", "file:///etc/passwd"), 2, ("http",), {}),
    "endpoint with a port beyond all ports": (run_of(*REFERENCE, "--endpoint", "http://127.0.0.1:99999/v1"), 2, ("99999",), {}),
    "endpoint with half an IPv6 address": (run_of(*REFERENCE, "--endpoint", "http://[::1/v1"), 2, ("http",), {}),
    "endpoint with a blank": (run_of(*REFERENCE, "--endpoint", "http://127.0.0.1:1/a b"), 2, ("http",), {}),
    "endpoint with a name that is none": (run_of(*REFERENCE, "--endpoint", f"http://{'a' * 70}.example/v1"), 2, ("http",), {}),
    "endpoint with userinfo": (run_of(*REFERENCE, "--endpoint", "http://ann:hunter2hunter2@127.0.0.1:1/v1"), 2, ("key",), {}),
    "endpoint with userinfo of another scheme": (
        run_of(*REFERENCE, "--endpoint", "ftp://ann:hunter2hunter2@127.0.0.1:1/v1"),
        2,
        ("http",),
        {},
    ),
    "command without a command line": (run_of("--agent", "command", *LOCAL), 2, ("--", "command line"), {}),
    "command that does not exist": (
        run_of("--agent", "command", *LOCAL, "--", "no-such-program-x"),
        3,
        ("no-such-program-x",),
        {},
    ),
    "command by a path that does not exist": (
        run_of("--agent", "command", *LOCAL, "--", "/nowhere/agent"),
        3,
        ("/nowhere/agent",),
        {},
    ),
    "docker is down": (run_of("--agent", "nop", "--image", "x"), 3, ("Docker",), {"DOCKER_HOST": "unix:///nonexistent.sock"}),
    "no image": (run_of("--agent", "nop"), 3, ("image", "--image"), {}),
    "store is a file": (run_of("--agent", "nop", *LOCAL, "--store", "FOLDER/task/instruction.md"), 2, ("--store",), {}),
    "store below a file": (
        run_of("--agent", "nop", *LOCAL, "--store", "FOLDER/task/instruction.md/s"),
        3,
        ("store", "--store"),
        {},
    ),
    "store of the environment below a file": (
        run_of("--agent", "nop", *LOCAL),
        3,
        ("store", "CABTRACE_STORE"),
        {"CABTRACE_STORE": "/dev/null/store"},
    ),
    "scratch below a file": (run_of("--agent", "nop", *LOCAL), 3, ("scratch",), {"CABTRACE_SCRATCH": "/dev/null/scratch"}),
    "sdk disabled": (run_of("--agent", "nop", *LOCAL), 2, ("OTEL_SDK_DISABLED",), {"OTEL_SDK_DISABLED": "true"}),
    "otlp protocol unknown": (
        run_of("--agent", "nop", *LOCAL),
        2,
        ("OTEL_EXPORTER_OTLP_PROTOCOL",),
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier/pigeon"},
    ),
    "no timeout": (run_of("--agent", "nop", *LOCAL, "--timeout", "0"), 2, ("--timeout",), {}),
    "negative timeout": (run_of("--agent", "nop", *LOCAL, "--timeout=-1"), 2, ("--timeout",), {}),
    "timeout that is no number": (run_of("--agent", "nop", *LOCAL, "--timeout", "nan"), 2, ("--timeout",), {}),
    "endless timeout": (run_of("--agent", "nop", *LOCAL, "--timeout", "inf"), 2, ("--timeout",), {}),
    "unknown command": (lambda _: ["runn"], 2, ("runn", "run"), {}),
    "show nothing": (lambda _: ["show"], 2, ("RUN",), {}),
    "show in an empty store": (lambda _: ["show", "@last"], 2, ("no run", "cabtrace"), {}),
    "failed in an empty store": (lambda _: ["replay", "--plain", "@failed"], 2, ("no run",), {}),
    "replay of no such run": (lambda _: ["replay", "--plain", "demo/x"], 2, ("no run",), {}),
    "replay of nothing on a pipe": (lambda _: ["replay"], 2, ("RUN", "cabtrace ls"), {}),
    "verify of a folder that is no run": (lambda p: ["verify", str(p.task)], 2, ("no run",), {}),
    "recover of no such run": (lambda _: ["recover", "x"], 2, ("no run",), {}),
    "a name too long for any path": (lambda _: ["show", "x" * 9_000], 2, ("no run",), {}),
    "an empty name": (lambda _: ["show", ""], 2, (), {}),
    "an empty name of a task": (run_of("--task", "", "--agent", "nop", *LOCAL, task=False), 2, (), {}),
    "a task's name too long for any path": (
        run_of("--task", "x" * 9_000, "--agent", "nop", *LOCAL, task=False),
        2,
        ("long",),
        {},
    ),
    "no such script": (lambda _: ["model", "serve", "nowhere.toml"], 2, ("nowhere.toml",), {}),
    "completion of an unknown shell": (lambda _: ["completion", "tcsh"], 2, ("tcsh",), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_a_sentence_and_leaves_nothing(
    name: str, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    argv, code, words, env = CASES[name]

    done = place.cabtrace.call(monkeypatch, capfd, *argv(place), env=env)

    told = one_sentence(done)
    assert done.code == code, told
    assert all(word.lower() in told.lower() for word in words), told
    assert "hunter2hunter2" not in done.err + done.out
    assert entries(place.cabtrace.store) == []
    assert entries(place.cabtrace.scratch) == []


BROKEN_TASKS = {
    "no task.toml": {"task.toml": None},
    "no instruction": {"instruction.md": None},
    "empty instruction": {"instruction.md": " \n"},
    "no tests": {"tests/test.sh": None},
    "broken toml": {"task.toml": "schema_version = \n"},
    "toml of another encoding": {"task.toml": b"\xff\xfe\x00"},
    "future version": {"task.toml": 'schema_version = "7.0"\n'},
    "wrong type": {"task.toml": 'schema_version = "1.0"\n[agent]\ntimeout_sec = "soon"\n'},
    "climbing id": {"task.toml": 'schema_version = "1.0"\n[metadata.cabtrace]\nid = "../../etc"\n'},
    "id with an escape": {"task.toml": 'schema_version = "1.0"\n[metadata.cabtrace]\nid = "\\u001b]0;owned\\u0007"\n'},
    "several steps": {"task.toml": 'schema_version = "1.0"\n[[steps]]\nname = "a"\n'},
    "deep nesting": {"task.toml": 'schema_version = "1.0"\nx = ' + "[" * 5_000 + "]" * 5_000 + "\n"},
}


@pytest.mark.parametrize("name", BROKEN_TASKS)
def test_broken_task_gets_a_sentence_and_leaves_nothing(
    name: str, place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for file, content in BROKEN_TASKS[name].items():
        if content is None:
            (place.task / file).unlink()
        else:
            (place.task / file).write_bytes(content if isinstance(content, bytes) else content.encode())

    done = place.cabtrace.call(monkeypatch, capfd, "run", "--task", str(place.task), "--agent", "nop", *LOCAL)

    told = one_sentence(done)
    assert done.code == EXIT_USAGE, told
    assert "\x1b" not in done.err
    assert str(place.task) in told
    assert entries(place.cabtrace.store) == []
    assert entries(place.cabtrace.scratch) == []


def test_oracle_of_a_task_without_a_solution(place: Place) -> None:
    shutil.rmtree(place.task / "solution")

    done = place.cabtrace.cell(place.task, "--agent", "oracle")

    assert done.code == EXIT_USAGE
    assert "solution" in one_sentence(done)
    assert entries(place.cabtrace.store) == []


@pytest.fixture
def run(place: Place) -> Path:
    return build_sample_run(place.cabtrace.store)


COMMANDS = {
    "show": ("show",),
    "show as JSON": ("show", "--json"),
    "replay": ("replay", "--plain"),
    "verify": ("verify",),
    "recover": ("recover",),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_run_of_a_later_version_is_left_untouched(
    command: str, place: Place, run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    header = json.loads((run / "run.json").read_bytes())
    (run / "run.json").write_text(json.dumps({**header, "schema_version": 99, "status": "running", "news": {"of": "tomorrow"}}))
    before = digests(place.cabtrace.store)

    done = place.cabtrace.call(monkeypatch, capfd, *COMMANDS[command], str(run))

    told = one_sentence(done)
    assert done.code == EXIT_HARNESS
    assert "99" in told
    assert "Update cabtrace" in told
    assert digests(place.cabtrace.store) == before


UNREADABLE = {
    "empty": b"",
    "torn": b'{"format": "cabtrace.run", "schema_ver',
    "no object": b"[1, 2]",
    "another format": b'{"format": "zip", "schema_version": 1}',
    "no fields": b'{"format": "cabtrace.run", "schema_version": 1}',
    "no text": bytes(range(256)),
    "deep": b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    "lone surrogate": b'{"format": "cabtrace.run", "schema_version": 1, "run_id": "\\ud800"}',
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_run_is_said_to_be_so(
    name: str, place: Place, run: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (run / "run.json").write_bytes(UNREADABLE[name])
    before = digests(place.cabtrace.store)

    for command in COMMANDS.values():
        done = place.cabtrace.call(monkeypatch, capfd, *command, str(run))
        assert done.code == EXIT_USAGE, command
        assert str(run) in one_sentence(done)
    listed = place.cabtrace.call(monkeypatch, capfd, "ls")

    assert listed.code == 0
    assert "unreadable" in listed.out
    assert digests(place.cabtrace.store) == before


def test_ls_of_no_store_makes_none(place: Place) -> None:
    done = place.cabtrace.run("ls")

    assert (done.code, done.err) == (0, "")
    assert "No run in" in done.out
    assert not place.cabtrace.store.exists()


def test_exit_code_1_is_only_for_a_run_that_failed(place: Place) -> None:
    make_task(place.task, test_sh="exit 1\n")

    done = place.cabtrace.cell(place.task, "--agent", "nop")

    assert done.code == 1
    assert "tests_failed" in done.out
    assert "Next: cabtrace replay" in done.out


def test_the_next_command_is_right_for_a_store_that_was_named(place: Place) -> None:
    store = place.folder / "another store"

    done = place.cabtrace.cell(place.task, "--agent", "nop", "--store", str(store))
    following = next(line for line in done.out.splitlines() if line.startswith("Next: cabtrace ")).removeprefix("Next: cabtrace ")
    again = place.cabtrace.run(*shlex.split(following), "--plain")

    assert again.code == 0, again.err
    assert "unit/task" in again.out
