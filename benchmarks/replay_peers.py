"""The replay beside its peers, in one run, on one generated trajectory: opening, stepping, seeking, following.

    python -m benchmarks replay_peers [--steps 100000] [--cast-mb 156] [--scratch FOLDER]

A step is a model call, a tool call and what came of it: 100,000 are 200,001 spans. The peers are installed by pip, at pinned
versions, into the scratch folder; one that cannot be had is said and left out. All run in pseudo-terminals of 120 x 40, at a home
of their own, with only a loopback to talk to. A measure that takes over `--timeout` seconds is given up, and the table says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks import _replay_cast as cast
from benchmarks import _replay_live as live
from benchmarks import _replay_open as opening
from benchmarks._peers import alone, can_be_alone, install, own_home
from benchmarks._table import OURS, Table
from benchmarks._timing import PYTHON
from benchmarks._trajectory import write_otlp
from benchmarks._trajectory_mini import write_mini

_LISTEN = ("trace-view", "sonar-tui")


class _Session:
    """What all measures share: options, peers, the table."""

    def __init__(self, options: argparse.Namespace, scratch: Path, peers: dict[str, str]) -> None:
        self.options, self.scratch, self.peers = options, scratch, peers
        self.env = own_home(scratch)
        self.table = Table()
        self._began_s = time.perf_counter()

    @contextlib.contextmanager
    def measuring(self, what: str, whose: str) -> Iterator[Callable[[str, float | str, str, str], None]]:
        """Says what goes on; a measure that cannot be taken is a row that says why."""
        print(f"… {time.perf_counter() - self._began_s:5.0f} s: {what}, {whose}", flush=True)
        try:
            yield lambda demand, value, unit, goal: self.table.add(demand, whose, value, unit, goal)
        except (OSError, subprocess.SubprocessError) as error:  # TimeoutError is one
            print(f"  given up: {error}", flush=True)
            self.table.add(f"{what}: not measured", whose, "given up", "")

    def open_and_step(self) -> None:
        options, timeout_s = self.options, self.options.timeout
        lines, trajectory, database = (self.scratch / name for name in ("trace.jsonl", "session.traj.json", "traces.db"))
        spans = write_otlp(lines, options.steps)
        write_mini(trajectory, options.steps)
        pressed = opening.Opening(options.openings, options.presses, timeout_s)
        store = self.scratch / "store"
        with self.measuring("import", OURS):
            run = opening.import_ours(lines, store, spans, self.table, timeout_s)
            viewer = opening.ours(run, store)
            with self.measuring("opening without an index", OURS) as add:
                opening.measure_unindexed(viewer, run, pressed, add)
            with self.measuring("opening and stepping", OURS) as add:
                opening.measure(viewer, pressed, add)
        if program := self.peers.get("mini-swe-agent"):
            with self.measuring("opening and stepping", "mini-swe-agent") as add:
                opening.measure(opening.mini(program, trajectory, self.env), pressed, add)
        if program := self.peers.get("trace-view"):
            with self.measuring("taking in", "trace-view"):
                opening.feed_trace_view(program, lines, database, spans, self.table, self.env, timeout_s)
                with self.measuring("opening and stepping", "trace-view") as add:
                    opening.measure(opening.trace_view(program, database, spans, self.env), pressed, add)

    def play(self) -> None:
        timeout_s, store = self.options.timeout, self.scratch / "recordings"
        run = cast.build(store, self.options.cast_mb * 1_000_000)
        player = cast.ours(run, store)
        with self.measuring("recording without an index", OURS) as add:
            cast.measure_unindexed(player, run, timeout_s, add)
        with self.measuring("recording", OURS) as add:
            cast.measure(player, timeout_s, add)
        if program := self.peers.get("textual-asciinema"):
            with self.measuring("recording", "textual-asciinema") as add:
                cast.measure(cast.textual_asciinema(program, run / "terminal.cast", self.env), timeout_s, add)

    def follow(self) -> None:
        lines = self.scratch / "live.jsonl"
        spans = write_otlp(lines, self.options.live_steps, start_ns=time.time_ns())
        viewers: list[tuple[str, AbstractContextManager[live.Live]]] = [(OURS, live.ours(self.scratch / "live"))]
        if program := self.peers.get("trace-view"):
            viewers.append(("trace-view", live.trace_view(program, self.scratch, self.env)))
        if program := self.peers.get("sonar-tui"):
            viewers.append(("sonar-tui", live.sonar(program, self.env)))
        for whose, started in viewers:
            with self.measuring("live", whose) as add, started as viewer:
                live.measure(viewer, lines, spans, self.options.timeout, add)


def _measure(options: argparse.Namespace) -> None:
    """What runs in the namespace."""
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        session = _Session(options, Path(folder), json.loads(options.measure))
        session.open_and_step()
        session.play()
        session.follow()
    print("\n" + "\n".join(session.table.lines()), flush=True)


def _start(options: argparse.Namespace) -> None:
    """Installs, and measures in a process of its own."""
    peers = install(options.scratch / "peers")
    argv = [PYTHON, "-m", "benchmarks.replay_peers", *sys.argv[1:], "--scratch", str(options.scratch), "--measure"]
    isolated = can_be_alone()
    for name in () if isolated else _LISTEN:
        if peers.pop(name, None):
            print(f"{name} is left out: it listens on every address, and this machine gives no network namespace", flush=True)
    argv.append(json.dumps(peers))
    subprocess.run(alone(argv) if isolated else argv, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--cast-mb", type=int, default=156)
    parser.add_argument("--live-steps", type=int, default=10_000)
    parser.add_argument("--openings", type=int, default=3, help="of which the medians count")
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds that one measure may take")
    parser.add_argument("--scratch", type=Path, help="keeps the peers for the next time; otherwise a temporary folder")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure is not None:
        _measure(options)
        return
    scratch = options.scratch
    options.scratch = Path(scratch or tempfile.mkdtemp(prefix="cabtrace-peers-")).resolve()
    options.scratch.mkdir(exist_ok=True)
    try:
        _start(options)
    finally:
        if scratch is None:
            shutil.rmtree(options.scratch)


if __name__ == "__main__":
    main()
