"""Real backends on loopback, started and ended by the tests. Where a program is missing the tests skip and say why."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REQUIRED = "CABTRACE_REQUIRE_BACKENDS"
_START_S = 60.0

_JAEGER = """
service:
  extensions: [jaeger_storage, jaeger_query, healthcheckv2]
  pipelines:
    traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  jaeger_query:
    storage: {{traces: memory}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{query_grpc}"}}
  jaeger_storage:
    backends: {{memory: {{memory: {{max_traces: 1000}}}}}}
  healthcheckv2:
    use_v2: true
    http: {{endpoint: "127.0.0.1:{health}"}}
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
exporters:
  jaeger_storage_exporter: {{trace_storage: memory}}
"""
_COLLECTOR = """
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http}"}}
exporters:
  file: {{path: "{file}", flush_interval: 100ms}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    traces: {{receivers: [otlp], exporters: [file]}}
"""


@dataclass(frozen=True, slots=True)
class Backend:
    """Base URLs, and for the Collector the file that it writes."""

    grpc: str
    http: str
    query: str = ""
    file: Path = Path()

    def endpoint(self, protocol: str) -> str:
        return self.grpc if protocol == "grpc" else self.http


def program(name: str) -> str:
    """The path of a backend, or a skip; a failure where CABTRACE_REQUIRE_BACKENDS says that it must be there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = shutil.which(name, path=str(cache / "cabtrace-ci/backends/bin")) or shutil.which(name)
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


def started(argv: list[str], log: Path, port: int) -> subprocess.Popen[bytes]:
    """The process, once it listens on the port."""
    with log.open("wb") as handle:
        process = subprocess.Popen(argv, stdout=handle, stderr=subprocess.STDOUT, cwd=log.parent)
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return process
    process.kill()
    process.wait()
    pytest.fail(f"{argv[0]} did not start: {log.read_text('utf-8', 'replace')[-2000:]}")


def ended(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    path = program("jaeger")
    folder = tmp_path_factory.mktemp("jaeger")
    ports = dict(zip(("grpc", "http", "query", "query_grpc", "health"), free_ports(5), strict=True))
    (folder / "config.yaml").write_text(_JAEGER.format(**ports))
    process = started([path, "--config", "config.yaml"], folder / "log", ports["query"])
    _wait_for(f"http://127.0.0.1:{ports['query']}/api/v3/services")
    yield Backend(*(f"http://127.0.0.1:{ports[name]}" for name in ("grpc", "http", "query")))
    ended(process)


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Backend]:
    path = program("otelcol")
    grpc, http = free_ports(2)
    file = tmp_path / "out.jsonl"
    (tmp_path / "config.yaml").write_text(_COLLECTOR.format(grpc=grpc, http=http, file=file))
    process = started([path, "--config", "config.yaml"], tmp_path / "log", http)
    yield Backend(f"http://127.0.0.1:{grpc}", f"http://127.0.0.1:{http}", file=file)
    ended(process)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
