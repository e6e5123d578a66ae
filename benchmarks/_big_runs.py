"""Runs of any size, the same bytes for the same numbers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TextIO

from cabtrace.model.ids import CellId
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, Clock, RunHeader, SandboxInfo, TaskInfo
from cabtrace.store.clock import iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt

START_NS = 1_781_663_488_314_919_000
TRACE = "58818d09495649df80e6d5be93fbfeca"
# fmt: off
WORDS = [
    "error", "test", "module", "fix", "build", "parse", "index", "value", "result", "token", "branch", "commit", "assert",
    "import", "return", "handler", "buffer", "stream", "session", "config", "cache", "retry", "update", "check", "render",
    "layout", "query", "schema", "worker", "thread", "queue", "patch", "merge", "revert", "trace", "span", "replay",
    "export",
]
# fmt: on
_LINE = (
    '{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"cabtrace"}}}}]}},'
    '"scopeSpans":[{{"scope":{{"name":"cabtrace","version":"0.1.0"}},"spans":[{{"traceId":"{trace}","spanId":"{id:016x}",{parent}'
    '"name":"{name}","kind":1,"startTimeUnixNano":"{start}","endTimeUnixNano":"{end}","attributes":[{attributes}],'
    '"status":{{{status}}}}}]}}]}}]}}\n'
)


def _line(
    span_id: int, parent: int, name: str, times: tuple[int, int], attributes: dict[str, str | int], *, failed: bool = False
) -> str:
    pairs = (
        f'{{"key":"{key}","value":{{"{"stringValue" if isinstance(value, str) else "intValue"}":"{value}"}}}}'
        for key, value in attributes.items()
    )
    return _LINE.format(
        trace=TRACE,
        id=span_id,
        parent=f'"parentSpanId":"{parent:016x}",' if parent else "",
        name=name,
        start=START_NS + times[0],
        end=START_NS + times[1],
        attributes=",".join(pairs),
        status='"code":2,"message":"exit code 101"' if failed else '"code":1',
    )


def new_run(store: Path, task: str) -> RunWriter:
    """A run that was begun; its files can be written beside the writer, which `close_run` closes."""
    cell = CellId("scale", "agent", "model", task)
    path, attempt = allocate_attempt(store, cell)
    header = RunHeader(
        cabtrace_version="0.1.0",
        run_id=f"{len(task):032x}",
        cell_id=str(cell),
        sweep_id="scale",
        attempt=attempt,
        task=TaskInfo(id=task, name=task),
        agent=AgentInfo(name="agent", version="1"),
        model="model",
        sandbox=SandboxInfo(kind="local"),
        trace_id=TRACE,
        started_at=iso_utc(START_NS),
        timeout_s=600.0,
        clock=Clock(wall_ns=START_NS, monotonic_ns=1),
    )
    return RunWriter(path, header)


def close_run(writer: RunWriter, duration_s: float) -> None:
    """It failed."""
    writer.close(
        status="finished", ended_at=iso_utc(START_NS), duration_s=duration_s, verdict=Verdict.FAILED, cause=Cause.TESTS_FAILED
    )


class _Turns:
    """Writes one turn after the other."""

    def __init__(self, trace: TextIO, calls: TextIO, seed: int) -> None:
        self.now_ns = 1_000_000
        self._trace, self._calls = trace, calls
        self._dice = random.Random(seed)
        self._next_id = 0x1000

    def _id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _passes(self, ns: int) -> tuple[int, int]:
        began, self.now_ns = self.now_ns, self.now_ns + ns
        return began, self.now_ns

    def turn(self, number: int, tools: int, quiet: int) -> None:
        """A model call, tool calls, and spans of the agent's own in one of its turns."""
        began, parent = self.now_ns, self._id() if quiet else 1
        self._call(number, parent)
        for tool in range(tools):
            self._tool(parent, failed=(number * tools + tool) % 37 == 0)
        for row in range(quiet):
            name = f"SELECT {self._dice.choice(WORDS)}"
            self._trace.write(_line(self._id(), parent, name, self._passes(900_000), {"db.system.name": "sqlite", "row": row}))
        if quiet:
            kind: dict[str, str | int] = {"cabtrace.span.kind": "agent"}
            self._trace.write(_line(parent, 1, f"agent.turn {number}", (began, self.now_ns), kind))

    def _call(self, number: int, parent: int) -> None:
        call = self._id()
        attributes: dict[str, str | int] = {
            "cabtrace.span.kind": "model_call",
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "vendor/model",
            "cabtrace.call.index": number,
            "gen_ai.usage.input_tokens": 2000 + number % 9000,
            "gen_ai.usage.output_tokens": self._dice.randint(60, 420),
            "cabtrace.call.request_hash": f"{number:08x}9c1e3b7a",
        }
        took = self._passes(self._dice.randint(200, 900) * 1_000_000)
        self._trace.write(_line(call, parent, "chat vendor/model", took, attributes))
        said = " ".join(self._dice.choices(WORDS, k=12))
        self._calls.write(
            f'{{"call_id":"{call:016x}","type":"request","index":{number},"input_messages":[{{"role":"user","parts":'
            f'[{{"type":"text","content":"turn {number}"}}]}}]}}\n{{"call_id":"{call:016x}","type":"response","status":200,'
            f'"output_messages":[{{"role":"assistant","parts":[{{"type":"text","content":"{said}"}}]}}]}}\n'
        )

    def _tool(self, parent: int, *, failed: bool) -> None:
        attributes: dict[str, str | int] = {
            "cabtrace.span.kind": "tool_call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "shell",
            "gen_ai.tool.call.arguments": f"pytest -q tests/test_{self._dice.choice(WORDS)}.py -k {self._dice.choice(WORDS)}",
        }
        took = self._passes(self._dice.randint(5, 300) * 1_000_000)
        self._trace.write(_line(self._id(), parent, "execute_tool shell", took, attributes, failed=failed))


def build_run(store: Path, turns: int, *, tools: int = 1, quiet: int = 0, seed: int = 20260617) -> Path:
    """`turns` times a model call, `tools` tool calls and `quiet` spans of the agent's own, under one root."""
    writer = new_run(store, f"spans-{turns}-{tools}-{quiet}")
    with (writer.path / "trace.jsonl").open("w") as trace, (writer.path / "calls.jsonl").open("w") as calls:
        made = _Turns(trace, calls, seed)
        for number in range(1, turns + 1):
            made.turn(number, tools, quiet)
        trace.write(_line(1, 0, "cell agent task", (0, made.now_ns), {"cabtrace.span.kind": "cell"}, failed=True))
    close_run(writer, made.now_ns / 1e9)
    return writer.path
