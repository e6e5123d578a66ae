"""Replaying very large runs: first frame, memory, keys, and search, in a pseudo-terminal as a user has it.

    python -m benchmarks.replay_scale [--turns 50000] [--scratch FOLDER] [--peer "mini-extra inspector FILE"]

A run of 1,000,000 spans and 50,000 model calls, then one of 200,001 spans (100,000 steps). Each is opened without its index and
then with it. A key's time is that of the processor, from the key to the end of what it draws, beside wall time: on a machine that
does other work only the former tells anything.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import shlex
import shutil
import struct
import sys
import tempfile
import termios
import time
from pathlib import Path

from benchmarks._big_runs import build_run
from benchmarks._timing import percentile, row

_ENTRY = "import sys, pathlib; from replay.start import run_app; sys.exit(run_app(*map(pathlib.Path, sys.argv[1:])))"
_QUIET_S = 0.04


class Terminal:
    """A program in a pseudo-terminal of 120 x 40."""

    def __init__(self, argv: list[str]) -> None:
        self.began_s = time.perf_counter()
        self.child, self._master = pty.fork()
        if self.child == 0:
            os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
            os.execvp(argv[0], argv)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def until(self, *words: bytes, timeout_s: float = 300.0) -> float:
        """Seconds since the start when one of the words was painted."""
        seen = b""
        while time.perf_counter() - self.began_s < timeout_s:
            if select.select([self._master], [], [], 0.02)[0]:
                seen = seen[-4096:] + os.read(self._master, 65536)
                if any(word in seen for word in words):
                    return time.perf_counter() - self.began_s
        raise TimeoutError(f"none of {words} within {timeout_s} s: {seen[-300:]!r}")

    def settle(self, quiet_s: float = 1.0) -> None:
        """Until nothing more is painted."""
        while select.select([self._master], [], [], quiet_s)[0]:
            os.read(self._master, 65536)

    def press(self, key: bytes) -> tuple[float, float]:
        """Wall and processor milliseconds until what the key paints is there."""
        cpu_s, began_s = self.cpu_s(), time.perf_counter()
        os.write(self._master, key)
        ended_s = began_s
        while select.select([self._master], [], [], 1.0 if ended_s == began_s else _QUIET_S)[0]:
            os.read(self._master, 65536)
            ended_s = time.perf_counter()
        return (ended_s - began_s) * 1e3, (self.cpu_s() - cpu_s) * 1e3

    def cpu_s(self) -> float:
        """Processor time so far, of all threads."""
        threads = Path(f"/proc/{self.child}/task").iterdir()
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def memory_mb(self) -> tuple[int, int]:
        """Resident now, and the most so far."""
        lines = Path(f"/proc/{self.child}/status").read_text().splitlines()
        found = {line.split(":")[0]: int(line.split()[1]) // 1024 for line in lines if line.startswith(("VmRSS", "VmHWM"))}
        return found["VmRSS"], found["VmHWM"]

    def end(self) -> None:
        """Kills it."""
        os.kill(self.child, 9)
        os.waitpid(self.child, 0)
        os.close(self._master)


def measure(run: Path, *, first_goal: str, memory_goal: str, presses: int) -> None:
    argv = [sys.executable, "-c", _ENTRY, str(run.parent), str(run)]
    (run / "index.sqlite").unlink(missing_ok=True)
    for name, goal in (("not indexed", "goal <= 60 s"), ("indexed", first_goal)):
        terminal = Terminal(argv)
        shown_s, cpu_s = terminal.until(b"execute_tool", b"agent.turn", b"chat #"), terminal.cpu_s()
        row(f"first frame, {name}", f"{shown_s:.2f} s", goal)
        row(f"  processor time until then, {name}", f"{cpu_s:.2f} s")
        terminal.settle()
        row(f"  resident (at most), {name}", "{} ({}) MB".format(*terminal.memory_mb()), memory_goal)
        if name == "indexed":
            _keys(terminal, presses)
            row("  resident (at most), afterwards", "{} ({}) MB".format(*terminal.memory_mb()), memory_goal)
        terminal.end()


def _keys(terminal: Terminal, presses: int) -> None:
    _press_many(terminal, "step to the next span", b"\x1b[C", presses)
    _press_many(terminal, "jump to the next error", b"n", presses)
    terminal.press(b"/")
    for letter in "exit code 101":
        terminal.press(letter.encode())
    began_s = time.perf_counter()
    terminal.press(b"\r")
    row("search, until the first hit", f"{time.perf_counter() - began_s:.2f} s")
    terminal.settle(3.0)
    _press_many(terminal, "next hit", b"\x1b[B", presses)


def _press_many(terminal: Terminal, what: str, key: bytes, presses: int) -> None:
    times = [terminal.press(key) for _ in range(presses)]
    for kind, values in (("wall", [wall for wall, _ in times]), ("processor", [cpu for _, cpu in times])):
        shown = f"{percentile(values, 0.5):.1f} / {percentile(values, 0.99):.1f} ms"
        row(f"{what}, {kind}, p50 / p99", shown, "goal p99 <= 50 ms" if kind == "processor" else "")


def measure_peer(command: str, presses: int) -> None:
    terminal = Terminal(shlex.split(command))
    row("peer: first paint", f"{terminal.until(b'Step', b'step', b'span'):.2f} s")
    terminal.settle(2.0)
    row("peer: resident (at most)", "{} ({}) MB".format(*terminal.memory_mb()))
    _press_many(terminal, "peer: step", b"\x1b[C", presses)
    terminal.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=50_000)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--peer", help="a command that opens the same trajectory")
    options = parser.parse_args()
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="cabtrace-scale-"))
    try:
        for title, turns, tools, quiet, goals in (
            (
                f"{options.turns * 20 + 1:,} spans, {options.turns:,} calls",
                options.turns,
                3,
                15,
                ("goal <= 1 s", "goal <= 400 MB"),
            ),
            (f"{options.turns * 4 + 1:,} spans, steps", options.turns * 2, 1, 0, ("goal <= 0.5 s", "goal <= 150 MB")),
        ):
            print(f"\n{title}", flush=True)
            run = build_run(scratch, turns, tools=tools, quiet=quiet)
            measure(run, first_goal=goals[0], memory_goal=goals[1], presses=options.presses)
        if options.peer:
            print("\npeer", flush=True)
            measure_peer(options.peer, options.presses)
    finally:
        if options.scratch is None:
            shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
