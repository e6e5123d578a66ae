"""What was asked and answered: taken out of spans unless its owner said that it may leave this machine, else put in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.otlp import clean_text
from cabtrace.model.span import Attributes, AttributeValue

if TYPE_CHECKING:
    from cabtrace.store.reader import RunView

INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
MESSAGES_BYTES: Final = 256 * 1024  # of one attribute; what is over loses its oldest messages
WITHHELD: Final = sc.WITHHELD
_KEYS: Final = frozenset(
    {
        INPUT_MESSAGES,
        OUTPUT_MESSAGES,
        "gen_ai.system_instructions",
        "gen_ai.tool.definitions",
        "gen_ai.prompt",
        "gen_ai.completion",
        sc.GEN_AI_TOOL_ARGUMENTS,
        sc.GEN_AI_TOOL_RESULT,
        sc.EXTRA_ARGS,
        "input.value",
        "output.value",
        "exception.message",
        "exception.stacktrace",
    }
)
# Agents' own telemetry calls it by many names; what ends like this holds what somebody said, or a file's text.
_TELLING: Final = re.compile(
    r"(?:^|[._])(?:prompt|completion|content|contents|message|messages|body|text|arguments|args|result|output|input|stdout|stderr"
    r"|response|thinking|reasoning|instructions?|command|command_line|parameters|function_args|tool_input|tool_output|diff|patch"
    r"|query|document|snippet|thought|summary|code)$",
    re.IGNORECASE,
)
_OURS: Final = (
    "cabtrace.",
    "gen_ai.usage.",
    "gen_ai.request.",
    "gen_ai.response.",
    "gen_ai.evaluation.",
    "test.",
    sc.PROCESS_ARGS,
)
_MIN_INSTRUCTION_CHARS = 12
_KNOWN_KEYS = 8_192
_LONGEST_ARGUMENT_CHARS = 160


class ContentFilter:
    """Takes content out of attributes; what is left is names, numbers, times and outcomes."""

    def __init__(self, instruction: str) -> None:
        self._instruction = instruction.strip() if len(instruction.strip()) >= _MIN_INSTRUCTION_CHARS else ""
        self._shortest = len(self._instruction) or 2**63  # nothing shorter can hold the instruction
        self.decided: dict[str, bool] = {}  # names that were looked at before

    def attributes(self, attributes: Attributes) -> Attributes:
        """The attributes without content, the same object where there was none; `cabtrace.content.withheld` counts it."""
        kept: dict[str, AttributeValue] = {}
        withheld = 0
        for key, value in attributes.items():
            if self.is_content(key):
                withheld += 1
                continue
            kind = type(value)
            if kind is int or kind is bool or kind is float or (kind is str and len(value) < self._shortest):  # type: ignore[arg-type]  # a str
                kept[key] = value
                continue
            clean = self._without_instruction(value)
            if key == sc.PROCESS_ARGS and isinstance(clean, Sequence) and not isinstance(clean, str | bytes):
                clean = _short_arguments(clean)
            withheld += clean is not value
            kept[key] = clean
        if not withheld:
            return attributes
        kept[WITHHELD] = withheld
        return kept

    def _learn(self, key: str) -> bool:
        told = is_content(key)
        if len(self.decided) < _KNOWN_KEYS:
            self.decided[key] = told
        return told

    def is_content(self, key: str) -> bool:
        """Whether an attribute of that name is taken out."""
        told = self.decided.get(key)
        return self._learn(key) if told is None else told

    def told_in(self, text: str) -> bool:
        """Whether the instruction stands in `text`."""
        return len(text) >= self._shortest and self._instruction in text

    def is_long_argument(self, key: str, text: str) -> bool:
        """Whether `text` is an argument of a command line that is as long as a prompt."""
        return key == sc.PROCESS_ARGS and len(text) > _LONGEST_ARGUMENT_CHARS

    def text(self, text: str) -> str:
        """A name or message without the task's instruction."""
        if self._instruction and self._instruction in text:
            return text.replace(self._instruction, f"[instruction withheld: {len(self._instruction)} characters]")
        return text

    def _without_instruction(self, value: AttributeValue) -> AttributeValue:
        if not self._instruction:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            new: Any = {k: self._without_instruction(v) for k, v in value.items()}
            return value if all(new[k] is v for k, v in value.items()) else new
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            items = [self._without_instruction(v) for v in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        return value


def _short_arguments(arguments: Sequence[AttributeValue]) -> Sequence[AttributeValue]:
    """A command line without what is as long as a prompt: flags, names and paths stay."""
    if all(len(str(a)) <= _LONGEST_ARGUMENT_CHARS for a in arguments):
        return arguments
    return [a if len(str(a)) <= _LONGEST_ARGUMENT_CHARS else f"[withheld: {len(str(a))} characters]" for a in arguments]


def is_content(key: str) -> bool:
    """Whether an attribute of that name holds what was said, asked or answered."""
    if key in _KEYS or key.startswith(("gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages", "llm.output_messages")):
        return True
    if key.startswith(_OURS) and not key.startswith(sc.ORIGINAL):
        return False
    return bool(_TELLING.search(key))


def messages_of(run: RunView, call_id: str) -> Attributes:
    """`gen_ai.input.messages` and `gen_ai.output.messages` of a model call, as JSON text, as far as they were recorded."""
    body = run.call_body(call_id)
    found: dict[str, AttributeValue] = {}
    if body.input_messages:
        found[INPUT_MESSAGES] = bounded_json(body.input_messages)
    if body.output_messages:
        found[OUTPUT_MESSAGES] = bounded_json(body.output_messages)
    return found


def bounded_json(messages: Sequence[Mapping[str, Any]], max_bytes: int = MESSAGES_BYTES) -> str:
    """Messages as JSON that stays valid however long they are: the oldest are left out first, the last one's texts are cut."""
    encoded = [_dumps(m) for m in messages]
    kept: list[bytes] = []
    size = 0
    for data in reversed(encoded):
        if kept and size + len(data) > max_bytes:
            break
        kept.append(data)
        size += len(data) + 1
    left_out = len(encoded) - len(kept)
    if len(kept) == 1 and size > max_bytes:
        kept = [_dumps(_cut(messages[len(messages) - 1], max_bytes // 2))]
    kept.reverse()
    if left_out:
        note = f"[{left_out} earlier messages left out]"
        kept.insert(0, orjson.dumps({"role": "system", "parts": [{"type": "text", "content": note}]}))
    return (b"[" + b",".join(kept) + b"]").decode()


def _dumps(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except (TypeError, ValueError):
        import json

        return clean_text(json.dumps(value, default=str, ensure_ascii=False)).encode()


def _cut(value: Any, max_chars: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= max_chars else f"{value[:max_chars]}…[+{len(value) - max_chars} characters cut]"
    if isinstance(value, Mapping):
        return {k: _cut(v, max_chars // max(len(value), 1) + 1) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(v, max_chars // max(len(value), 1) + 1) for v in value]
    return value
