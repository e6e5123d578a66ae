"""Codex's rollouts: `sessions/YYYY/MM/DD/rollout-*.jsonl`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from cabtrace.agents.transcripts.collect import Collected, files, records
from cabtrace.agents.transcripts.values import as_text, integer, iso_ns, joined, mapping, text, tokens
from cabtrace.protocols import Transcript

GLOBS = (".codex/sessions/**/rollout-*.jsonl",)
_CALLS = ("function_call", "custom_tool_call", "local_shell_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output", "local_shell_call_output")
_EXIT = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d{1,3})$", re.MULTILINE)


def read(folder: Path) -> Transcript:
    """All sessions below a home."""
    collected = Collected()
    for path in files(folder, GLOBS, collected):
        totals: tuple[int | None, int | None] | None = None
        counted = len(collected.usage)
        for record in records(path, collected):
            totals = _record(record, collected) or totals
        if totals is not None and len(collected.usage) == counted:  # older: running totals, no figures of each call
            collected.model_call(path.name, *totals)
            collected.totals_only = True
    return collected.transcript()


def _record(record: Mapping[str, Any], collected: Collected) -> tuple[int | None, int | None] | None:
    """Takes one line; hands back running totals where it has some."""
    payload = mapping(record.get("payload"))
    kind = payload.get("type")
    time_ns = iso_ns(record.get("timestamp"))
    if record.get("type") == "session_meta":
        collected.version = text(payload.get("cli_version")) or collected.version
    elif record.get("type") == "token_usage_record":
        collected.model_call(text(payload.get("response_id")), *_usage(mapping(payload.get("usage"))))
    elif kind in _CALLS:
        arguments = payload.get("arguments") or payload.get("input") or payload.get("action")
        name = text(payload.get("name")) or ("local_shell" if kind == "local_shell_call" else "")
        collected.call(_id(payload), name=name, arguments=as_text(arguments), started_ns=time_ns)
    elif kind in _OUTPUTS:
        result, exit_code = _output(payload.get("output"))
        collected.call(_id(payload), result=result, exit_code=exit_code, ended_ns=time_ns)
    elif kind == "exec_command_end":
        collected.call(_id(payload), exit_code=integer(payload.get("exit_code")))
    elif kind == "item_completed":
        item = mapping(payload.get("item"))
        if item.get("type") == "CommandExecution":
            collected.call(text(item.get("id")), exit_code=integer(item.get("exit_code")))
    elif kind == "token_count":
        total = mapping(mapping(payload.get("info")).get("total_token_usage"))
        return _usage(total) if total else None
    return None


def _id(payload: Mapping[str, Any]) -> str:
    return text(payload.get("call_id")) or text(payload.get("id"))


def _output(output: object) -> tuple[str, int | None]:
    """A result is text with a heading, or, in older rollouts, JSON with `output` and `metadata`."""
    if isinstance(output, dict | list):
        return joined(output if isinstance(output, list) else output.get("content", output)), None
    result = text(output)
    if result.startswith('{"'):
        try:
            parsed = mapping(orjson.loads(result))
        except orjson.JSONDecodeError:
            parsed = {}
        if "output" in parsed:
            return as_text(parsed["output"]), integer(mapping(parsed.get("metadata")).get("exit_code"))
    found = _EXIT.search(result)
    return result, int(found.group(1)) if found else None


def _usage(usage: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Input includes what was cached, output what was reasoned."""
    return tokens(usage.get("input_tokens")), tokens(usage.get("output_tokens"))
