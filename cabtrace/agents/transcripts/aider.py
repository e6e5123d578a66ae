"""aider's histories. It has no tools that a model could call: what it does with an answer counts as such.

An edit that it applied, or could not; what its linter found; a test command that failed. What goes well otherwise leaves no
trace. None has a time: `model_call` says which of the answers it followed from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path

import orjson

from cabtrace.agents.transcripts.aider_history import Exchange, exchanges
from cabtrace.agents.transcripts.collect import Collected, files
from cabtrace.limits import DEFAULT
from cabtrace.protocols import Transcript
from cabtrace.store.lines import read_regular

CHAT = ".aider-cell/chat.md"
LOG = ".aider-cell/llm.log"
_VERSION = re.compile(r"^> Aider v(\S+)", re.MULTILINE)
_TOKENS = re.compile(r"^> Tokens: \S+ sent, .*received\b.*$", re.MULTILINE)
_APPLIED = re.compile(r"^> Applied edit to (.+?) *$", re.MULTILINE)
_MALFORMED = re.compile(
    r"^> (?:The LLM did not conform to the edit format\.|Exception while updating files:) *\n(?:> https://\S+ *\n)?(.*)\Z",
    re.MULTILINE | re.DOTALL,
)
_LINT = re.compile(r"^> # Fix any errors below, if possible\. *\n(.*?)^> Attempt to fix lint errors\?", re.MULTILINE | re.DOTALL)
_TESTED = re.compile(r"^> (Added \d+ lines? of output to the chat\.) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What aider itself said after an answer; `ran` is what it then told the model of a command."""

    said: str
    answer: str
    ran: tuple[str, str] | None


def read(folder: Path) -> Transcript:
    """The histories below a home."""
    collected = Collected()
    log = "".join(_text(path, collected) for path in files(folder, (LOG,), collected))
    for path in files(folder, (CHAT,), collected):
        chat = "\n".join(_text(path, collected).splitlines())
        if version := _VERSION.search(chat):
            collected.version = version.group(1)
        turns = _known_turns(chat, exchanges(log))
        for turn in _guessed_turns(chat) if turns is None else turns:
            # Its figures are guesses of its own where it streams, and rounded from a thousand on: no counts.
            number = len(collected.usage)
            collected.model_call(str(number), None, None)
            _turn(turn, number, collected)
    return collected.transcript()


def _text(path: Path, collected: Collected) -> str:
    try:
        return read_regular(path, DEFAULT.recorded_body_bytes).decode("utf-8", "replace")
    except OSError as error:
        collected.problem(f"{path.name} cannot be read: {error.strerror or error}")
        return ""


def _known_turns(chat: str, told: list[Exchange]) -> list[_Turn] | None:
    """By the answers as the other history has them, so that nothing in an answer passes for aider's own words.

    None where the two do not tell of the same answers.
    """
    places: list[tuple[int, int, int]] = []  # of an answer, where it begins and ends in the chat
    end = 0
    for number, exchange in enumerate(told):
        if exchange.answer:
            start = chat.find(f"\n{exchange.answer}\n", end)
            if start < 0:
                return None
            end = start + 1 + len(exchange.answer)
            places.append((number, start, end))
    turns = []
    for place, (number, _, begin) in enumerate(places):
        said = chat[begin : places[place + 1][1] if place + 1 < len(places) else len(chat)]
        tokens = list(islice(_TOKENS.finditer(said), 2))
        if len(tokens) > 1:
            return None
        if tokens:
            ran = told[number + 1].ran if number + 1 < len(told) else None
            turns.append(_Turn(said[tokens[0].end() :], told[number].answer, ran))
    return turns if told else None


def _guessed_turns(chat: str) -> Iterator[_Turn]:
    """Without the other history: the quoted lines from a count of tokens on."""
    for found in _TOKENS.finditer(chat):
        rest = chat[found.end() :].lstrip("\n").split("\n")
        yield _Turn("\n".join(takewhile(lambda line: line.startswith(">"), rest)), "", None)


def _turn(turn: _Turn, number: int, collected: Collected) -> None:
    def call(name: str, arguments: dict[str, object] | None, result: str, error: str = "") -> None:
        told = orjson.dumps(arguments).decode() if arguments else ""
        call_id = f"{name}-{len(collected.calls) + 1}"
        collected.call(call_id, name=name, arguments=told, result=result, error=error, model_call=number)

    paths = _APPLIED.findall(turn.said)
    for path in paths:
        call("edit", {"path": path}, f"Applied edit to {path}")
    if malformed := _MALFORMED.search(turn.said):
        why = _unquoted(malformed.group(1))
        call("edit", {"answer": turn.answer} if turn.answer else None, why, why)
    if lint := _LINT.search(turn.said):
        found = _unquoted(lint.group(1))
        call("lint", {"paths": paths}, found, found)
    if tested := _TESTED.search(turn.said):
        command, output = turn.ran or ("", tested.group(1))
        call("test", {"command": command} if command else None, output, output)


def _unquoted(text: str) -> str:
    return "\n".join(line.removeprefix("> ").rstrip() for line in text.splitlines()).strip("\n> ")
