"""Claude Code's `projects/<folder>/<session>.jsonl`, and `<session>/subagents/agent-*.jsonl` beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabtrace.agents.transcripts.collect import Collected, files, records
from cabtrace.agents.transcripts.values import as_text, iso_ns, items, joined, mapping, text, tokens
from cabtrace.protocols import Transcript

GLOBS = (".claude/projects/**/*.jsonl",)
_EXIT = re.compile(r"(?:Error: )?Exit code (\d{1,3})(?:\n|$)")


def read(folder: Path) -> Transcript:
    """All sessions below a home."""
    collected = Collected()
    for path in files(folder, GLOBS, collected):
        for record in records(path, collected):
            _record(record, collected)
    return collected.transcript()


def _record(record: Mapping[str, Any], collected: Collected) -> None:
    collected.version = text(record.get("version")) or collected.version
    message = mapping(record.get("message"))
    time_ns = iso_ns(record.get("timestamp"))
    if record.get("type") == "assistant":
        for block in map(mapping, items(message.get("content"))):
            if block.get("type") == "tool_use":
                collected.call(
                    text(block.get("id")),
                    name=text(block.get("name")),
                    arguments=as_text(block.get("input")),
                    started_ns=time_ns,
                )
        usage = mapping(message.get("usage"))
        if usage and text(message.get("model")) != "<synthetic>":
            # One record a block, each with the usage of the whole call; the last has the final figures.
            collected.model_call(text(message.get("id")) or text(record.get("uuid")), *_usage(usage))
    elif record.get("type") == "user":
        for block in map(mapping, items(message.get("content"))):
            if block.get("type") == "tool_result":
                _result(block, record.get("toolUseResult"), time_ns, collected)


def _result(block: Mapping[str, Any], details: object, time_ns: int | None, collected: Collected) -> None:
    result = joined(block.get("content"))
    failed = block.get("is_error") is True
    collected.call(
        text(block.get("tool_use_id")),
        result=result,
        ended_ns=time_ns,
        exit_code=_exit_code(result, mapping(details), failed=failed),
        error=result if failed else "",
    )


def _exit_code(result: str, details: Mapping[str, Any], *, failed: bool) -> int | None:
    """Of its shell: failures begin with it, success goes without saying."""
    if failed:
        found = _EXIT.match(result)
        return int(found.group(1)) if found else None
    says_nothing = details.get("returnCodeInterpretation") or details.get("interrupted") or details.get("backgroundTaskId")
    return 0 if "stdout" in details and not says_nothing else None


def _usage(usage: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Input with what was read from and written to the cache."""
    fresh = tokens(usage.get("input_tokens"))
    cached = [tokens(usage.get(key)) or 0 for key in ("cache_read_input_tokens", "cache_creation_input_tokens")]
    return None if fresh is None else fresh + sum(cached), tokens(usage.get("output_tokens"))
