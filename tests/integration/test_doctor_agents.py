"""`cabtrace doctor --agents`: found, version, verified version, what can be recorded."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cabtrace.agents.registry import BUILT_IN, find_agent

CABTRACE = [sys.executable, "-m", "cabtrace", "doctor", "--agents"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with a codex that is verified, a claude that is another version and writes into its home, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    scripts = {
        "codex": f"echo codex-cli {find_agent('codex').verified_version}",  # type: ignore[attr-defined]  # an optional member
        "claude": 'echo x > "$HOME/left-behind"; echo "9.9.9 (Claude Code)"',
        "gemini": "exec sleep 0.1",
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    for name in ("sh", "sleep"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return folder


def doctor(programs: Path, *words: str) -> str:
    home = programs.parent / "home"
    home.mkdir(exist_ok=True)
    env = {**os.environ, "PATH": str(programs), "HOME": str(home)}
    done = subprocess.run([*CABTRACE, *words], env=env, capture_output=True, text=True, check=True, timeout=120)
    assert list(home.iterdir()) == []  # it was asked in another home
    return done.stdout


def test_what_is_here_and_in_which_version(programs: Path) -> None:
    found: dict[str, dict[str, Any]] = {one["name"]: one for one in json.loads(doctor(programs, "--json"))}

    assert set(BUILT_IN) <= set(found)
    codex, claude, gemini, qwen = (found[name] for name in ("codex", "claude-code", "gemini", "qwen"))
    assert (codex["ok"], codex["version"]) == (True, codex["verified_version"])
    assert codex["found"] == [str(programs / "codex")]
    assert (codex["telemetry"], codex["transcript"], codex["apis"]) == (True, True, ["openai.responses"])
    assert codex["records"] == "model calls (openai.responses), own spans, transcript"
    assert (claude["ok"], claude["version"]) == (None, "9.9.9")
    assert (gemini["ok"], gemini["version"]) == (None, "")  # here, but it does not tell
    assert (qwen["ok"], qwen["found"], qwen["missing"]) == (None, [], ["qwen"])
    assert found["nop"]["records"] == "terminal"


def test_the_table_says_the_same(programs: Path) -> None:
    lines = doctor(programs).splitlines()

    (claude,) = [line for line in lines if "claude-code" in line]
    assert "9.9.9" in claude
    assert str(programs / "claude") in claude
    (qwen,) = [line for line in lines if " qwen " in line]
    assert "missing: qwen" in qwen
