"""What can go wrong with an engine is one clear sentence, and leaves nothing behind."""

from __future__ import annotations

import errno
import json
import select
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cabtrace.errors import SandboxError
from cabtrace.runner.leftovers import find_leftovers, remove
from cabtrace.runner.sandbox.docker import DockerSandbox, build_image, connect
from tests.support.containers import IMAGE, cell, left_on_engine, require_engine, write_tree

pytestmark = pytest.mark.docker

RUN = "fedcba9876543210fedcba9876543210"
KILL_POINTS = 50


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    client = require_engine()
    yield client
    client.close()


def refused(engine: Any, **options: Any) -> SandboxError:
    """The error of an open, after which nothing of it is on the engine."""
    sandbox = DockerSandbox(RUN, options.pop("image", IMAGE), **options)
    with pytest.raises(SandboxError) as caught:
        sandbox.open()
    assert left_on_engine(engine, RUN) == []
    assert sandbox.close() == []
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_missing_image_is_named_with_what_to_do(engine: Any) -> None:
    error = refused(engine, image="cabtrace-test/never-made:1")

    assert error.what == "The image cabtrace-test/never-made:1 is not here."
    assert "docker pull cabtrace-test/never-made:1" in error.hint


def test_an_image_name_that_is_none(engine: Any) -> None:
    assert "Not A Name" in refused(engine, image="Not A Name").what
    assert "No image is named" in refused(engine, image=" ").what


def test_a_user_that_the_image_does_not_have(engine: Any) -> None:
    assert "no user 'eve'" in refused(engine, user="eve").what


def test_a_workdir_that_cannot_be(engine: Any) -> None:
    assert "system folder" in refused(engine, workdir="/etc").what


def test_too_little_memory_for_a_container(engine: Any) -> None:
    assert "memory" in str(refused(engine, memory_mb=1)).lower()


@pytest.mark.parametrize("source", ["/", "/var/run/docker.sock", "/etc", "/proc"])
def test_a_mount_that_must_not_be(source: str) -> None:
    with pytest.raises(SandboxError, match="refused"):
        DockerSandbox(RUN, IMAGE, mounts=[source])


def test_a_mount_that_may_be_is_read_only(tmp_path: Path) -> None:
    write_tree(tmp_path, {"data": "shown"})
    tmp_path.chmod(0o755)
    with cell(mounts=[str(tmp_path)], foreign_task=True) as made:
        made.run(f"cat {tmp_path}/data; echo x > {tmp_path}/data || echo no")

        assert made.output.startswith("shown")
        assert "Read-only file system" in made.output
        assert any(str(tmp_path) in text for text in made.facts.left_open)
    assert (tmp_path / "data").read_text() == "shown"


def dead_socket(folder: Path) -> str:
    """A socket that once had a server."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
    return f"unix://{folder}/s"


def test_an_engine_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, never listening
        taken.bind(("127.0.0.1", 0))
        for url in (f"unix://{tmp_path}/none", dead_socket(tmp_path), f"tcp://127.0.0.1:{taken.getsockname()[1]}"):
            monkeypatch.setenv("DOCKER_HOST", url)
            sandbox = DockerSandbox(RUN, IMAGE)
            with pytest.raises(SandboxError, match="No Docker engine answers at") as caught:
                sandbox.open()
            assert url in caught.value.what
            assert "--sandbox local" in caught.value.hint
            assert sandbox.close() == []
            assert find_leftovers(tmp_path) == []


def test_an_engine_that_one_may_not_use() -> None:
    def forbidden() -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    with pytest.raises(SandboxError, match="You may not use the Docker engine") as caught:
        connect(forbidden)
    assert "group `docker`" in caught.value.hint


@pytest.mark.parametrize("url", ["nonsense://x", "tcp://", "ssh://nobody@127.0.0.1:1"])
def test_an_engine_address_that_makes_no_sense(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", url)
    with pytest.raises(SandboxError):
        connect()


def test_something_else_than_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while not done.is_set():
                if select.select([server], [], [], 0.1)[0]:
                    peer, _ = server.accept()
                    peer.recv(1000)
                    peer.sendall(b"SSH-2.0-nothing\r\n")
                    peer.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.getsockname()[1]}")
        try:
            with pytest.raises(SandboxError):
                connect()
        finally:
            done.set()
            thread.join(10)


def test_a_container_that_is_removed_under_the_cell(engine: Any) -> None:
    with cell() as made:
        engine.api.remove_container(f"cabtrace-{made.run_id[:20]}", force=True)

        with pytest.raises(SandboxError, match="o such container"):
            made.run("true")

        assert made.sandbox.close() == [f"network cabtrace-{made.run_id[:20]}"]


def test_a_container_that_is_removed_while_it_runs(engine: Any) -> None:
    with cell() as made:
        threading.Timer(1.5, engine.api.remove_container, [f"cabtrace-{made.run_id[:20]}"], {"force": True}).start()

        assert made.run("sleep 100").exit_code in (137, None)


def test_a_tasks_image_with_its_own_user_and_files(engine: Any, tmp_path: Path) -> None:
    tag = "cabtrace-test/task:1"
    dockerfile = f"FROM {IMAGE}\nRUN useradd -u 1234 ann\nENV GREETING=hello\nWORKDIR /app\nCOPY . /app\nUSER ann\n"
    context = write_tree(tmp_path / "environment", {"Dockerfile": dockerfile, "src/main.py": "print(1)\n"})
    try:
        image_id = build_image(context, tag, task="a/task")
        assert image_id.startswith("sha256:")
        assert engine.images.get(tag).labels["cabtrace.task"] == "a/task"
        with cell(tag) as made:
            assert made.run("id -u; echo $GREETING; pwd").exit_code == 0
            assert made.output == "1234\nhello\n/workspace\n"
            assert made.facts.image_digest == image_id
        with cell(tag, foreign_task=True) as made:
            made.run("id -u; pwd; cat src/main.py")
            assert made.output == "1234\n/app\nprint(1)\n"
        with cell(tag, workdir="/app", user="1000:1000") as made:
            assert made.run("id -u; echo 2 >> src/main.py; cat src/main.py; touch new; ls -n src").exit_code == 0
            assert made.output.startswith("1000\nprint(1)\n2\n")
            assert "1000 1000" in made.output
    finally:
        engine.images.remove(tag, force=True)


def test_a_dockerfile_that_fails_says_where(tmp_path: Path) -> None:
    context = write_tree(tmp_path, {"Dockerfile": f"FROM {IMAGE}\nRUN echo about to fail && exit 9\n"})
    with pytest.raises(SandboxError, match=r"cannot be built: .*9.*about to fail"):
        build_image(context, "cabtrace-test/broken:1")
    with pytest.raises(SandboxError, match="no Dockerfile"):
        build_image(tmp_path / "none", "cabtrace-test/broken:1")


# Forks a runner for each line it reads, {"run": ..., "at": N}: the runner kills itself before its Nth call of the engine
# is sent (N even) or after it was answered (N odd), and would otherwise run a whole cell.
ZYGOTE = textwrap.dedent(
    """
    import json, os, signal, sys, threading, time
    import docker, requests
    from pathlib import Path
    from cabtrace.protocols import Command
    from cabtrace.runner.leftovers import claim_scratch, release_scratch
    from cabtrace.runner.pty import pump
    from cabtrace.runner.sandbox.docker import DockerSandbox

    def cell(root, run_id, image, at):
        calls = [0]
        send = requests.Session.send
        def counted(self, request, **options):
            calls[0] += 1
            if calls[0] * 2 == at:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = send(self, request, **options)
            if calls[0] * 2 + 1 == at:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer
        requests.Session.send = counted
        scratch = claim_scratch(root, run_id)
        sandbox = DockerSandbox(run_id, image)
        facts = sandbox.open()
        (scratch / "files").mkdir()
        (scratch / "files" / "a").write_text("x")
        sandbox.put(scratch / "files", facts.paths.workdir)
        process = sandbox.start(Command(("sh", "-c", "(setsid sleep 100 &); cat a"), {}, facts.paths.workdir))
        ignore = lambda when, data: None
        clock, never = time.monotonic_ns, threading.Event()
        pump(process, on_output=ignore, now_ns=clock, deadline_ns=None, grace_s=1, cancelled=never)
        sandbox.close()
        release_scratch(scratch)
        return calls[0]

    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                calls = cell(Path(sys.argv[1]), order["run"], sys.argv[2], order["at"])
                os._exit(calls)
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(255)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    """
)


def test_nothing_is_left_of_a_runner_killed_anywhere(engine: Any, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ZYGOTE, str(tmp_path), IMAGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as zygote:
        assert zygote.stdin is not None
        assert zygote.stdout is not None

        def order(run_id: str, at: int) -> int:
            zygote.stdin.write(json.dumps({"run": run_id, "at": at}) + "\n")
            zygote.stdin.flush()
            return int(zygote.stdout.readline())

        calls = order("0" * 31 + "1", 0)
        assert 20 < calls < 200, "a whole cell"
        assert left_on_engine(engine, "0" * 31 + "1") == []
        points = sorted({2 + round(turn * (calls * 2 - 1) / (KILL_POINTS - 1)) for turn in range(KILL_POINTS)})
        found = 0
        for point in points:
            run_id = f"{point:020x}{'0' * 12}"
            assert order(run_id, point) == -9, f"not killed at {point} of {calls * 2}"
            for leftover in [item for item in find_leftovers(tmp_path) if item.run_id == run_id]:
                found += 1
                assert remove(leftover)
            assert left_on_engine(engine, run_id) == []
            assert [path.name for path in tmp_path.iterdir()] == []
        zygote.stdin.close()
        assert zygote.wait(30) == 0
    assert len(points) == KILL_POINTS or calls * 2 <= KILL_POINTS
    assert found > KILL_POINTS  # a folder each, and most often a container and a network
