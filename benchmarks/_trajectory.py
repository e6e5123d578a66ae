"""One agent's session by a seed, as OTLP JSON lines. The same steps in another format: `_trajectory_mini`.

A step is a model call, a tool call and what came of it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks._big_runs import START_NS, WORDS

SPANS_A_LINE = 500
_SEED = 20_260_618
_TRACE = "5e0c9d27a41f4b7c8e63d2f10b9a7c45"
_ROOT = f"{1:016x}"
MODEL = "vendor/model"
_COMMANDS = ("pytest -q tests/test_{}.py -k {}", "sed -n 1,80p src/{}/{}.py", "grep -rn {} src/{}")


@dataclass(frozen=True, slots=True)
class Step:
    """Times in nanoseconds since the epoch."""

    number: int
    asked_ns: int
    answered_ns: int
    ended_ns: int
    input_tokens: int
    output_tokens: int
    said: str
    command: str
    output: str
    exit_code: int


def steps(count: int, start_ns: int = START_NS) -> Iterator[Step]:
    dice = random.Random(_SEED)
    now_ns = start_ns
    for number in range(1, count + 1):
        asked_ns, answered_ns = now_ns, now_ns + dice.randint(900, 5_500) * 1_000_000
        ended_ns = answered_ns + dice.randint(20, 2_000) * 1_000_000
        failed = number % 37 == 0
        output = "\n".join(" ".join(dice.choices(WORDS, k=dice.randint(6, 14))) for _ in range(dice.randint(4, 16)))
        yield Step(
            number,
            asked_ns,
            answered_ns,
            ended_ns,
            input_tokens=min(2_000 + 150 * number, 190_000),
            output_tokens=dice.randint(60, 420),
            said=" ".join(dice.choices(WORDS, k=dice.randint(20, 55))) + ".",
            command=dice.choice(_COMMANDS).format(dice.choice(WORDS), dice.choice(WORDS)),
            output=output + "\nAssertionError: expected another value" * failed,
            exit_code=int(failed),
        )
        now_ns = ended_ns + 50_000_000


def _span(
    span_id: str, parent: str, name: str, times: tuple[int, int], error: bool, attributes: dict[str, Any]
) -> dict[str, Any]:
    values = [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in attributes.items()
    ]
    status: dict[str, Any] = {"code": 2, "message": "exit code 1"} if error else {"code": 1}
    above = {"parentSpanId": parent} if parent else {}
    return {
        "traceId": _TRACE, "spanId": span_id, **above, "name": name, "kind": 1, "startTimeUnixNano": str(times[0]),
        "endTimeUnixNano": str(times[1]), "attributes": values, "status": status,
    }  # fmt: skip


def _spans(count: int, start_ns: int) -> Iterator[dict[str, Any]]:
    """As they end: 2 a step, and the session's own span last."""
    ended_ns = start_ns
    for step in steps(count, start_ns):
        ended_ns, call_id = step.ended_ns, f"call_{step.number}"
        said = [{"role": "assistant", "parts": [{"type": "text", "content": step.said}], "finish_reason": "tool_calls"}]
        chat = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "vendor",
            "gen_ai.request.model": MODEL,
            "gen_ai.usage.input_tokens": step.input_tokens,
            "gen_ai.usage.output_tokens": step.output_tokens,
            "gen_ai.conversation.id": _TRACE,
            "gen_ai.output.messages": json.dumps(said),
        }
        tool = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "bash",
            "gen_ai.tool.call.id": call_id,
            "gen_ai.conversation.id": _TRACE,
            "gen_ai.tool.call.arguments": json.dumps({"command": step.command}),
            "gen_ai.tool.call.result": step.output,
            "process.exit.code": step.exit_code,
        }
        first = step.number * 2
        yield _span(f"{first:016x}", _ROOT, f"chat {MODEL}", (step.asked_ns, step.answered_ns), False, chat)
        times = (step.answered_ns, step.ended_ns)
        yield _span(f"{first + 1:016x}", _ROOT, "execute_tool bash", times, step.exit_code != 0, tool)
    session = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "agent", "gen_ai.conversation.id": _TRACE}
    yield _span(_ROOT, "", "invoke_agent agent", (start_ns, ended_ns), False, session)


def write_otlp(path: Path, count: int, *, spans_a_line: int = SPANS_A_LINE, start_ns: int = START_NS) -> int:
    """OTLP JSON lines; how many spans: 2 a step and one."""
    service = {"attributes": [{"key": "service.name", "value": {"stringValue": "agent"}}]}
    written, line = 0, []
    with path.open("w", encoding="utf-8") as out:
        for span in chain(_spans(count, start_ns), [None]):
            if span is not None:
                line.append(span)
            if line and (span is None or len(line) == spans_a_line):
                scopes = [{"scope": {"name": "benchmark"}, "spans": line}]
                out.write(
                    json.dumps({"resourceSpans": [{"resource": service, "scopeSpans": scopes}]}, separators=(",", ":")) + "\n"
                )
                written, line = written + len(line), []
    return written
