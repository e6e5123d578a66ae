"""trace-view's server. It listens on every address: to be started in a network namespace only."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PORT = 43_180
_END_S = 20.0


@contextmanager
def server(program: str, database: Path, env: Mapping[str, str]) -> Iterator[str]:
    """The endpoint of one that keeps what it takes in that database; it is ended with the context."""
    argv = [program, "-p", str(_PORT), "-d", str(database), "serve"]
    process = subprocess.Popen(argv, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{_PORT}"
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def viewer(program: str, database: Path) -> list[str]:
    """The command of its terminal interface on the same database."""
    return [program, "-d", str(database), "ui"]
