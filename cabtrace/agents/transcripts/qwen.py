"""Qwen Code's `projects/<folder>/chats/<session>.jsonl`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cabtrace.agents.transcripts.collect import Collected, files, records
from cabtrace.agents.transcripts.values import as_text, integer, iso_ns, items, joined, mapping, text, tokens
from cabtrace.protocols import Transcript

GLOBS = (".qwen/projects/*/chats/*.jsonl",)
_EXIT = re.compile(r"^Exit Code: (-?\d{1,3})$", re.MULTILINE)
_MOST_OPEN = 1_000


def read(folder: Path) -> Transcript:
    """All sessions below a home."""
    collected = Collected()
    for path in files(folder, GLOBS, collected):
        session = _Session(collected)
        for record in records(path, collected):
            session.record(record)
    return collected.transcript()


class _Session:
    """One file: the durations of tools come without their ids, just before their results."""

    def __init__(self, collected: Collected) -> None:
        self._collected = collected
        self._timed: list[tuple[str, str, int, int]] = []  # name, arguments, start and end in nanoseconds
        self._asked: dict[str, tuple[str, str]] = {}

    def record(self, record: Mapping[str, Any]) -> None:
        """One line."""
        collected = self._collected
        collected.version = text(record.get("version")) or collected.version
        time_ns = iso_ns(record.get("timestamp"))
        parts = [mapping(part) for part in items(mapping(record.get("message")).get("parts"))]
        kind = record.get("type")
        if kind == "assistant":
            usage = mapping(record.get("usageMetadata"))
            if usage:
                collected.model_call(text(record.get("uuid")), *_usage(usage))
            for call in (mapping(part.get("functionCall")) for part in parts):
                if call:
                    name, arguments = text(call.get("name")), as_text(call.get("args"))
                    self._asked[text(call.get("id"))] = (name, arguments)
                    collected.call(text(call.get("id")), name=name, arguments=arguments)
        elif kind == "system":
            self._timing(mapping(mapping(record.get("systemPayload")).get("uiEvent")))
        elif kind == "tool_result":
            for response in (mapping(part.get("functionResponse")) for part in parts):
                if response:
                    self._result(response, mapping(record.get("toolCallResult")), time_ns)

    def _timing(self, event: Mapping[str, Any]) -> None:
        ended_ns, duration_ms = iso_ns(event.get("event.timestamp")), integer(event.get("duration_ms"))
        if event.get("event.name") == "qwen-code.tool_call" and ended_ns is not None and duration_ms is not None:
            name, arguments = text(event.get("function_name")), as_text(event.get("function_args"))
            self._timed = [*self._timed[-_MOST_OPEN:], (name, arguments, ended_ns - duration_ms * 10**6, ended_ns)]

    def _result(self, response: Mapping[str, Any], details: Mapping[str, Any], time_ns: int | None) -> None:
        call_id = text(response.get("id")) or text(details.get("callId"))
        inner = mapping(response.get("response"))
        result = as_text(inner.get("output") or inner.get("error") or inner)
        found = _EXIT.search(result)
        wanted = self._asked.get(call_id)
        timed = next((entry for entry in self._timed if entry[:2] == wanted), None)
        if timed is not None:
            self._timed.remove(timed)
        failed = text(details.get("status")) in ("error", "cancelled") or "error" in inner
        self._collected.call(
            call_id,
            name=text(response.get("name")),
            result=result,
            started_ns=timed[2] if timed else None,
            ended_ns=timed[3] if timed else time_ns,
            exit_code=int(found.group(1)) if found else None,
            error=(joined(details.get("resultDisplay")) or result) if failed else "",
        )


def _usage(usage: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """What is not input is output: providers disagree on whether thoughts are counted among the candidates."""
    prompt, total = tokens(usage.get("promptTokenCount")), tokens(usage.get("totalTokenCount"))
    if prompt is not None and total is not None and total >= prompt:
        return prompt, total - prompt
    return prompt, tokens(usage.get("candidatesTokenCount"))
