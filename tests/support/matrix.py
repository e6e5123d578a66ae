"""Real agent CLIs against the scripted model: what the matrix tests share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.examples import example_script, example_task
from cabtrace.model.span import SpanRecord
from cabtrace.modelserver.script import Script, load_script
from cabtrace.modelserver.server import ModelServer, Served
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import CellResult, CellSpec
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView

AGENTS = ("claude-code", "codex", "copilot", "gemini", "opencode", "qwen", "aider", "mini-swe-agent")
# One ends only when a command says so; the other has no tools, and forgets at first which file it writes.
MODELS = {"mini-swe-agent": "scripted/submits", "aider": "scripted/mends"}


def need(agent: str) -> None:
    """Skips where the agent's CLI is not on PATH, or fails where `CABTRACE_REQUIRE_AGENTS` says that it must be."""
    missing = [program for program in find_agent(agent).executables() if shutil.which(program) is None]
    if missing:
        reason = f"{missing[0]} is not on PATH; `.ci/agents.sh` installs it and prints the folder to put there"
        if os.environ.get("CABTRACE_REQUIRE_AGENTS"):
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass
class Cell:
    """A finished cell, what was recorded of it, and what the model's server saw."""

    result: CellResult
    run: RunView
    served: list[Served]

    @property
    def model_requests(self) -> list[Served]:
        return [served for served in self.served if served.request_hash]

    def spans(self, kind: str) -> list[SpanRecord]:
        return [span for span in self.run.spans() if span.text("cabtrace.span.kind") == kind]

    def tools(self) -> list[SpanRecord]:
        return [span for span in self.run.spans() if span.text("gen_ai.operation.name") == "execute_tool"]

    def terminal(self) -> str:
        return self.run.terminal_text(200_000)


def run(agent: str, folder: Path, *, scripts: tuple[Script, ...] = (), **spec: Any) -> Cell:
    """One cell, to its end."""
    server = ModelServer(scripts or (load_script(example_script("hello")),), host=spec.pop("model_host", "127.0.0.1"), speed=0.2)
    server.start()
    cancel = spec.pop("cancel", None)
    try:
        values: Mapping[str, Any] = {
            "task": load_task(example_task("smoke/hello-file")),
            "agent": find_agent(agent),
            "model": MODELS.get(agent, "scripted/careful"),
            "store": folder / "store",
            "scratch": folder / "scratch",
            "sandbox": "local",
            "endpoint": server.url,
            "api_key": "sk-real-key-of-the-endpoint",
            "timeout_s": 240.0,
            **spec,
        }
        result = run_cell(CellSpec(**values), cancel=cancel)
        return Cell(result, RunView(result.path), list(server.requests))
    finally:
        server.stop()


def roots_and_orphans(run: RunView) -> tuple[list[str], list[str]]:
    """Names of spans without a parent, and of those whose parent is not there or in another trace."""
    spans = run.spans()
    known = {(span.trace_id, span.span_id) for span in spans}
    roots = [span.name for span in spans if span.parent_id is None]
    orphans = [span.name for span in spans if span.parent_id is not None and (span.trace_id, span.parent_id) not in known]
    return roots, orphans
