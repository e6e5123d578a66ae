"""What a scripted model answers to one request: a pure function of the script and the request."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cabtrace.modelserver.script import ANY, Fault, ScriptedModel, ToolCall, Turn
from cabtrace.modelserver.tools import Tool, find_shell, fit_arguments, offered_tools
from cabtrace.runner.proxy.apis.facts import RequestFacts
from cabtrace.runner.proxy.apis.values import items, mapping

_DONE = "Done."
_OPENINGS = (["Got it. Thanks for the context!"],)  # Qwen Code, older Gemini CLI
_CHARS_PER_TOKEN = 4
_ARGUMENT_PIECE_CHARS = 16


@dataclass(frozen=True, slots=True)
class Called:
    """A tool call of an answer; `suffix` makes its id unique within the answer."""

    suffix: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The arguments as JSON."""
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts to report: `cached` is part of `input`, `reasoning` part of `output`."""

    input: int
    output: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, independent of the API. `seed` is hex and the same for the same request."""

    model: str
    seed: str
    text: str
    calls: tuple[Called, ...]
    tokens: Tokens
    first_token_ms: float
    chunk_ms: float
    fault: Fault | None = None

    @property
    def text_pieces(self) -> list[str]:
        """The text in the pieces that it is streamed in, about one word each."""
        return re.findall(r"\S+\s*|\s+", self.text)


def argument_pieces(call: Called) -> list[str]:
    """A call's arguments in the pieces that they are streamed in."""
    text = call.text
    return [text[start : start + _ARGUMENT_PIECE_CHARS] for start in range(0, len(text), _ARGUMENT_PIECE_CHARS)]


def answer(model: ScriptedModel, facts: RequestFacts, request: Mapping[str, Any], body_bytes: int) -> Answer:
    """The answer of the turn that the request has come to, by its assistant messages: nothing is remembered."""
    tools = offered_tools(mapping(request.get("request")) or request)
    if not tools:
        turn = Turn(text=_without_tools(model, facts))
    else:
        reached = sum(message["role"] == "assistant" and _was_said(message) for message in facts.messages)
        turn = model.turn[reached] if reached < len(model.turn) else _after_last(model)
    called = [_call(number, call, tools) for number, call in enumerate(turn.tool_call)]
    calls = tuple(call for call in called if call is not None)
    spoken = len(turn.text) + sum(len(call.name) + len(call.text) for call in calls)
    usage = turn.usage
    return Answer(
        model=facts.model or model.name,
        seed=facts.request_hash[:24],
        text=turn.text or ("" if calls else _DONE),
        calls=calls,
        tokens=Tokens(
            input=_tokens(body_bytes) if usage.input is None else usage.input,
            output=_tokens(spoken) + usage.reasoning if usage.output is None else usage.output,
            cached=usage.cached,
            reasoning=usage.reasoning,
        ),
        first_token_ms=turn.first_token_ms,
        chunk_ms=turn.chunk_ms,
        fault=turn.fault,
    )


def _without_tools(model: ScriptedModel, facts: RequestFacts) -> str:
    """By what was answered before; assistant messages that the agent made up, as examples, count for nothing."""
    texts = model.without_tools
    if isinstance(texts, str):
        return texts
    given = {text.strip() for text in texts}
    reached: int = sum(message["role"] == "assistant" and _spoken(message).strip() in given for message in facts.messages)
    return texts[min(reached, len(texts) - 1)]


def _spoken(message: Mapping[str, Any]) -> str:
    parts = [mapping(part) for part in items(message.get("parts"))]
    return "".join(str(part.get("content")) for part in parts if part.get("type") == "text")


def _was_said(message: Mapping[str, Any]) -> bool:
    """Whether the model said it: some agents put an answer of their own making before the prompt."""
    parts = [mapping(part) for part in items(message.get("parts"))]
    return [part.get("content") for part in parts] not in _OPENINGS


def _after_last(model: ScriptedModel) -> Turn:
    last = model.turn[-1] if model.turn else Turn()
    return Turn(first_token_ms=last.first_token_ms, chunk_ms=last.chunk_ms, text=_DONE)


def _call(number: int, call: ToolCall, tools: tuple[Tool, ...]) -> Called | None:
    if call.name != ANY:
        return Called(str(number), call.name, call.arguments)
    shell = find_shell(tools)
    return Called(str(number), shell.name, fit_arguments(shell, call.arguments)) if shell else None


def _tokens(chars: int) -> int:
    return max(1, math.ceil(chars / _CHARS_PER_TOKEN))
