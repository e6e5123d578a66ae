"""mini-swe-agent's trajectory: one JSON document, formats `mini-swe-agent-1` and later."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabtrace.agents.transcripts.collect import Collected, document, files
from cabtrace.agents.transcripts.values import as_text, integer, items, joined, mapping, seconds_ns, text, tokens
from cabtrace.protocols import Transcript

GLOBS = (".mini-swe-agent/trajectory.json",)


def read(folder: Path) -> Transcript:
    """The trajectory below a home."""
    collected = Collected()
    for path in files(folder, GLOBS, collected):
        content = document(path, collected)
        collected.version = text(mapping(content.get("info")).get("mini_version"))
        for number, message in enumerate(map(mapping, items(content.get("messages")))):
            _message(message, number, collected)
    return collected.transcript()


def _message(message: Mapping[str, Any], number: int, collected: Collected) -> None:
    extra = mapping(message.get("extra"))
    time_ns = seconds_ns(extra.get("timestamp"))
    if message.get("role") == "assistant":
        usage = mapping(mapping(extra.get("response")).get("usage"))
        collected.model_call(str(number), tokens(usage.get("prompt_tokens")), tokens(usage.get("completion_tokens")))
        for call in map(mapping, items(message.get("tool_calls"))):
            function = mapping(call.get("function"))
            collected.call(
                text(call.get("id")),
                name=text(function.get("name")),
                arguments=as_text(function.get("arguments")),
                started_ns=time_ns,
            )
    elif message.get("role") == "tool":
        problem = text(extra.get("exception_info"))
        code = integer(extra.get("returncode"))
        collected.call(
            text(message.get("tool_call_id")),
            result=text(extra.get("raw_output")) or joined(message.get("content")),
            ended_ns=time_ns,
            exit_code=None if problem and code == -1 else code,  # -1 is its own, for what was never run
            error=problem,
        )
