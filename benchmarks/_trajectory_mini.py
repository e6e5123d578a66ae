"""The session of `_trajectory` as mini-swe-agent keeps one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks._trajectory import MODEL, Step, steps

ASKED = "Propagate the parser's errors instead of stopping at the first one"


def write_mini(path: Path, count: int) -> None:
    """A mini-swe-agent trajectory."""
    asked = [{"role": "system", "content": "You work in a shell."}, {"role": "user", "content": ASKED}]
    with path.open("w", encoding="utf-8") as out:
        out.write('{"info":{"mini_version":"2.4.6","exit_status":"Submitted","submission":""},"messages":[')
        out.write(",".join(map(json.dumps, asked)))
        for step in steps(count):
            out.write("".join(f",{json.dumps(message)}" for message in _messages(step)))
        out.write('],"trajectory_format":"mini-swe-agent-1.1"}\n')


def _messages(step: Step) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the model answered, and what it was told."""
    call_id, arguments = f"call_{step.number}", json.dumps({"command": step.command})
    usage = {"prompt_tokens": step.input_tokens, "completion_tokens": step.output_tokens}
    response = {"model": MODEL, "usage": usage, "choices": [{"finish_reason": "tool_calls"}]}
    actions = [{"command": step.command, "tool_call_id": call_id}]
    call = {"id": call_id, "type": "function", "function": {"name": "bash", "arguments": arguments}}
    answered = {"actions": actions, "response": response, "timestamp": step.answered_ns / 1e9}
    shown = f"<returncode>{step.exit_code}</returncode>\n<output>\n{step.output}\n</output>"
    extra = {"returncode": step.exit_code, "timestamp": step.ended_ns / 1e9, "raw_output": step.output}
    return (
        {"role": "assistant", "content": step.said, "tool_calls": [call], "extra": answered},
        {"role": "tool", "tool_call_id": call_id, "content": shown, "extra": extra},
    )
