"""aider's `--llm-history-file`: what was asked and answered, every line behind the role of who said it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"(TO LLM|LLM RESPONSE) \d{4}-\d\d-\d\dT")
_RAN = re.compile(r"I ran this command:\n\n(?P<command>.*?)\n\nAnd got this output:\n\n(?P<output>.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer, "" for one that failed. `ran`: the last command whose output the request brings, and that."""

    answer: str
    ran: tuple[str, str] | None


def exchanges(log: str) -> list[Exchange]:
    """All of them, in order; the last without an answer where the agent was killed while it waited."""
    found: list[Exchange] = []
    asked: list[tuple[str, str]] = []
    for heading, messages in _blocks(log):
        if heading == "TO LLM":
            asked = messages
            found.append(Exchange("", _ran(asked)))
        elif found:
            found[-1] = Exchange("\n".join(text for _, text in messages).strip(), found[-1].ran)
    return found


def _blocks(log: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    heading, messages = "", list[tuple[str, str]]()
    lines: list[str] = []
    role = ""

    def close() -> None:
        if role:
            messages.append((role, "\n".join(lines)))

    for line in log.splitlines():
        if found := _HEADING.match(line):
            close()
            if heading:
                yield heading, messages
            heading, messages, lines, role = found.group(1), [], [], ""
        elif line == "-------":
            close()
            lines, role = [], ""
        else:
            role, _, text = line.partition(" ")
            lines.append(text)
    close()
    if heading:
        yield heading, messages


def _ran(asked: list[tuple[str, str]]) -> tuple[str, str] | None:
    """It is said twice: for the record, and as the new question, which has aider's rules behind it."""
    told = [found for role, text in asked if role == "USER" and (found := _RAN.match(text))]
    if not told:
        return None
    clean = told[-2] if len(told) > 1 and told[-2]["command"] == told[-1]["command"] else told[-1]
    return clean["command"], clean["output"].strip("\n")
