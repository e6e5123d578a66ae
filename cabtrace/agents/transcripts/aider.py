"""aider's chat history. It has no tools: each edit that it applies counts as one, without times."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from cabtrace.agents.transcripts.collect import Collected, files
from cabtrace.limits import DEFAULT
from cabtrace.protocols import Transcript
from cabtrace.store.lines import read_regular

CHAT = ".aider-cell/chat.md"
_SAID = re.compile(
    r"^> (?:Tokens: (?P<sent>\S+) sent, .*?received"
    r"|Applied edit to (?P<edited>.+?)|Aider v(?P<version>\S+))\.?(?: Cost:.*)? *$"
)


def read(folder: Path) -> Transcript:
    """The chat below a home."""
    collected = Collected()
    for path in files(folder, (CHAT,), collected):
        try:
            chat = read_regular(path, DEFAULT.recorded_body_bytes).decode("utf-8", "replace")
        except OSError as error:
            collected.problem(f"{path.name} cannot be read: {error.strerror or error}")
            continue
        for line in chat.splitlines():
            _line(line, collected)
    return collected.transcript()


def _line(line: str, collected: Collected) -> None:
    found = _SAID.match(line[:2_000]) if line.startswith("> ") else None
    if found is None:
        return
    sent, edited, version = found.group("sent", "edited", "version")
    if version:
        collected.version = version
    elif edited:
        arguments = orjson.dumps({"path": edited}).decode()
        collected.call(f"edit-{len(collected.calls) + 1}", name="edit", arguments=arguments, result=line[2:].strip())
    elif sent:
        # Its figures are guesses of its own where it streams, and rounded from a thousand on: no counts.
        collected.model_call(str(len(collected.usage)), None, None)
