"""A run as rules see it, in memory: spans and bodies that a test writes down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cabtrace.model import semconv as sc
from cabtrace.model.model_call import ModelCall, call_from_span
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import AgentInfo, Clock, RunHeader, TaskInfo
from cabtrace.model.span import SpanRecord
from cabtrace.store.calls import CallBody
from tests.support.spans import BASE_NS, span


def header(**changes: Any) -> RunHeader:
    values = {
        "run_id": "1" * 32, "cell_id": "unit/reference/m/unit/task", "sweep_id": "unit", "task": TaskInfo(id="unit/task"),
        "agent": AgentInfo(name="reference"), "model": "m", "started_at": "2026-06-17T02:31:28Z", "status": "finished",
        "clock": Clock(wall_ns=BASE_NS, monotonic_ns=0), "verdict": Verdict.FAILED, "cause": Cause.TESTS_FAILED, "exit_code": 0,
    }  # fmt: skip
    return RunHeader(**{**values, **changes})


@dataclass
class PlainRun:
    header: RunHeader = field(default_factory=header)
    recorded: Sequence[SpanRecord] = ()
    bodies: Mapping[str, CallBody] = field(default_factory=dict)
    tests: Mapping[str, Any] = field(default_factory=dict)
    changed: Mapping[str, Any] = field(default_factory=dict)
    terminal: str = ""
    diff: str = ""
    aborted: bool = False
    live: bool = False

    @property
    def start_ns(self) -> int:
        return min([s.start_ns for s in self.recorded], default=BASE_NS)

    @property
    def end_ns(self) -> int:
        return max([s.end_ns or s.start_ns for s in self.recorded], default=BASE_NS)

    def spans(self) -> Sequence[SpanRecord]:
        return sorted(self.recorded, key=lambda s: s.start_ns)

    def calls(self) -> Sequence[ModelCall]:
        return [call_from_span(s) for s in self.spans() if s.attributes.get(sc.SPAN_KIND) == sc.SpanKind.MODEL_CALL]

    def call_body(self, call_id: str) -> CallBody:
        return self.bodies.get(call_id, CallBody())

    def changes(self) -> Mapping[str, Any]:
        return self.changed

    def verification(self) -> Mapping[str, Any]:
        return self.tests

    def terminal_text(self, max_chars: int = 4096) -> str:
        return self.terminal[-max_chars:]

    def patch(self) -> str:
        return self.diff


def call(index: int, start_ms: int, end_ms: int | None, **attributes: Any) -> SpanRecord:
    """A model call; `error` makes it a failed one."""
    error = attributes.pop("error", "")
    extra = {sc.ERROR_TYPE: error} if error else {}
    return span(f"c{index}", start_ms, end_ms, kind="model_call", name="chat m", failed=bool(error),
                **{sc.CALL_INDEX: index, sc.CALL_REQUEST_HASH: f"hash-{index}", **extra, **attributes})  # fmt: skip


def tool(span_id: str, start_ms: int, end_ms: int | None, command: str, result: str = "", **attributes: Any) -> SpanRecord:
    """A shell call."""
    values = {sc.GEN_AI_TOOL_NAME: "shell", sc.GEN_AI_TOOL_ARGUMENTS: f'{{"command":"{command}"}}', sc.GEN_AI_TOOL_RESULT: result}
    return span(span_id, start_ms, end_ms, kind="tool_call", name="execute_tool shell", **{**values, **attributes})
