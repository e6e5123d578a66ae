"""ATIF v1.8, the Agent Trajectory Interchange Format: one JSON document. What it has no word for stands in `extra`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.model.otlp import clean_text
from cabtrace.store.clock import iso_utc
from exporters.transcript import ToolUse, Turn, turns

if TYPE_CHECKING:
    from typing import BinaryIO

    from cabtrace.store.reader import RunView

_VERSION = "ATIF-v1.8"


class AtifExporter:
    """A user step with the task, then one agent step a model call with its tool calls and their results."""

    name = "atif"
    suffix = ".json"

    def export(self, run: RunView, out: BinaryIO) -> None:
        out.write(orjson.dumps(_clean(trajectory(run)), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS) + b"\n")


def trajectory(run: RunView) -> dict[str, Any]:
    """The document, without empty fields."""
    header = run.header
    steps: list[dict[str, Any]] = [{"source": "user", "timestamp": iso_utc(run.start_ns), "message": header.task.instruction}]
    steps += [_step(turn) for turn in turns(run)]
    for number, step in enumerate(steps, 1):
        step["step_id"] = number
    calls = run.calls()
    extra = {
        **header.identity(),
        "trace_id": header.trace_id,
        "verdict": header.verdict,
        "cause": header.cause,
        "cause_detail": header.cause_detail,
        "exit_code": header.exit_code,
        "duration_s": header.duration_s,
        "scores": {axis: score.get("value") for axis, score in header.scores.items()},
    }
    return _without_none(
        {
            "schema_version": _VERSION,
            "session_id": header.run_id,
            "trajectory_id": header.run_id,
            "agent": _without_none(
                {"name": header.agent.name, "version": header.agent.version or "unknown", "model_name": header.model or None}
            ),
            "steps": steps,
            "final_metrics": _without_none(
                {
                    "total_prompt_tokens": _total([c.usage.input for c in calls]),
                    "total_completion_tokens": _total([c.usage.output for c in calls]),
                    "total_cached_tokens": _total([c.usage.cache_read for c in calls]),
                    "total_steps": len(steps),
                }
            ),
            "notes": header.marked(" ".join(run.warnings())).strip() or None,
            "extra": _without_none(extra),
        }
    )


def _step(turn: Turn) -> dict[str, Any]:
    call, usage = turn.call, turn.call.usage
    reasoning = {"reasoning_tokens": usage.reasoning} if usage.reasoning is not None else None
    metrics = _without_none(
        {"prompt_tokens": usage.input, "completion_tokens": usage.output, "cached_tokens": usage.cache_read, "extra": reasoning}
    )
    extra = _without_none(
        {
            "span_id": call.call_id,
            "latency_ms": call.latency_ms,
            "time_to_first_chunk_s": call.time_to_first_chunk_s,
            "finish_reasons": list(call.finish_reasons) or None,
            "error": call.error or None,
            "body_recorded": None if turn.recorded else False,
        }
    )
    results = [_result(use) for use in turn.tools if use.result is not None]
    return _without_none(
        {
            "source": "agent",
            "timestamp": iso_utc(call.started_ns),
            "model_name": call.response_model or call.request_model or None,
            "message": turn.text,
            "reasoning_content": turn.reasoning or None,
            "tool_calls": [_tool_call(use) for use in turn.tools] or None,
            "observation": {"results": results} if results else None,
            "metrics": metrics or None,
            "llm_call_count": 1,
            "extra": extra,
        }
    )


def _tool_call(use: ToolUse) -> dict[str, Any]:
    return {"tool_call_id": use.tool_call_id, "function_name": use.name, "arguments": use.arguments_object()}


def _result(use: ToolUse) -> dict[str, Any]:
    extra = _without_none(
        {
            "exit_code": use.exit_code,
            "error": use.error or None,
            "duration_ms": None if use.duration_ns is None else use.duration_ns / 1e6,
        }
    )
    return _without_none({"source_call_id": use.tool_call_id, "content": use.result, "extra": extra or None})


def _total(values: Sequence[int | None]) -> int | None:
    """A sum, unknown as soon as one of its parts is."""
    known = [v for v in values if v is not None]
    return sum(known) if values and len(known) == len(values) else None


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {clean_text(str(k)): _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**64:
        return str(value)
    return value
