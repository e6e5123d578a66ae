"""A container whose runner is gone: its files can be read, and it stays until it is removed."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from cabtrace.errors import SandboxError
from cabtrace.protocols import Command
from cabtrace.runner.sandbox.docker import DockerSandbox
from cabtrace.runner.sandbox.docker.profile import HOME
from tests.support.containers import IMAGE, Cell, left_on_engine, require_engine

pytestmark = [pytest.mark.docker]


def test_what_a_killed_runner_left_is_stopped_and_read(tmp_path: Path) -> None:
    client = require_engine()
    first = Cell()
    try:
        script = f"mkdir {HOME}/notes; echo said > {HOME}/notes/a.txt; echo ready; exec sleep 600"
        process = first.sandbox.start(Command(("sh", "-c", script), {}, first.facts.paths.workdir))
        shown = b""
        while b"ready" not in shown:
            try:
                shown += process.read()
            except BlockingIOError:
                continue

        again = DockerSandbox(first.run_id, IMAGE)
        paths = again.reopen()
        again.get(f"{paths.home}/notes", tmp_path)
        again.release()

        assert (tmp_path / "a.txt").read_text() == "said\n"
        (container,) = client.containers.list(all=True, filters={"label": f"cabtrace.run={first.run_id}"})
        assert container.status == "exited"
        assert len(left_on_engine(client, first.run_id)) == 2  # the container and its network
    finally:
        first.sandbox.close()
    assert left_on_engine(client, first.run_id) == []


def test_a_container_that_is_gone_is_said_to_be() -> None:
    require_engine()
    sandbox = DockerSandbox(secrets.token_hex(16), IMAGE)

    with pytest.raises(SandboxError, match="its container is no longer there"):
        sandbox.reopen()
    sandbox.release()
    sandbox.release()
