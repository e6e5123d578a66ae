"""Real CLIs in a container whose only door is the recording proxy."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.matrix import Cell, roots_and_orphans, run

pytestmark = [pytest.mark.matrix, pytest.mark.docker, pytest.mark.slow, pytest.mark.xdist_group("matrix")]
IMAGE = "cabtrace-test/agents:bookworm"


def need_image() -> None:
    """Skips where `.ci/agents-image.sh` has not made it, or fails where it must be there."""
    try:
        found = (
            subprocess.run(["docker", "image", "inspect", IMAGE], capture_output=True, timeout=60, check=False).returncode == 0
        )
    except OSError:
        found = False
    if not found:
        reason = f"there is no image {IMAGE}; `.ci/agents-image.sh` makes it"
        if os.environ.get("CABTRACE_REQUIRE_AGENTS") and os.environ.get("CABTRACE_REQUIRE_DOCKER"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="module", params=("claude-code", "codex", "copilot"))
def cell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cell:
    need_image()
    return run(request.param, tmp_path_factory.mktemp(request.param), sandbox="docker", image=IMAGE)


def test_the_cell_passes_in_its_container(cell: Cell) -> None:
    header = cell.result.header

    assert (cell.result.cause, cell.result.detail, header.exit_code) == ("passed", "", 0)
    assert header.sandbox.isolated
    assert header.agent.version
    assert cell.run.changes()["added"] == ["hello.txt"]
    assert "Done: hello.txt holds the word hello." in cell.terminal()


def test_model_calls_and_the_tool_call_are_complete(cell: Cell) -> None:
    calls = cell.run.calls()

    assert len(calls) >= 2
    assert sorted(call.request_hash for call in calls) == sorted(served.request_hash for served in cell.model_requests)
    assert all(call.usage.input and call.usage.output and call.latency_ms and call.finish_reasons for call in calls)
    (tool,) = cell.tools()
    assert "hello" in tool.text("gen_ai.tool.call.result")
    assert set(tool.attributes["cabtrace.tool.sources"]) == {"telemetry", "transcript", "model_calls"}
    assert tool.end_ns is not None
    assert tool.end_ns > tool.start_ns


def test_the_trace_is_connected(cell: Cell) -> None:
    roots, orphans = roots_and_orphans(cell.run)

    assert len(roots) == 1
    assert orphans == []


def test_the_key_never_was_in_the_container(cell: Cell) -> None:
    files = [path for path in Path(cell.result.path).rglob("*") if path.is_file()]

    assert not [path.name for path in files if b"sk-real-key-of-the-endpoint" in path.read_bytes()]
