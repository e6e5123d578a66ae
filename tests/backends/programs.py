"""Programs of real backends as the tests run them: found or skipped, configured, started, ended, killed and started again."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from cabtrace.model.span import SpanRecord
from exporters.readback.fetch import fetch_trace
from exporters.readback.http import BackendError

REQUIRED = "CABTRACE_REQUIRE_BACKENDS"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Backend:
    """Base URLs, and for the Collector the file that it writes."""

    grpc: str
    http: str
    query: str = ""
    file: Path = Path()

    def endpoint(self, protocol: str) -> str:
        return self.grpc if protocol == "grpc" else self.http


def where(name: str) -> str | None:
    """The path of a backend that was built or is installed; None where it is neither."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return shutil.which(name, path=str(cache / "cabtrace-ci/backends/bin")) or shutil.which(name)


def program(name: str) -> str:
    """The path of a backend, or a skip; a failure where CABTRACE_REQUIRE_BACKENDS says that it must be there."""
    found = where(name)
    if found is None:
        reason = f"{name} is not built; `.ci/backends.sh` builds it"
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@dataclass(slots=True)
class Server:
    """A backend's process, which can be killed and started again on the same ports. `ready` are URLs that answer 200 then."""

    argv: Sequence[str]
    folder: Path
    ports: Sequence[int]
    ready: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Returns once it listens on every port and answers."""
        log = self.folder / "log"
        with log.open("ab") as handle:
            self.process = subprocess.Popen(self.argv, stdout=handle, stderr=subprocess.STDOUT, cwd=self.folder)
        deadline = time.monotonic() + _START_S
        checks: list[Callable[[], bool]] = [partial(_listens, port) for port in self.ports]
        checks += [partial(_answers, url) for url in self.ready]
        for check in checks:
            while not check():
                if time.monotonic() > deadline or self.process.poll() is not None:
                    self.kill()
                    pytest.fail(f"{self.argv[0]} did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
                time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL, now."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def server(
    name: str, config: str, flag: str, folder: Path, ports: Sequence[str], ready: str = ""
) -> tuple[Server, dict[str, str]]:
    """A started program with its configuration; and the base URL of each named port. `ready` is a path below `query`."""
    path = program(name)
    numbers = dict(zip(ports, free_ports(len(ports)), strict=True))
    for port, number in numbers.items():
        config = config.replace(f"<{port}>", str(number))
    (folder / "config.yaml").write_text(config)
    urls = {port: f"http://127.0.0.1:{number}" for port, number in numbers.items()}
    waited = [urls["query"] + ready] if ready else []
    running = Server([path, flag, "config.yaml"], folder, list(numbers.values()), waited)
    running.start()
    return running, urls


def kept(name: str, backend: Backend, trace_id: str, count: int) -> Sequence[SpanRecord]:
    """The trace as the backend has it, once it has so many spans or some time went by."""
    spans: Sequence[SpanRecord] = ()
    for _ in range(60):
        try:
            spans = fetch_trace(name, backend.query, trace_id)
        except BackendError:
            spans = ()
        if len(spans) >= count:
            break
        time.sleep(0.25)
    return spans
