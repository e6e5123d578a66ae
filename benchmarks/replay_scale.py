"""Replaying very large runs: first frame, memory, keys, and search, in a pseudo-terminal as a user has it.

    python -m benchmarks.replay_scale [--turns 50000] [--scratch FOLDER] [--terminal-mb 200]
    python -m benchmarks.replay_scale --only-peers --peer "mini-extra inspector FILE" [--peer "tv ui"]

`replay_peers` installs and measures peers by itself; here any other program can stand beside.

A run of 1,000,000 spans and 50,000 model calls, then one of 200,001 spans (100,000 steps). Each is opened without its index and
then with it; the first has a terminal recording as well, if its size is given. A key's time is that of the processor, from the
key to the end of what it draws, beside wall time: on a machine that does other work only the former tells anything.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._bare_app import BARE_APP, BARE_WORD
from benchmarks._big_runs import build_run
from benchmarks._terminal import STEP_GOAL_MS, Terminal
from benchmarks._timing import percentile, row
from tests.support.casts import write_cast

_ENTRY = "import sys, pathlib; from replay.start import run_app; sys.exit(run_app(*map(pathlib.Path, sys.argv[1:])))"
_SEED, _RATE_HZ = 20_260_617, 20.0  # so that a long recording is about as long as the run


def measure(run: Path, *, first_goal: str, memory_goal: str, presses: int) -> None:
    argv = [sys.executable, "-c", _ENTRY, str(run.parent), str(run)]
    (run / "index.sqlite").unlink(missing_ok=True)
    for name, goal in (("not indexed", "goal <= 60 s"), ("indexed", first_goal)):
        with Terminal(argv) as terminal:
            shown_s, cpu_s = terminal.until(b"execute_tool", b"agent.turn", b"chat #"), terminal.cpu_s()
            row(f"first paint, {name}", f"{terminal.painted_s or shown_s:.2f} s")
            row(f"first frame, {name}", f"{shown_s:.2f} s", goal)
            row(f"  processor time until then, {name}", f"{cpu_s:.2f} s")
            terminal.rest()
            row(f"  processor time until all is read, {name}", f"{terminal.cpu_s():.2f} s")
            row(f"  resident (at most), {name}", "{} ({}) MB".format(*terminal.memory_mb()), memory_goal)
            if name == "indexed":
                _keys(terminal, presses)
                row("  resident (at most), afterwards", "{} ({}) MB".format(*terminal.memory_mb()), memory_goal)


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


def _press_many(
    terminal: Terminal, what: str, key: bytes, presses: int, goal: str = f"goal p99 <= {STEP_GOAL_MS:.0f} ms"
) -> None:
    times = [terminal.press(key) for _ in range(presses)]
    for kind, values in (("wall", [wall for wall, _ in times]), ("processor", [cpu for _, cpu in times])):
        shown = f"{percentile(values, 0.5):.1f} / {percentile(values, 0.99):.1f} ms"
        row(f"{what}, {kind}, p50 / p99", shown, goal)


def measure_peer(command: str, presses: int, *, word: bytes, keys: str) -> None:
    """`keys` open the trajectory from what is shown first."""
    print(f"\npeer: {command}", flush=True)
    with Terminal(shlex.split(command)) as terminal:
        shown_s = terminal.until(word)
        row("first paint", f"{terminal.painted_s or shown_s:.2f} s")
        row(f"{word.decode(errors='replace')!r} shown", f"{shown_s:.2f} s")
        terminal.settle()
        row("  processor time until then", f"{terminal.cpu_s():.2f} s")
        for key in keys.encode().decode("unicode_escape"):
            began_s, cpu_s = time.perf_counter(), terminal.cpu_s()
            terminal.press(key.encode())
            terminal.settle(3.0)
            row(f"  after {key!r}, wall", f"{time.perf_counter() - began_s - 3.0:.2f} s")
            row(f"  after {key!r}, processor", f"{terminal.cpu_s() - cpu_s:.2f} s")
        row("  resident (at most)", "{} ({}) MB".format(*terminal.memory_mb()))
        _press_many(terminal, "step", b"\x1b[C", presses)
        _press_many(terminal, "row below", b"j", presses)
        row("  resident (at most), afterwards", "{} ({}) MB".format(*terminal.memory_mb()))


def measure_runs(scratch: Path, turns: int, presses: int, terminal_mb: int) -> None:
    with Terminal([sys.executable, "-c", BARE_APP]) as terminal:
        row("first frame of a Textual app that shows a word", f"{terminal.until(BARE_WORD):.2f} s")
        row("  resident (at most)", "{} ({}) MB".format(*terminal.memory_mb()))
    print(f"\n{turns * 20 + 1:,} spans, {turns:,} calls, {terminal_mb} MB terminal", flush=True)
    run = build_run(scratch, turns, tools=3, quiet=15)
    if terminal_mb:
        write_cast(run / "terminal.cast", terminal_mb * 1_000_000, seed=_SEED, rate_hz=_RATE_HZ)
    measure(run, first_goal="goal <= 1 s", memory_goal="goal <= 400 MB", presses=presses)
    print(f"\n{turns * 4 + 1:,} spans, steps", flush=True)
    run = build_run(scratch, turns * 2, tools=1, quiet=0)
    measure(run, first_goal="goal <= 0.5 s", memory_goal="goal <= 150 MB", presses=presses)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=50_000)
    parser.add_argument("--scratch", type=Path)
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--terminal-mb", type=int, default=0, help="a terminal recording of that size in the first run")
    parser.add_argument("--peer", action="append", default=[], help="a command that opens the same trajectory; repeatable")
    parser.add_argument("--peer-word", default="Step", help="what its first paint shows")
    parser.add_argument("--peer-keys", default="", help="keys that open the trajectory from there")
    parser.add_argument("--only-peers", action="store_true")
    options = parser.parse_args()
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="cabtrace-scale-"))
    try:
        if not options.only_peers:
            measure_runs(scratch, options.turns, options.presses, options.terminal_mb)
        for command in options.peer:
            measure_peer(command, options.presses, word=options.peer_word.encode(), keys=options.peer_keys)
    finally:
        if options.scratch is None:
            shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
