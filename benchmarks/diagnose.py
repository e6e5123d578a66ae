"""`why` and `diff` on runs of 100,000 spans, 10,000 of them model calls and tool calls; beside just reading them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson

from benchmarks._timing import row
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, RunHeader, TaskInfo
from cabtrace.model.span import SpanRecord
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt
from tests.support.sample_run import write_span

SPANS = 100_000
TURNS = 5_000
MS = 1_000_000

_MEASURE = """
import resource, sys, time
from pathlib import Path
from cabtrace.store.reader import RunView
from cabtrace.diagnose.why import diagnose
from cabtrace.diagnose.diff.compare import compare
views = [RunView(Path(p)) for p in sys.argv[2:]]
begin = time.process_time()
for view in views:
    view.spans(), view.calls()
read = time.process_time() - begin
begin = time.process_time()
if sys.argv[1] == "why":
    found = diagnose(views[0]).cause.rule
else:
    divergence = compare(*views).divergence
    found = divergence.kind if divergence else "none"
print(read, time.process_time() - begin, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, found)
"""


def build(store: Path, *, last_command: str) -> Path:
    """A failing run: a conversation of 5,000 turns, and the agent's own chatter around it."""
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
        name: str, kind: str, begin_ms: float, end_ms: float, parent: str | None, span_id: str = "", **attributes: Any
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

    chatter = (SPANS - 2 * TURNS - 3) // TURNS
    for turn in range(TURNS):
        at = turn * 20.0
        command = last_command if turn == TURNS - 1 else f"sed -n {turn}p file.txt"
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
            span(f"agent.step {step}", "", at + step, at + step + 1, container, step=step)
    end = TURNS * 20.0
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
    done = subprocess.run([sys.executable, "-c", _MEASURE, *argv], capture_output=True, text=True, check=True)
    read_s, own_s, peak_mib, found = done.stdout.split()
    return float(read_s), float(own_s), float(peak_mib), found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, same, other = (
            str(build(Path(folder) / name, last_command=command))
            for name, command in (("a", "true"), ("b", "true"), ("c", "false"))
        )
        read_s, why_s, peak, found = measure("why", one)
        row("read one run of 100,000 spans", f"{read_s:.2f} CPU s")
        row(f"why on it ({found})", f"{why_s:.2f} CPU s", "goal <= 1 s")
        row("why, peak memory with the run", f"{peak:,.0f} MiB")
        for words, right in (("equal runs", same), ("runs that part at the last call", other)):
            read_s, diff_s, peak, found = measure("diff", one, right)
            row(f"diff of {words} ({found}), without reading ({read_s:.1f} s)", f"{diff_s:.2f} CPU s", "goal <= 3 s")
            row("diff, peak memory with both runs", f"{peak:,.0f} MiB")


if __name__ == "__main__":
    main()
