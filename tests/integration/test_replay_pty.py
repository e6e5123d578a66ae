"""The replay on a real terminal: opened, played, stepped and left, with the terminal as it was before."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pty_app import REPLAY, ROOT
from tests.support.sample_run import build_sample_run

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Tmux:
    """A shell in a tmux of its own."""

    def __init__(self, columns: int = 100, rows: int = 30) -> None:
        self._socket = f"cabtrace-{uuid.uuid4().hex}"
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "env -u COLUMNS -u LINES PS1='$ ' sh")

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-L", self._socket, *words], capture_output=True, text=True, check=True, timeout=30)
        return done.stdout

    def type(self, *keys: str) -> None:
        """Keys as tmux names them."""
        self._tmux("send-keys", *keys)

    def screen(self) -> str:
        """What is shown."""
        return self._tmux("capture-pane", "-p")

    def fact(self, name: str) -> str:
        """A tmux format."""
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def wait_for(self, text: str, timeout_s: float = 60.0) -> str:
        """The screen once it shows `text`."""
        until = time.monotonic() + timeout_s
        while text not in (shown := self.screen()):
            assert time.monotonic() < until, f"{text!r} was not shown:\n{shown}"
            time.sleep(0.05)
        return shown

    def close(self) -> None:
        """Ends the tmux server."""
        subprocess.run(["tmux", "-L", self._socket, "kill-server"], capture_output=True, check=False, timeout=30)


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    terminal = Tmux()
    yield terminal
    terminal.close()


def command(store: Path, run: Path, program: str = REPLAY) -> str:
    """A shell command that runs the replay and says how it ended."""
    argv = shlex.join([sys.executable, "-c", program, str(store), str(run)])
    return f"cd {shlex.quote(str(ROOT))}; clear; stty -g > {store}/before; {argv}; echo EX''IT $?; stty -g > {store}/after"


def terminal_facts(tmux: Tmux) -> dict[str, str]:
    return {name: tmux.fact(name) for name in ("alternate_on", "mouse_any_flag", "cursor_flag", "keypad_flag")}


def test_open_play_step_and_quit(tmp_path: Path, tmux: Tmux):
    run = build_sample_run(tmp_path)
    before = terminal_facts(tmux)
    tmux.type(command(tmp_path, run), "Enter")
    tmux.wait_for("00:00.000 / 00:48.263")
    tmux.wait_for("✗ FAIL")
    tmux.type("n")
    shown = tmux.wait_for("00:20.901")
    assert "exit code 101" in shown
    tmux.wait_for("mismatched types")
    tmux.type(",")
    tmux.wait_for("00:20.801")
    tmux.type("Left")
    tmux.wait_for("00:17.516")
    tmux.type(">", ">", "Space")
    tmux.wait_for("▶")
    tmux.wait_for("4×")
    tmux.wait_for("test result")
    tmux.type("Space")
    tmux.wait_for("‖")
    tmux.type("?")
    tmux.wait_for("play or pause")
    tmux.type("Escape")
    tmux.wait_for("◆ chat #1")  # on its own: an escape right before a letter is that letter with alt
    tmux.type("q")
    tmux.wait_for("EXIT 0")

    is_as_it_was(tmux, tmp_path, before)


def is_as_it_was(tmux: Tmux, store: Path, before: dict[str, str]) -> None:
    """The shell has its terminal back: its own screen, its modes, its line settings."""
    assert terminal_facts(tmux) == before
    tmux.type("echo SE''TTLED", "Enter")
    tmux.wait_for("SETTLED")
    assert (store / "after").read_text() == (store / "before").read_text() != ""


def test_the_demo_from_the_shell_and_back(tmp_path: Path, tmux: Tmux):
    cabtrace = shlex.join([sys.executable, "-m", "cabtrace.cli.main"])
    store = shlex.quote(str(tmp_path / "store"))
    tmux.type(f"cd {shlex.quote(str(ROOT))}; {cabtrace} demo --speed 0 --no-replay --store {store} 2>&1 | tail -n 1", "Enter")
    tmux.wait_for("One passed, one failed")
    before = terminal_facts(tmux)
    tmux.type(
        f"stty -g > {tmp_path}/before; {cabtrace} replay --store {store}; echo EX''IT $?; stty -g > {tmp_path}/after", "Enter"
    )
    tmux.wait_for("2 runs, 1 failed")
    tmux.wait_for("✓ PASS")
    assert tmux.fact("alternate_on") == "1"
    tmux.type("Enter")
    tmux.wait_for("✗ FAIL tests_failed")
    tmux.wait_for("‖ 00:00.000")
    tmux.type("n")
    tmux.wait_for("✗ error")
    tmux.type("w")
    tmux.wait_for("Cause")
    tmux.type("Home", ">", ">", ">", "Space")
    tmux.wait_for("▶")
    tmux.type("Space")
    tmux.wait_for("‖")
    tmux.type("Escape")
    tmux.wait_for("2 runs, 1 failed")
    tmux.type("c", "Down", "c")
    tmux.wait_for("⇄ locked")
    tmux.type("q")
    shown = tmux.wait_for("EXIT 0")

    assert "One passed, one failed" in shown, "the shell's own screen is back"
    is_as_it_was(tmux, tmp_path, before)


def test_a_crash_leaves_the_terminal_as_it_was(tmp_path: Path, tmux: Tmux):
    run = build_sample_run(tmp_path)
    crashing = REPLAY.replace(
        "sys.exit", "from replay.tui.screens.replay import ReplayScreen; ReplayScreen.action_play = lambda self: 1 / 0; sys.exit"
    )
    before = terminal_facts(tmux)
    tmux.type(command(tmp_path, run, crashing), "Enter")
    tmux.wait_for("●")
    tmux.type("Space")
    shown = tmux.wait_for("EXIT 3")

    assert "ZeroDivisionError" in shown
    is_as_it_was(tmux, tmp_path, before)


def test_sigterm_leaves_the_terminal_as_it_was(tmp_path: Path, tmux: Tmux):
    run = build_sample_run(tmp_path)
    telling = f"import os, pathlib; pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid())); {REPLAY}"
    before = terminal_facts(tmux)
    tmux.type(command(tmp_path, run, telling), "Enter")
    tmux.wait_for("●")
    tmux.type("Space")
    tmux.wait_for("▶")
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    tmux.wait_for("EXIT 143")

    is_as_it_was(tmux, tmp_path, before)
