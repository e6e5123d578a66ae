"""What the tests with a real engine share."""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cabtrace.errors import SandboxError
from cabtrace.protocols import Command, SandboxFacts
from cabtrace.runner.pty import Ending, pump
from cabtrace.runner.sandbox.docker import DockerSandbox, connect

IMAGE = os.environ.get("CABTRACE_TEST_IMAGE", "cabtrace-test/base:bookworm")


def require_engine() -> Any:
    """A client of the engine, with the test image on it. Skips where there is none, but not in CI."""
    try:
        client = connect()
        client.images.get(IMAGE)
    except Exception as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no Docker engine with the image {IMAGE} (`.ci/docker-engine.sh`, `.ci/base-image.sh {IMAGE}`): {error}")
    return client


class Cell:
    """A Docker sandbox with a short way to run something in it."""

    def __init__(self, image: str = IMAGE, **options: Any) -> None:
        self.run_id = secrets.token_hex(16)
        self.sandbox = DockerSandbox(self.run_id, image, **options)
        self.output = ""
        self.process: Any = None
        self.facts: SandboxFacts = self.sandbox.open()

    def run(self, *argv: str, timeout_s: float = 60, grace_s: float = 1, cwd: str = "", **env: str) -> Ending:
        """Runs a command (one word: a shell script) to its end; `output` is what it printed."""
        words = ("sh", "-c", argv[0]) if len(argv) == 1 else argv
        output = bytearray()
        self.process = self.sandbox.start(Command(words, env, cwd or self.facts.paths.workdir))
        ending = pump(
            self.process,
            on_output=lambda _when, data: output.extend(data),
            now_ns=time.monotonic_ns,
            deadline_ns=time.monotonic_ns() + int(timeout_s * 1e9),
            grace_s=grace_s,
            cancelled=threading.Event(),
        )
        self.process.close()
        self.output = output.decode("utf-8", "replace").replace("\r\n", "\n")
        return ending

    def python(self, code: str, **options: Any) -> Ending:
        """Runs Python code in the container."""
        return self.run("python3", "-c", code, **options)


@contextlib.contextmanager
def cell(image: str = IMAGE, **options: Any) -> Iterator[Cell]:
    made = Cell(image, **options)
    try:
        yield made
    finally:
        made.sandbox.close()


def left_on_engine(client: Any, run_id: str) -> list[str]:
    """Names of containers and networks that carry a run's label."""
    wanted = {"label": f"cabtrace.run={run_id}"}
    names = [item.name for item in client.containers.list(all=True, filters=wanted)]
    return names + [item.name for item in client.networks.list(filters=wanted)]


@contextlib.contextmanager
def engine_over_tcp(host: str, target: str = "/var/run/docker.sock") -> Iterator[str]:
    """The engine's socket under a TCP address, as remote engines have; yields the URL."""
    with socket.create_server((host, 0)) as server:
        stop = threading.Event()
        thread = threading.Thread(target=_accept, args=(server, target, stop), daemon=True)
        thread.start()
        try:
            yield f"tcp://{host}:{server.getsockname()[1]}"
        finally:
            stop.set()
            thread.join(5)


def _accept(server: socket.socket, target: str, stop: threading.Event) -> None:
    server.settimeout(0.1)
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            client, _ = server.accept()
            threading.Thread(target=_relay, args=(client, target), daemon=True).start()


def _relay(client: socket.socket, target: str) -> None:
    with contextlib.suppress(OSError):  # either end may leave at any time
        _pass_on(client, target)


def _pass_on(client: socket.socket, target: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as engine, selectors.DefaultSelector() as selector:
        client.setblocking(True)
        engine.connect(target)
        selector.register(client, selectors.EVENT_READ, engine)
        selector.register(engine, selectors.EVENT_READ, client)
        while selector.get_map():
            for key, _ in selector.select():
                source, other = key.fileobj, key.data
                data = source.recv(65_536)  # type: ignore[union-attr]  # only sockets are registered
                if data:
                    other.sendall(data)
                else:
                    selector.unregister(source)
                    with contextlib.suppress(OSError):
                        other.shutdown(socket.SHUT_WR)


def wait_for(done: Any, timeout_s: float = 30) -> None:
    until = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > until:
            raise SandboxError("waited in vain")
        time.sleep(0.02)


def write_tree(folder: Path, files: dict[str, str]) -> Path:
    """Files by path below `folder`."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder
