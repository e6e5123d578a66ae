"""Gemini CLI's `tmp/<project>/chats/session-*`: JSONL with patches, in older versions one JSON document."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cabtrace.agents.transcripts.collect import Collected, document, files, records
from cabtrace.agents.transcripts.values import as_text, iso_ns, items, joined, mapping, text, tokens
from cabtrace.protocols import Transcript

GLOBS = (".gemini/tmp/*/chats/**/session-*.json", ".gemini/tmp/*/chats/**/session-*.jsonl")
_EXIT = re.compile(r"^Exit Code: (-?\d{1,3})$", re.MULTILINE)
_SHELL = "run_shell_command"


def read(folder: Path) -> Transcript:
    """All sessions below a home."""
    collected = Collected()
    for path in files(folder, GLOBS, collected):
        for number, message in enumerate(_messages(path, collected)):
            if message.get("type") == "gemini":
                _message(message, f"{path.name}:{number}", collected)
    return collected.transcript()


def _messages(path: Path, collected: Collected) -> Iterator[Mapping[str, Any]]:
    """Messages as they were written; the same one comes again each time that it has grown."""
    if path.suffix == ".json":
        yield from map(mapping, items(document(path, collected).get("messages")))
        return
    for record in records(path, collected):
        yield from map(mapping, items(mapping(record.get("$set")).get("messages")))
        yield record


def _message(message: Mapping[str, Any], otherwise: str, collected: Collected) -> None:
    said_ns = iso_ns(message.get("timestamp"))
    usage = mapping(message.get("tokens"))
    if usage:
        collected.model_call(text(message.get("id")) or otherwise, tokens(usage.get("input")), _output_tokens(usage))
    for call in map(mapping, items(message.get("toolCalls"))):
        status = text(call.get("status"))
        result = _result(call.get("result"))
        ended = status in ("success", "error", "cancelled")
        collected.call(
            text(call.get("id")),
            name=text(call.get("name")),
            arguments=as_text(call.get("args")),
            result=result,
            started_ns=said_ns,
            ended_ns=iso_ns(call.get("timestamp")) if ended else None,
            exit_code=_exit_code(text(call.get("name")), status, result),
            error="" if status == "success" or not ended else joined(call.get("resultDisplay")) or status,
        )


def _output_tokens(usage: Mapping[str, Any]) -> int | None:
    said, thought = tokens(usage.get("output")), tokens(usage.get("thoughts"))
    return None if said is None else said + (thought or 0)


def _result(result: object) -> str:
    """The text of the function's response."""
    shown = []
    for part in map(mapping, items(result)):
        response = mapping(mapping(part.get("functionResponse")).get("response"))
        shown.append(as_text(response.get("output") or response.get("error") or response) if response else text(part.get("text")))
    return "\n".join(part for part in shown if part) or (result if isinstance(result, str) else "")


def _exit_code(name: str, status: str, result: str) -> int | None:
    """Its shell tells an exit code only where it is not 0."""
    found = _EXIT.search(result)
    if found:
        return int(found.group(1))
    plain = name == _SHELL and status == "success" and "Output:" in result
    return 0 if plain and not any(f"\n{word}: " in result for word in ("Error", "Signal", "Background PIDs")) else None
