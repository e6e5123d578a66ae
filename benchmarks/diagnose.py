"""`why` and `diff` on runs of 100,000 spans, `triage` of 1,000 cells: the whole commands, reading included.

Beside them, in the same run, what only parsing the lines of such a run takes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson

from benchmarks._timing import PYTHON, row
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, RunHeader, TaskInfo
from cabtrace.model.span import SpanRecord
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt
from tests.support.sample_run import write_span

SPANS = 100_000
SPANS_A_TURN = 20
CELLS = 1_000
MS = 1_000_000

# What Codex says with each of its own spans.
_CHATTY: dict[str, Any] = {
    "code.file.path": "exec-server/src/local_file_system.rs",
    "code.module.name": "codex_exec_server::local_file_system",
    "code.line.number": 202,
    "thread.id": 3,
    "thread.name": "tokio-rt-worker",
    "target": "codex_exec_server::local_file_system",
    "sandboxed": False,
    "busy_ns": 7797,
    "idle_ns": 2303,
    "cabtrace.source": "telemetry",
}


def build(
    store: Path, *, last_command: str, chatty: bool = False, spans: int = SPANS, turns: int = SPANS // SPANS_A_TURN
) -> Path:
    """A failing run: a conversation of so many turns, and the agent's own spans around it, with one attribute or with eleven."""
    clock = RunClock.start()
    cell = CellId("benchmark", "reference", "vendor/model", "unit/task")
    path, attempt = allocate_attempt(store, cell)
    header = RunHeader(
        run_id=f"{attempt:032x}", cell_id=str(cell), sweep_id=cell.sweep, attempt=attempt, task=TaskInfo(id=cell.task),
        agent=AgentInfo(name=cell.agent), model=cell.model, started_at=iso_utc(clock.wall_ns), clock=clock.to_model(),
    )  # fmt: skip
    writer = RunWriter(path, header)
    start = clock.wall_ns
    root, container = f"{1:016x}", f"{2:016x}"
    number = 2

    def span(
        name: str, kind: str, begin_ms: float, end_ms: float, parent: str | None, span_id: str = "", /, **attributes: Any
    ) -> str:
        nonlocal number
        number += 1
        span_id = span_id or f"{number:016x}"
        values = {sc.SPAN_KIND: kind, **attributes} if kind else attributes
        record = SpanRecord(
            "1" * 32, span_id, parent, name, start + int(begin_ms * MS), start + int(end_ms * MS), attributes=values
        )
        write_span(writer, record)
        return span_id

    chatter = (spans - 2 * turns - 3) // turns
    for turn in range(turns):
        at = turn * 20.0
        command = last_command if turn == turns - 1 else f"sed -n {turn}p file.txt"
        call_id = span(
            "chat vendor/model", "model_call", at, at + 8, container,
            **{sc.CALL_INDEX: turn + 1, sc.CALL_API: "openai.chat", sc.CALL_REQUEST_HASH: f"{turn:064x}", sc.HTTP_STATUS: 200,
               sc.GEN_AI_INPUT_TOKENS: 100 + turn, sc.GEN_AI_OUTPUT_TOKENS: 20, sc.GEN_AI_FINISH_REASONS: ["tool_calls"]},
        )  # fmt: skip
        arguments = orjson.dumps({"command": command}).decode()
        part = {"type": "tool_call", "id": f"call_{turn}", "name": "shell", "arguments": {"command": command}}
        for kind, content in (
            (
                "request",
                {
                    "index": turn + 1,
                    "path": "/v1/chat/completions",
                    "body": {"turn": turn},
                    "input_messages": [{"role": "tool", "parts": []}],
                },
            ),
            ("response", {"status": 200, "error": "", "output_messages": [{"role": "assistant", "parts": [part]}]}),
        ):
            writer.append(
                "calls", orjson.dumps({"call_id": call_id, "type": kind, "t_ns": start, **content}) + b"\n", durable=False
            )
        span(
            "execute_tool shell", "tool_call", at + 8, at + 19, container,
            **{sc.GEN_AI_TOOL_NAME: "shell", sc.GEN_AI_TOOL_ARGUMENTS: arguments,
               sc.GEN_AI_TOOL_RESULT: f"line {turn}\n[exit code {turn % 7 == 0:d}]",
               sc.TOOL_CALL_ASKED_BY: call_id},
        )  # fmt: skip
        for step in range(chatter):
            more: dict[str, Any] = {"step": step, **_CHATTY} if chatty else {"step": step}
            span(f"agent.step {step}", "", at + step, at + step + 1, container, **more)
    end = turns * 20.0
    span("reference:launch", "container", 0, end, root, container)
    span("cell reference unit/task", "cell", 0, end + 1, None, root)
    writer.close(
        status="finished",
        ended_at=iso_utc(start),
        duration_s=end / 1e3,
        verdict=Verdict.FAILED,
        cause=Cause.TESTS_FAILED,
        exit_code=0,
    )
    return path


def measure(*argv: str) -> tuple[float, float, float, str]:
    """Seconds of wall clock and of CPU, peak MiB, and what the command prints: all of it, as from a shell."""
    begin = time.perf_counter()
    child = subprocess.Popen([PYTHON, "-m", "cabtrace", *argv], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    wall_s = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, argv
    cpu_s = used.ru_utime + used.ru_stime
    return wall_s, cpu_s, used.ru_maxrss / 1024, said


def best(*argv: str, runs: int = 3) -> tuple[float, float, float, str]:
    """Of some runs the one that was disturbed the least."""
    return min((measure(*argv) for _ in range(runs)), key=lambda measured: measured[0])


def show(what: str, measured: tuple[float, float, float, str], expected: str, goal: str) -> None:
    wall_s, cpu_s, peak_mib, said = measured
    assert expected in said, said[:2_000]
    row(what, f"{wall_s:.2f} s", goal)
    row("  CPU, peak memory", f"{cpu_s:.2f} s, {peak_mib:,.0f} MiB")


_ONLY_PARSE = """
import sys, orjson
with open(sys.argv[1], "rb") as lines:
    print(sum(1 for line in lines if orjson.loads(line)))
"""


def only_parse(run: str, runs: int = 3) -> float:
    """Seconds of wall clock for an interpreter that parses each line of a run's trace and does nothing with it."""
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run([PYTHON, "-c", _ONLY_PARSE, str(Path(run) / "trace.jsonl")], check=True, capture_output=True)
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=SPANS, help="of a run")
    parser.add_argument("--cells", type=int, default=CELLS, help="that are triaged")
    options = parser.parse_args()
    spans, turns, cells = options.spans, options.spans // SPANS_A_TURN, options.cells
    print(f"whole commands from the shell, runs of {spans:,} spans of which {2 * turns:,} are model calls and tool calls")
    with tempfile.TemporaryDirectory() as folder:
        names = {"a": "true", "b": "true", "c": "false"}
        sizes = {"spans": spans, "turns": turns}
        one, same, other = (str(build(Path(folder) / n, last_command=command, **sizes)) for n, command in names.items())
        chatty = str(build(Path(folder) / "d", last_command="true", chatty=True, **sizes))
        row("only parsing the lines of one run", f"{only_parse(one):.2f} s")
        row("only parsing, eleven attributes on each span", f"{only_parse(chatty):.2f} s")
        cause = "ignored_tool_error" if spans == SPANS else ""  # which of the calls fail depends on how many there are
        show("why", best("why", one), f"Cause: {cause}", "goal <= 1 s")
        show("why, eleven attributes on each span", best("why", chatty), "Cause: ", "")
        show("diff of equal runs", best("diff", one, same), "no divergence", "goal <= 3 s")
        show("diff of runs that part at the last call", best("diff", one, other), f"At model call {turns}", "goal <= 3 s")
        show("diff, eleven attributes on each span", best("diff", chatty, chatty), "no divergence", "")
        store = Path(folder) / "many"
        for number in range(cells):
            build(store, last_command=f"cat {number % 40}", spans=100, turns=10)
        show(f"triage of {cells:,} failing cells", best("triage", "--store", str(store)), f"{cells} of {cells} cells failed", "")
        shutil.copytree(chatty, store / "one" / "large" / "1")
        show("triage with one such run among them", best("triage", "--store", str(store)), f"{cells + 1} of {cells + 1}", "")


if __name__ == "__main__":
    main()
