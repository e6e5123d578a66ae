"""Copilot's `session-state/<id>/events.jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabtrace.agents.transcripts.collect import Collected, files, records
from cabtrace.agents.transcripts.values import as_text, integer, iso_ns, joined, mapping, text, tokens
from cabtrace.protocols import Transcript

GLOBS = (".copilot/session-state/*/events.jsonl",)


def read(folder: Path) -> Transcript:
    """All sessions below a home."""
    collected = Collected()
    for path in files(folder, GLOBS, collected):
        for number, record in enumerate(records(path, collected)):
            _event(record, number, collected)
    return collected.transcript()


def _event(event: Mapping[str, Any], number: int, collected: Collected) -> None:
    data = mapping(event.get("data"))
    time_ns = iso_ns(event.get("timestamp"))
    call_id = text(data.get("toolCallId"))
    kind = event.get("type")
    if kind == "session.start":
        collected.version = text(data.get("copilotVersion")) or collected.version
    elif kind == "tool.execution_start":
        arguments = as_text(data.get("arguments"))
        collected.call(call_id, name=text(data.get("toolName")), arguments=arguments, started_ns=time_ns)
    elif kind == "tool.execution_complete":
        result = mapping(data.get("result"))
        shown = joined(result.get("content"))
        error = mapping(data.get("error"))
        failed = data.get("success") is False
        collected.call(
            call_id,
            result=shown,
            ended_ns=time_ns,
            exit_code=integer(mapping(data.get("shellExecution")).get("exitCode")),
            error=(text(error.get("message")) or shown or "failed") if failed else "",
        )
    elif kind == "session.usage_record":
        usage = mapping(data.get("usage"))
        name = text(usage.get("apiCallId")) or f"{number}"
        collected.model_call(name, tokens(usage.get("inputTokens")), tokens(usage.get("outputTokens")))
