"""A trace that grows while it is looked at: how many of its late spans each viewer shows in the end.

All get the same OTLP requests at the same pace: ours through the receiver of a recorded run, which is replayed with `--follow`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks._otlp_http import Sender
from benchmarks._terminal import Terminal
from benchmarks._timing import PYTHON
from benchmarks._trace_view import server, viewer

EVERY_S = 0.25  # between two requests
_PATIENCE_S = 30.0  # without another span shown
_SONAR = "http://127.0.0.1:4318"  # it takes no other port
_TOKEN = "benchmark-token-0123456789"


@dataclass(frozen=True, slots=True)
class Live:
    """A viewer that is on: where its spans go, how its screen counts them, keys that open the trace, and that open it again."""

    terminal: Terminal
    endpoint: str
    counts: re.Pattern[str]
    own: int = 0
    opens: tuple[bytes, ...] = ()
    again: tuple[bytes, ...] = ()

    def shown(self) -> int:
        """Spans of the sent trace on the screen."""
        found = self.counts.search(self.terminal.text())
        return max(int(found.group(1).replace(",", "")) - self.own, 0) if found else 0


@contextmanager
def ours(scratch: Path) -> Iterator[Live]:
    """A run under way with the receiver that an agent sends to."""
    from cabtrace.model import semconv as sc
    from cabtrace.runner.telemetry import AgentTelemetry
    from tests.support.recording import new_recorder

    recorder = new_recorder(scratch)
    cell = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    context = cell.get_span_context()
    telemetry = AgentTelemetry(recorder, f"{context.trace_id:032x}", f"{context.span_id:016x}", _TOKEN)
    telemetry.start()
    path = str(recorder.writer.path)
    try:
        with Terminal([PYTHON, "-m", "cabtrace", "replay", "--store", str(scratch), "--follow", path], watched=True) as terminal:
            yield Live(terminal, telemetry.endpoint("127.0.0.1"), re.compile(r"Spans ([\d,]+)"), own=1)
    finally:
        telemetry.stop()
        recorder.end(cell)
        recorder.writer.close()


@contextmanager
def trace_view(program: str, scratch: Path, env: Mapping[str, str]) -> Iterator[Live]:
    """Server and viewer apart: in one process its log lines scroll its screen away."""
    database = scratch / "live.db"
    with server(program, database, env) as endpoint:
        Sender(endpoint).listening()
        with Terminal(viewer(program, database), env=env, watched=True) as terminal:
            counts = re.compile(r"\[\d+/(\d+)\]")
            yield Live(terminal, endpoint, counts, opens=(b"r", b"\r"), again=(b"r", b"h", b"\r"))


@contextmanager
def sonar(program: str, env: Mapping[str, str]) -> Iterator[Live]:
    with Terminal([program], env=env, watched=True) as terminal:
        yield Live(terminal, _SONAR, re.compile(r"(\d+) spans"))


def measure(live: Live, lines: Path, spans: int, timeout_s: float, add: Callable[[str, float | str, str, str], None]) -> None:
    """`add` takes demand, value, unit, goal. Raises OSError or TimeoutError."""
    until_s = time.perf_counter() + timeout_s
    sender = Sender(live.endpoint)
    try:
        sender.listening()
        live.terminal.watch(2.0)
        cpu_s = live.terminal.cpu_s()
        with lines.open(encoding="utf-8") as read:
            for number, line in enumerate(read):
                sender.send([line])
                live.terminal.watch(EVERY_S)
                if not number:
                    _type(live, live.opens)
                if time.perf_counter() > until_s:
                    raise TimeoutError(f"not all spans taken within {timeout_s:.0f} s")
    finally:
        sender.close()
    sent_s = time.perf_counter()
    shown, late_s = _wait(live, spans, until_s), time.perf_counter() - sent_s
    add(f"live: of {spans:,} late spans shown in the end", shown, "spans", f"{spans:,}")
    add("live: processor time of the viewer", live.terminal.cpu_s() - cpu_s, "s", "")
    add("live: from the last one sent until all are shown", late_s if shown >= spans else "never", "s", "")
    add("live: resident", live.terminal.memory_mb()[0], "MB", "")
    if live.again and shown < spans:
        _type(live, live.again)
        live.terminal.watch(5.0)
        add("live: shown once it is opened again by hand", live.shown(), "spans", "")


def _type(live: Live, keys: tuple[bytes, ...]) -> None:
    for key in keys:
        live.terminal.watch(1.0)
        live.terminal.send(key)
    live.terminal.watch(1.0)


def _wait(live: Live, spans: int, until_s: float) -> int:
    """The count, once it is complete or has not grown for long."""
    shown, grew_s = live.shown(), time.perf_counter()
    while shown < spans and time.perf_counter() < min(until_s, grew_s + _PATIENCE_S):
        live.terminal.watch(0.25)
        if live.shown() > shown:
            shown, grew_s = live.shown(), time.perf_counter()
    return shown
