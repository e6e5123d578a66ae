"""The Docker sandbox on a real engine: the profile, the door, one container for agent and tests, hostile agents."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cabtrace.errors import AgentNotFoundError, SandboxError
from cabtrace.protocols import Command
from cabtrace.runner.pty import Ending, pump
from tests.support.containers import (
    IMAGE,
    Cell,
    cell,
    engine_over_tcp,
    left_on_engine,
    require_engine,
    wait_for,
    write_tree,
)

pytestmark = pytest.mark.docker

# Connects to sys.argv[1:] (host port ...) and prints what came of each.
CONNECT = """
import socket, sys
for host, port in zip(sys.argv[1::2], sys.argv[2::2]):
    try:
        with socket.create_connection((host, int(port)), timeout=2) as s:
            print(host, "reached", s.recv(100).decode())
    except OSError as error:
        print(host, "refused", type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    client = require_engine()
    yield client
    client.close()


@pytest.fixture(scope="module")
def shared(engine: Any) -> Iterator[Cell]:
    """One cell for the tests that leave no trace in it."""
    with cell(task="a/task") as made:
        yield made


@contextlib.contextmanager
def greeter(host: str) -> Iterator[int]:
    """A server that says hello to whoever connects; yields its port."""
    with socket.create_server((host, 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = server.accept()
                    with peer:
                        peer.sendall(b"hello")

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def test_the_container_has_the_hardened_profile(engine: Any, shared: Cell) -> None:
    found = engine.api.inspect_container(f"cabtrace-{shared.run_id[:20]}")
    host, config = found["HostConfig"], found["Config"]

    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["Privileged"] is False
    assert host["PidsLimit"] == 512
    assert host["Memory"] == host["MemorySwap"] == 4 << 30
    assert host["NanoCpus"] == 2_000_000_000
    assert host["Init"] is True
    assert {item["Name"]: item["Hard"] for item in host["Ulimits"]}["core"] == 0
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "1", "max-size": "1m"}}
    assert host["NetworkMode"] == f"cabtrace-{shared.run_id[:20]}"
    assert host["IpcMode"] == "private"
    assert not host["PidMode"]
    assert not host["UTSMode"]
    assert not host["UsernsMode"]
    assert not host["Binds"]
    assert not found["Mounts"]
    assert not host["Devices"]
    assert not host["PortBindings"]
    assert host["RestartPolicy"]["Name"] in ("", "no")
    assert config["User"] == "1000:1000"
    assert config["Tty"] is True
    assert config["OpenStdin"] is False
    assert config["Image"].startswith("sha256:")
    assert config["Labels"]["cabtrace.run"] == shared.run_id
    assert config["Labels"]["cabtrace.owner"].count("/") == 4


def test_inside_it_is_as_promised(shared: Cell) -> None:
    ending = shared.run(
        "id -u; id -g; grep -E 'CapEff|CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; "
        "pwd; stty size; test -t 1 && echo terminal; touch here && exit 7"
    )

    assert ending == Ending(7)
    lines = shared.output.split("\n")
    assert lines[:2] == ["1000", "1000"]
    assert {"CapBnd:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} <= set(lines)
    assert {"/workspace", "30 100", "terminal"} <= set(lines)


def test_the_facts(engine: Any, shared: Cell) -> None:
    facts, image = shared.facts, engine.images.get(IMAGE)

    assert facts.isolated
    assert facts.listen_host == facts.reach_host
    assert facts.image == IMAGE
    assert facts.image_digest.startswith("sha256:")
    assert (facts.paths.workdir, facts.paths.tests, facts.paths.logs) == ("/workspace", "/tests", "/logs/verifier")
    assert facts.attributes["container.image.id"] == image.id
    assert facts.attributes["container.name"] == f"cabtrace-{shared.run_id[:20]}"
    assert len(str(facts.attributes["container.id"])) == 64
    assert all("way out" not in text for text in facts.left_open)


def test_the_environment_is_the_images_and_the_commands(shared: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-users-own")

    shared.run("env", GIVEN="a 'b' $c", PATH="/usr/bin:/bin")

    variables = dict(line.split("=", 1) for line in shared.output.splitlines())
    variables.pop("_", None)
    assert set(variables) == {"PATH", "HOSTNAME", "TERM", "HOME", "LANG", "PWD", "GIVEN"}
    assert variables["GIVEN"] == "a 'b' $c"
    assert (variables["HOME"], variables["TERM"], variables["LANG"]) == ("/cabtrace/home", "xterm-256color", "C.UTF-8")
    assert variables["PATH"] == "/usr/bin:/bin"


def test_what_the_command_was_told_is_not_in_the_engines_records(engine: Any, shared: Cell) -> None:
    secret = "tok-0123456789-secret"
    shared.run("ls -a /cabtrace/start; cat /proc/1/cmdline /proc/1/environ | tr '\\0' ' '", TOKEN=secret)

    assert secret not in shared.output
    assert "run" not in shared.output.split("\n")[:3]
    name = f"cabtrace-{shared.run_id[:20]}"
    assert secret not in json.dumps(engine.api.inspect_container(name))
    assert secret.encode() not in engine.api.logs(name)
    assert secret not in json.dumps(engine.api.inspect_image(IMAGE))


def test_only_the_door_is_open(engine: Any, shared: Cell) -> None:
    """The proxy's address answers; another cell and every other host do not, nor is there anyone to ask for names."""
    listening = "import socket; server = socket.create_server(('', 8080)); print('up', flush=True); server.accept()"
    with cell() as other, greeter(shared.facts.listen_host) as door:
        neighbour = other.sandbox.start(Command(("python3", "-c", listening), {}, "/workspace"))
        wait_for(lambda: _read(neighbour))
        networks = engine.api.inspect_container(f"cabtrace-{other.run_id[:20]}")["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["IPAddress"]
        targets = [(shared.facts.reach_host, door), (address, 8080), ("192.0.2.1", 80), ("example.com", 80)]

        shared.run("python3", "-c", CONNECT, *(str(part) for target in targets for part in target))

    lines = shared.output.splitlines()
    assert lines[0] == f"{shared.facts.reach_host} reached hello"
    assert [line.split()[1] for line in lines[1:]] == ["refused"] * 3


def test_what_this_machine_serves_is_said_to_be_open() -> None:
    serving = "import socket; s = socket.create_server(('0.0.0.0', 0)); print(s.getsockname()[1], flush=True); s.accept()"
    with subprocess.Popen([sys.executable, "-c", serving], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            with cell() as made:
                said = [text for text in made.facts.left_open if "programs of this machine" in text]
        finally:
            server.kill()
    assert port in said[0] or "and more" in said[0]


def _read(process: Any) -> bytes:
    with contextlib.suppress(BlockingIOError):
        data: bytes = process.read()
        return data
    return b""


def test_a_missing_program_is_named(shared: Cell) -> None:
    for name in ("no-such-agent", "/no/such/agent", "./no-such-agent"):
        with pytest.raises(AgentNotFoundError, match=name):
            shared.run(name, "--version")


def test_a_signal_is_128_and_its_number(shared: Cell) -> None:
    assert shared.run("kill -KILL $$").exit_code == 137


def test_the_deadline_asks_the_whole_group(shared: Cell) -> None:
    script = "trap : TERM; sh -c 'trap \"echo child asked; exit 0\" TERM; while :; do sleep 0.05; done' & wait; wait; exit 6"

    assert shared.run(script, timeout_s=1.5, grace_s=30) == Ending(6, timed_out=True)
    assert "child asked" in shared.output


def test_what_ignores_the_asking_is_killed(shared: Cell) -> None:
    ending = shared.run("trap '' TERM INT HUP; echo deaf; while :; do sleep 0.1; done", timeout_s=1.5, grace_s=0.3)

    assert ending == Ending(137, timed_out=True, killed=True)
    assert "deaf" in shared.output


def test_a_fork_bomb_hits_the_limit_and_ends_with_the_cell(engine: Any) -> None:
    bomb = """
import os, time
while True:
    try:
        os.fork()
    except OSError as error:
        print(error, flush=True)
        time.sleep(5)
"""
    with cell(cpus=1) as made:
        ending = made.python(bomb, timeout_s=3, grace_s=0.2)

        assert ending.timed_out
        assert "Resource temporarily unavailable" in made.output
        assert made.run("ps ax | wc -l").exit_code == 0
        assert int(made.output) < 20


def test_too_much_memory_ends_the_command_and_is_said() -> None:
    with cell(memory_mb=64) as made:
        ending = made.python("x = bytearray(512 << 20)")

        assert ending.exit_code == 137
        assert made.process.attributes["cabtrace.container.oom_killed"] == 1


def test_200_mb_of_output_arrive_in_constant_memory(shared: Cell) -> None:
    counted = [0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    process = shared.sandbox.start(Command(("head", "-c", "200000000", "/dev/zero"), {}, "/"))

    ending = pump(
        process,
        on_output=lambda _when, data: counted.__setitem__(0, counted[0] + len(data)),
        now_ns=time.monotonic_ns,
        deadline_ns=None,
        grace_s=1,
        cancelled=threading.Event(),
    )

    assert (ending, counted[0]) == (Ending(0), 200_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB


def test_the_tests_run_in_the_same_container_without_the_agents_processes(engine: Any, tmp_path: Path) -> None:
    tests = write_tree(
        tmp_path / "tests",
        {"test.sh": "cat /workspace/work; ps ax -o args; ls -A /tests /logs/verifier; echo 1 > /logs/verifier/reward.txt\n"},
    )
    with cell() as made:
        before = engine.api.inspect_container(f"cabtrace-{made.run_id[:20]}")["Id"]
        stray = "trap '' TERM; while :; do date > /workspace/stray; sleep 0.01; done"
        agent = f'echo done > work; (setsid sh -c "{stray}" &); while ! test -s stray; do sleep 0.01; done'
        assert made.run(agent).exit_code == 0

        made.sandbox.put(tests, made.facts.paths.tests)
        ending = made.run("sh", "/tests/test.sh")
        back = tmp_path / "back"
        back.mkdir()
        made.sandbox.get(made.facts.paths.logs, back)

        assert ending == Ending(0)
        assert "while" not in made.output
        assert made.output.endswith("/logs/verifier:\n\n/tests:\ntest.sh\n")
        assert (back / "reward.txt").read_text() == "1\n"
        assert engine.api.inspect_container(f"cabtrace-{made.run_id[:20]}")["Id"] == before


def test_a_root_agent_cannot_prepare_what_the_tests_find(tmp_path: Path) -> None:
    """A foreign task's agent may be root: it plants files and links where tests, logs and the start script will be."""
    tests = write_tree(tmp_path / "tests", {"test.sh": "echo real tests\n"})
    planted = (
        "mkdir -p /tests /logs/verifier /evil; echo evil > /tests/conftest.py; echo 1 > /logs/verifier/reward.txt; "
        "rm -rf /solution; ln -s /evil /solution; rm -rf /cabtrace/start; ln -s /evil /cabtrace/start; "
        "echo 'echo owned' > /evil/run"
    )
    with cell(foreign_task=True) as made:
        assert made.run(planted).exit_code == 0
        assert any("root in its container" in text for text in made.facts.left_open)

        made.sandbox.put(tests, made.facts.paths.tests)
        made.sandbox.put(tests, made.facts.paths.solution)
        assert made.run(
            "sh /tests/test.sh; ls -A /tests /logs/verifier; test -L /solution || echo folder; ls /evil; cat /evil/run"
        ) == Ending(0)

        assert made.output == "real tests\n/logs/verifier:\n\n/tests:\ntest.sh\nfolder\nrun\necho owned\n"


def test_folders_in_and_out(tmp_path: Path) -> None:
    source, back = write_tree(tmp_path / "source", {"sub/a": "1", "run.sh": "#!/bin/sh\necho ran\n"}), tmp_path / "back"
    (source / "run.sh").chmod(0o755)
    (source / "link").symlink_to("sub/a")
    (source / "evil").symlink_to("/etc/passwd")
    back.mkdir()
    with cell() as made:
        made.sandbox.put(source, made.facts.paths.workdir)
        assert (
            made.run(
                "./run.sh; echo 2 >> sub/a; ln -s / root; mkfifo pipe; chmod 4755 run.sh; ls -ln run.sh; mkdir -m 000 shut"
            ).exit_code
            == 0
        )
        made.sandbox.get(made.facts.paths.workdir, back)

        assert "1000 1000" in made.output
        assert made.output.startswith("ran\n")
        assert {name for name, _ in made.sandbox.skipped} == {"evil", "workspace/root", "workspace/pipe"}
    assert (back / "sub" / "a").read_text() == "12\n"
    assert (back / "run.sh").stat().st_mode & 0o7777 in (0o755, 0o744, 0o700, 0o750, 0o711)
    assert sorted(path.name for path in back.iterdir()) == ["link", "run.sh", "shut", "sub"]


def test_a_workdir_that_became_a_link_is_not_followed(tmp_path: Path) -> None:
    with cell(foreign_task=True) as made:
        assert made.run("cd /; rm -rf /workspace; ln -s /etc /workspace", cwd="/").exit_code == 0
        made.sandbox.get("/workspace", tmp_path)
        made.sandbox.get("/never/was", tmp_path)

        assert list(tmp_path.iterdir()) == []
        assert [reason for _, reason in made.sandbox.skipped] == ["the folder itself is something else", "not there"]


@pytest.mark.parametrize("own_host", [False, True], ids=["loopback", "remote"])
def test_an_engine_over_tcp(engine: Any, own_host: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second engine is remote as far as the client can tell: the door is this machine's own address."""
    host = "172.17.0.1" if own_host else "127.0.0.1"
    with engine_over_tcp(host) as url:
        monkeypatch.setenv("DOCKER_HOST", url)
        with cell() as made, greeter(made.facts.listen_host) as port:
            ending = made.run("python3", "-c", CONNECT, made.facts.reach_host, str(port))

            assert ending == Ending(0)
            assert made.output == f"{made.facts.reach_host} reached hello\n"
            assert made.facts.isolated is not own_host
            assert any("way out" in text for text in made.facts.left_open) == own_host
            assert made.run("sleep 100", timeout_s=1) == Ending(143, timed_out=True)
        run_id = made.run_id
    assert left_on_engine(engine, run_id) == []


def test_close_names_what_it_removed_and_may_be_called_again(engine: Any) -> None:
    with cell() as made:
        name = f"cabtrace-{made.run_id[:20]}"
        made.sandbox.start(Command(("sleep", "100"), {}, "/"))

        assert made.sandbox.close() == [f"container {name}", f"network {name}"]
        assert made.sandbox.close() == []
    assert left_on_engine(engine, made.run_id) == []
    with pytest.raises(SandboxError, match="not open"):
        made.sandbox.start(Command(("true",), {}, "/"))
