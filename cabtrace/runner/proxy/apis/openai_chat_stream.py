"""A streamed chat completion, put together from its deltas."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cabtrace.model.model_call import TokenUsage
from cabtrace.runner.proxy.apis import values as v
from cabtrace.runner.proxy.apis.errors import read_error
from cabtrace.runner.proxy.apis.facts import Message, Part, ResponseFacts, reasoning_part, text_part, tool_call_part

_LAST = "[DONE]"


def read_usage(value: object) -> TokenUsage:
    """Tokens; the prompt's count includes what was cached, the completion's what was reasoned."""
    usage = v.mapping(value)
    prompt = v.mapping(usage.get("prompt_tokens_details"))
    completion = v.mapping(usage.get("completion_tokens_details"))
    cached = v.count(prompt.get("cached_tokens"))
    return TokenUsage(
        input=v.count(usage.get("prompt_tokens")),
        output=v.count(usage.get("completion_tokens")),
        cache_read=v.count(usage.get("prompt_cache_hit_tokens")) if cached is None else cached,
        cache_write=v.count(prompt.get("cache_write_tokens")),
        reasoning=v.count(completion.get("reasoning_tokens")),
    )


@dataclass(slots=True)
class _Call:
    id: str | None = None
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    role: str = "assistant"
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    finish: str | None = None

    def message(self) -> Message:
        parts: list[Part] = []
        if self.reasoning:
            parts.append(reasoning_part("".join(self.reasoning)))
        if self.text:
            parts.append(text_part("".join(self.text)))
        for _, call in sorted(self.calls.items()):
            parts.append(tool_call_part(call.id, call.name or None, v.arguments("".join(call.arguments))))
        return {"role": self.role, "parts": parts}


@dataclass(slots=True)
class ChatStream:
    """Takes the data of one event after another; `facts` may be asked at any time."""

    model: str | None = None
    response_id: str | None = None
    usage: object = None
    choices: dict[int, _Choice] = field(default_factory=dict)
    error: tuple[str | None, str | None] = (None, None)
    last_seen: bool = False

    def feed(self, data: str) -> None:
        """One event's data; what is no JSON is passed over."""
        if data.strip() == _LAST:
            self.last_seen = True
            return
        document = v.mapping(v.load(data))
        self.model = v.text(document.get("model")) or self.model
        self.response_id = v.text(document.get("id")) or self.response_id
        if v.mapping(document.get("usage")):
            self.usage = document["usage"]
        if document.get("error"):
            self.error = read_error(document)
        for position, item in enumerate(v.items(document.get("choices"))):
            choice = v.mapping(item)
            number = v.index(choice.get("index"))
            self._delta(self.choices.setdefault(position if number is None else number, _Choice()), choice)

    def facts(self) -> ResponseFacts:
        """All that came so far."""
        choices = [choice for _, choice in sorted(self.choices.items())]
        finished = bool(choices) and all(choice.finish for choice in choices)
        return ResponseFacts(
            model=self.model,
            response_id=self.response_id,
            usage=read_usage(self.usage) if self.usage else TokenUsage(),
            finish_reasons=tuple(choice.finish for choice in choices if choice.finish),
            messages=tuple(choice.message() for choice in choices),
            error_type=self.error[0],
            error_message=self.error[1],
            done=self.last_seen or finished,
        )

    def _delta(self, choice: _Choice, item: dict[str, Any]) -> None:
        choice.finish = v.text(item.get("finish_reason")) or choice.finish
        delta = v.mapping(item.get("delta")) or v.mapping(item.get("message"))
        choice.role = v.text(delta.get("role")) or choice.role
        for key in ("content", "refusal"):
            if piece := v.text(delta.get(key)):
                choice.text.append(piece)
        if piece := v.text(delta.get("reasoning_content")) or v.text(delta.get("reasoning")):
            choice.reasoning.append(piece)
        for entry in v.items(delta.get("tool_calls")):
            self._tool_call(choice, v.mapping(entry))
        if old := v.mapping(delta.get("function_call")):
            self._tool_call(choice, {"index": 0, "function": old})

    @staticmethod
    def _tool_call(choice: _Choice, entry: dict[str, Any]) -> None:
        identity, number = v.text(entry.get("id")), v.index(entry.get("index"))
        if number is None:  # some servers leave it out: a new id begins a new call
            number = max(choice.calls, default=-1)
            if number < 0 or (identity and choice.calls[number].id not in (None, identity)):
                number += 1
        call = choice.calls.setdefault(number, _Call())
        call.id = call.id or identity
        function = v.mapping(entry.get("function")) or v.mapping(entry.get("custom"))
        name = v.text(function.get("name"))
        if name and name != call.name:
            call.name += name
        given = function.get("arguments", function.get("input"))
        if isinstance(given, str):
            call.arguments.append(given)
        elif isinstance(given, dict):  # a whole object at once
            call.arguments.append(v.dump(given))
