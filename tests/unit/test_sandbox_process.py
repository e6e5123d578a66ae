"""Reading a container's terminal over whatever carries it: a socket, or a channel that only has `recv` (SSH, TLS)."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from cabtrace.errors import SandboxError
from cabtrace.runner.pty import Ending, pump
from cabtrace.runner.sandbox.docker.process import DockerProcess


class Channel:
    """A stream without a descriptor that could be waited for, as an SSH library has."""

    def __init__(self, inner: socket.socket) -> None:
        self.inner = inner

    def settimeout(self, timeout: float | None) -> None:
        self.inner.settimeout(timeout)

    def recv(self, size: int) -> bytes:
        return self.inner.recv(size)

    def close(self) -> None:
        self.inner.close()


@pytest.fixture(params=[socket.socket, Channel], ids=["socket", "channel"])
def ends(request: pytest.FixtureRequest) -> Iterator[tuple[object, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield (ours if request.param is socket.socket else Channel(ours), theirs)
    ours.close()
    theirs.close()


def test_all_bytes_arrive_and_then_the_end(ends: tuple[object, socket.socket]) -> None:
    stream, engine = ends
    sent = bytes(range(256)) * 8_000
    stopped = threading.Event()
    received = bytearray()

    def send() -> None:
        engine.sendall(sent)
        engine.shutdown(socket.SHUT_RDWR)
        stopped.set()

    def wait() -> tuple[int, bool]:
        stopped.wait()
        return 5, True

    threading.Thread(target=send).start()
    process = DockerProcess(stream, wait, lambda _name: None, {"container.id": "x"})
    ending = pump(
        process,
        on_output=lambda _when, data: received.extend(data),
        now_ns=time.monotonic_ns,
        deadline_ns=None,
        grace_s=1,
        cancelled=threading.Event(),
    )
    process.close()
    process.close()

    assert ending == Ending(5)
    assert bytes(received) == sent
    assert process.attributes == {"container.id": "x", "cabtrace.container.oom_killed": 1}


def test_nothing_there_yet_is_not_the_end(ends: tuple[object, socket.socket]) -> None:
    stream, engine = ends
    never = threading.Event()
    process = DockerProcess(stream, lambda: (never.wait() and 0, False), lambda _name: None, {})

    with pytest.raises(BlockingIOError):
        process.read()
    engine.sendall(b"now")
    assert select.select([process.fileno()], [], [], 10)[0]
    assert process.read() == b"now"
    assert process.poll() is None
    engine.close()
    process.close()
    never.set()


def test_an_engine_that_is_lost_while_the_cell_runs(ends: tuple[object, socket.socket]) -> None:
    stream, _ = ends

    def wait() -> tuple[int, bool]:
        raise SandboxError("No Docker engine answers.")

    process = DockerProcess(stream, wait, lambda _name: None, {})
    with pytest.raises(SandboxError, match="No Docker engine answers"):
        pump(
            process,
            on_output=lambda _when, _data: None,
            now_ns=time.monotonic_ns,
            deadline_ns=None,
            grace_s=1,
            cancelled=threading.Event(),
        )
    process.close()


def test_signals_go_to_a_running_container_only(ends: tuple[object, socket.socket]) -> None:
    stream, _ = ends
    stopped, sent = threading.Event(), list[str]()

    def signal(name: str) -> None:
        sent.append(name)
        if name == "SIGKILL":
            stopped.set()

    process = DockerProcess(stream, lambda: (137 if stopped.wait() else 0, False), signal, {})
    process.terminate()
    process.kill()
    process.kill()
    process.terminate()
    process.close()

    assert sent == ["SIGTERM", "SIGKILL"]
    assert process.poll() == 137
