"""However the replay ends, the terminal is as it was: crashes in every kind of code, signals, on every kind of screen."""

from __future__ import annotations

import re
import signal
import sys
import termios
from pathlib import Path

import pytest

from tests.security.escapes_corpus import ESCAPES, harmful_characters
from tests.support.compare_runs import build_pair
from tests.support.pty_app import REPLAY, PtyApp
from tests.support.sample_run import build_sample_run

_MODE = re.compile(rb"\x1b\[\?([0-9;]+)([hl])")
_SEQUENCE = re.compile(r"\x1b\[[<=>?]?[0-9;:]*[@-~]")
SHOWN = {b"25", b"7"}  # on when a program begins: the cursor is seen, lines wrap
LEFT_ON = b"h"
OFF = ("1049l", "25h", "2004l", "1004l", "1000l", "1003l", "1015l", "1006l", "7h")

# Where code breaks, and the keys that lead there.
CRASHES = {
    "a key": ("from replay.tui.screens.replay import ReplayScreen as it; it.action_play = broken", b" "),
    "a frame": ("from replay.session import Session as it; it.tick = broken", b" "),
    "drawing": (
        "from replay.tui.widgets.scrubber import Scrubber as it; real = it.render_line;"
        "it.render_line = lambda self, y: (broken if self.app.screen.session.position_ns else real)(self, y)",
        b"n",
    ),
    "a worker": ("import replay.cause as it; it.find_cause = broken", b"w"),
    "a message": ("from replay.tui.screens.replay import ReplayScreen as it; it.on_prompt_submitted = broken", b"/x\r"),
    "a window": ("from replay.tui.screens.help import HelpScreen as it; it.compose = broken", b"?"),
    "the list": ("from replay.tui.screens.runs import RunsScreen as it; it.on_mount = broken", b"\x1b"),
}
# None of the bytes of these may come out in the last words; a lone surrogate cannot be in what is printed.
SAID = " ".join(text for name, text in ESCAPES.items() if "surrogate" not in name)
BROKEN = f"def broken(*args): raise RuntimeError({SAID!r})\n"
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT]
SCREENS = {"replay": b"00:48.263", "list": b" failed", "comparison": b"locked", "opening": b"reading"}
NEVER_READ = (
    "import time\nfrom replay.run import ReplayRun\n"
    "def wait(self, path, progress):\n    while True: progress(0.1); time.sleep(0.02)\n"
    "ReplayRun.__init__ = wait\n"
)


def modes_left_on(output: bytes) -> set[bytes]:
    """Private modes that are not as they were at the start."""
    last: dict[bytes, bytes] = {}
    for found in _MODE.finditer(output):
        last |= dict.fromkeys(found[1].split(b";"), found[2])
    assert {b"1049", b"1000", b"1006", b"2004", b"25"} <= set(last), "nothing was turned on"
    return {mode for mode, state in last.items() if (state == LEFT_ON) != (mode in SHOWN)}


class Restored(PtyApp):
    """Ends, whatever ended it, with the terminal as it found it."""

    def __init__(self, program: str, *paths: Path) -> None:
        super().__init__([sys.executable, "-c", program, *map(str, paths)])
        self._before = termios.tcgetattr(self._master)

    def taken_over(self, shown: bytes, quiet_s: float = 0.3) -> None:
        """It shows something, and the terminal is no more as it was."""
        self.wait_for(shown)
        self.settle(quiet_s)
        assert termios.tcgetattr(self._master) != self._before

    def ends(self) -> int:
        """Its exit code, after all that must be so."""
        code = self.wait()
        assert termios.tcgetattr(self._master) == self._before
        assert modes_left_on(self.output) == set()
        assert self.output.rfind(b"\x1b[<u") > self.output.rfind(b"\x1b[>1u")  # the keyboard protocol
        return code


@pytest.mark.parametrize("where", CRASHES)
def test_a_crash(tmp_path: Path, where: str):
    breaks, keys = CRASHES[where]
    run = build_sample_run(tmp_path)
    with Restored(f"{BROKEN}{breaks}\n{REPLAY}", tmp_path, run) as app:
        app.taken_over("●".encode())
        app.send(keys)
        assert app.ends() == 3
    said = app.output[app.output.rfind(b"\x1b[?1049l") :].decode()
    assert "RuntimeError" in said
    assert harmful_characters(_SEQUENCE.sub("", said)) <= {"\r", "\a"}  # the bell is Textual's
    assert set(_SEQUENCE.findall(said)) <= {"\x1b[<u", *(f"\x1b[?{mode}" for mode in OFF)}


@pytest.mark.parametrize(("number", "screen"), [*((n, "replay") for n in SIGNALS), *((SIGNALS[0], name) for name in SCREENS)])
def test_a_signal(tmp_path: Path, number: int, screen: str):
    left, right = build_pair(tmp_path)
    program = {
        "replay": REPLAY,
        "list": REPLAY,
        "comparison": "import sys, pathlib; from replay.start import run_app; a, b, c = map(pathlib.Path, sys.argv[1:]);"
        "sys.exit(run_app(a, b, against=c))",
        "opening": NEVER_READ + REPLAY,
    }[screen]
    paths = {"list": (), "comparison": (left, right)}.get(screen, (left,))
    with Restored(program, tmp_path, *paths) as app:
        app.taken_over(SCREENS[screen], 0.05 if screen == "opening" else 0.3)  # there a bar grows
        if screen in ("replay", "comparison"):
            app.send(b" ", quiet_s=0)  # it plays
        app.signal(number)
        assert app.ends() == 128 + number
    assert b"Traceback" not in app.output


def test_it_can_be_stopped_and_taken_up_again(tmp_path: Path):
    run = build_sample_run(tmp_path)
    with Restored(REPLAY, tmp_path, run) as app:
        app.taken_over("●".encode())
        app.send(b"n")
        app.wait_for(b"20.901")
        app.signal(signal.SIGTSTP)
        app.settle(0.5)
        assert modes_left_on(app.output) <= {b"2048"}
        app.signal(signal.SIGCONT)
        app.settle(0.5)
        before = len(app.output)
        app.send(b",", quiet_s=0.3)
        assert b"20.801" in app.output[before:]
        app.send(b"q")
        assert app.ends() == 0
