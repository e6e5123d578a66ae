"""The replay on a real terminal: opened, played, stepped and left, with the terminal as it was before."""

from __future__ import annotations

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

from tests.support.pty_app import REPLAY, ROOT, PtyApp
from tests.support.sample_run import build_sample_run

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

# What Textual turns on, and must have turned off again: alternate screen, mouse, paste, focus; the cursor is shown.
MODES = ("1049", "1000", "1003", "1006", "2004", "1004")


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

    assert terminal_facts(tmux) == before
    tmux.type("", "Enter")
    time.sleep(0.1)
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


def test_a_crash_leaves_the_terminal_as_it_was(tmp_path: Path, tmux: Tmux):
    run = build_sample_run(tmp_path)
    crashing = REPLAY.replace(
        "sys.exit", "from replay.tui.screens.replay import ReplayScreen; ReplayScreen.action_play = lambda self: 1 / 0; sys.exit"
    )
    before = terminal_facts(tmux)
    tmux.type(command(tmp_path, run, crashing), "Enter")
    tmux.wait_for("●")
    tmux.type("Space")
    tmux.wait_for("EXIT 3")

    assert terminal_facts(tmux) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_politely(tmp_path: Path, number: int):
    run = build_sample_run(tmp_path)
    with PtyApp([sys.executable, "-c", REPLAY, str(tmp_path), str(run)]) as app:
        app.wait_for(b"FAIL")
        app.settle(0.5)
        app.send(b" ")
        app.signal(number)
        assert app.wait() == 128 + number

    for mode in MODES:
        on, off = app.output.rfind(f"\x1b[?{mode}h".encode()), app.output.rfind(f"\x1b[?{mode}l".encode())
        assert off >= on, f"mode {mode} was left on"
    assert app.output.rfind(b"\x1b[?25h") > app.output.rfind(b"\x1b[?25l")
