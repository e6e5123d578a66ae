"""ctrl+z in a real terminal: the shell is back, and after fg the screen is as it was."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.integration.test_replay_pty import REPLAY, ROOT, Tmux, tmux
from tests.support.sample_run import build_sample_run

__all__ = ["tmux"]
pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(tmp_path: Path, tmux: Tmux):
    run = build_sample_run(tmp_path)
    argv = shlex.join([sys.executable, "-c", REPLAY, str(tmp_path), str(run)])
    tmux.type(f"cd {shlex.quote(str(ROOT))}; set -m; clear; {argv}", "Enter")
    tmux.wait_for("00:00.000 / 00:48.263")
    tmux.type("n")
    tmux.wait_for("00:20.901")
    tmux.wait_for("mismatched types")
    tmux.type("C-z")
    tmux.wait_for("Stopped")
    assert tmux.fact("alternate_on") == "0"
    tmux.type("echo SH''ELL", "Enter")
    tmux.wait_for("SHELL")
    tmux.type("fg", "Enter")
    shown = tmux.wait_for("00:20.901 / 00:48.263")
    assert "mismatched types" in shown
    assert tmux.fact("alternate_on") == "1"
    tmux.type(",")
    tmux.wait_for("00:20.801")
    tmux.type("q")
    tmux.wait_for("SHELL")
    assert tmux.fact("alternate_on") == "0"
