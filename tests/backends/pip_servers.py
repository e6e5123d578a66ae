"""Backends that install by pip, in environments of their own: too large for this project's. Not found, they are skipped."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.backends.programs import free_ports

_START_S = 240.0  # the first start of either makes a database


def pip_program(name: str) -> str:
    """The path that CABTRACE_<NAME> says, else that of a program of that name; or a skip."""
    variable = f"CABTRACE_{name.upper()}"
    found = shutil.which(os.environ.get(variable) or name)
    if found is None:
        pytest.skip(f"{name} is not installed; {variable} may name its program")
    return found


@contextmanager
def serving(argv: Sequence[str], env: Mapping[str, str], folder: Path, ready: str) -> Iterator[None]:
    """The server and all its children, between its first good answer and the end of the block."""
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            argv, stdout=log, stderr=subprocess.STDOUT, cwd=folder, env={**os.environ, **env}, start_new_session=True
        )
    try:
        deadline = time.monotonic() + _START_S
        while not _answers(ready):
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail(f"{argv[0]} did not start: {(folder / 'log').read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.25)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def phoenix(folder: Path) -> Iterator[str]:
    """Its base URL."""
    program = pip_program("phoenix")
    port, grpc = free_ports(2)
    env = {
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(grpc),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        "PHOENIX_DISABLE_AGENT_ASSISTANT": "true",
        "PHOENIX_AGENTS_DISABLE_BASH": "true",
        "PHOENIX_AGENTS_DISABLE_WEB_ACCESS": "true",
        "PHOENIX_AGENTS_DISABLE_GITHUB": "true",
        "PHOENIX_ENABLE_MCP_SERVER": "false",
        "PHOENIX_LOG_MIGRATIONS": "false",
    }
    url = f"http://127.0.0.1:{port}"
    with serving([program, "serve"], env, folder, f"{url}/healthz"):
        yield url


@contextmanager
def mlflow(folder: Path) -> Iterator[str]:
    """Its base URL."""
    program = pip_program("mlflow")
    (port,) = free_ports(1)
    env = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    stores = ["--backend-store-uri", f"sqlite:///{folder}/db.sqlite", "--artifacts-destination", str(folder / "artifacts")]
    url = f"http://127.0.0.1:{port}"
    argv = [program, "server", "--host", "127.0.0.1", "--port", str(port), *stores, "--workers", "1"]
    with serving(argv, env, folder, f"{url}/health"):
        yield url
