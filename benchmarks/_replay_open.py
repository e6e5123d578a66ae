"""Opening one trajectory and stepping through it: ours without and with its index, mini-swe-agent's inspector, trace-view."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks._otlp_http import Sender
from benchmarks._table import OURS, Table
from benchmarks._terminal import STEP_GOAL_MS, Terminal
from benchmarks._timing import PYTHON, percentile
from benchmarks._trace_view import server
from benchmarks._trace_view import viewer as viewer_of
from benchmarks._trajectory_mini import ASKED

_PATIENCE_S = 10.0
_STEP_GOAL = f"p99 <= {STEP_GOAL_MS:.0f} ms"


@dataclass(frozen=True, slots=True)
class Viewer:
    """A program, what it shows of the trajectory first, and its keys. `opens` is what its list of trajectories shows, if any."""

    name: str
    argv: list[str]
    content: bytes
    step: bytes
    env: Mapping[str, str] | None = None
    opens: bytes = b""


@dataclass(frozen=True, slots=True)
class Opening:
    """How often it is opened and a key is pressed, and seconds that one measure may take."""

    times: int
    presses: int
    timeout_s: float


def ours(run: Path, store: Path) -> Viewer:
    argv = [PYTHON, "-m", "cabtrace", "replay", "--store", str(store), str(run)]
    return Viewer(OURS, argv, content=b"chat #", step=b"\x1b[C")


def mini(program: str, trajectory: Path, env: Mapping[str, str]) -> Viewer:
    return Viewer(
        "mini-swe-agent", [program, "inspector", str(trajectory)], content=ASKED.split()[0].encode(), step=b"\x1b[C", env=env
    )


def trace_view(program: str, database: Path, spans: int, env: Mapping[str, str]) -> Viewer:
    argv = viewer_of(program, database)
    return Viewer("trace-view", argv, content=b"ASSISTANT", step=b"j", env=env, opens=f"({spans})".encode())


def import_ours(lines: Path, store: Path, spans: int, table: Table, timeout_s: float) -> Path:
    """The run that `cabtrace import otlp` makes of the lines."""
    began_s = time.perf_counter()
    argv = [PYTHON, "-m", "cabtrace", "import", "otlp", str(lines), "--store", str(store)]
    subprocess.run(argv, check=True, capture_output=True, timeout=timeout_s)
    table.add(f"{spans:,} OTLP spans taken in", OURS, time.perf_counter() - began_s, "s", "ours: of a file, without secrets")
    return next(store.rglob("run.json")).parent


def feed_trace_view(
    program: str, lines: Path, database: Path, spans: int, table: Table, env: Mapping[str, str], timeout_s: float
) -> None:
    """Its server takes the same lines; to be called in a network namespace only, see `server`.

    Raises OSError or TimeoutError where it does not take them.
    """
    with server(program, database, env) as endpoint, closing(Sender(endpoint)) as sender, lines.open(encoding="utf-8") as read:
        sender.listening()
        began_s = time.perf_counter()
        for line in read:
            sender.send([line])
            if time.perf_counter() - began_s > timeout_s:
                raise TimeoutError(f"not all spans taken within {timeout_s:.0f} s")
        table.add(f"{spans:,} OTLP spans taken in", "trace-view", time.perf_counter() - began_s, "s")
        time.sleep(2.0)  # it writes in batches, after it answered


def measure(viewer: Viewer, options: Opening, add: Callable[[str, float | str, str, str], None]) -> None:
    """Opens some times, of which the medians count, rests, steps. `add` takes demand, value, unit, goal. Raises TimeoutError."""
    opened: list[tuple[float, float, float]] = []
    for _ in range(options.times - 1):
        with Terminal(viewer.argv, env=viewer.env) as terminal:
            opened.append(_open(terminal, viewer, options.timeout_s))
    with Terminal(viewer.argv, env=viewer.env) as terminal:
        opened.append(_open(terminal, viewer, options.timeout_s))
        painted_s, shown_s, cpu_s = (statistics.median(column) for column in zip(*opened, strict=True))
        add("first paint", painted_s, "s", "")
        add("open to first content", shown_s, "s", "<= 0.5 s")
        add("open to first content, processor", cpu_s, "s", "")
        terminal.rest(options.timeout_s)
        now_mb, most_mb = terminal.memory_mb()
        add("resident once open", now_mb, "MB", "<= 150 MB")
        add("resident at most until then", most_mb, "MB", "")
        times = _steps(terminal, viewer.step, options)
        for kind, values in (("wall", [wall for wall, _ in times]), ("processor", [cpu for _, cpu in times])):
            add(f"step key, {kind}, p50", percentile(values, 0.5), "ms", "")
            add(f"step key, {kind}, p99", percentile(values, 0.99), "ms", _STEP_GOAL)
        add("resident after the steps", terminal.memory_mb()[0], "MB", "<= 150 MB")


def _open(terminal: Terminal, viewer: Viewer, timeout_s: float) -> tuple[float, float, float]:
    """Seconds until anything was painted and until content was, and processor seconds until then."""
    if viewer.opens:
        terminal.until(viewer.opens, timeout_s=timeout_s)
        terminal.send(b"\r")
    shown_s = terminal.until(viewer.content, timeout_s=timeout_s)
    return terminal.painted_s or shown_s, shown_s, terminal.cpu_s()


def _steps(terminal: Terminal, key: bytes, options: Opening) -> list[tuple[float, float]]:
    """Wall and processor milliseconds of each press, of as many as the time allows."""
    times: list[tuple[float, float]] = []
    until_s = time.perf_counter() + options.timeout_s
    while len(times) < options.presses and time.perf_counter() < until_s:
        times.append(terminal.press(key, patience_s=_PATIENCE_S))
        if not times[-1][0]:
            raise TimeoutError(f"a key painted nothing within {_PATIENCE_S:.0f} s")
    return times


def measure_unindexed(viewer: Viewer, run: Path, options: Opening, add: Callable[[str, float | str, str, str], None]) -> None:
    """The first opening, which leaves an index behind if the run is worth one. Raises TimeoutError."""
    index = run / "index.sqlite"
    index.unlink(missing_ok=True)
    with Terminal(viewer.argv) as terminal:
        shown_s = terminal.until(viewer.content, timeout_s=options.timeout_s)
        add("not indexed: first paint", terminal.painted_s or shown_s, "s", "")
        add("not indexed: open to first content", shown_s, "s", "<= 60 s")
        terminal.rest(options.timeout_s)
        add("not indexed: until all is read, processor", terminal.cpu_s(), "s", "")
        add("not indexed: resident at most", terminal.memory_mb()[1], "MB", "<= 150 MB")
    kept = index.stat().st_size / 1e6 if index.exists() else "none, so small is it"
    add("not indexed: index kept for the next time", kept, "MB", "")
