"""What a model was asked and what it answered, from attributes and events of its span, in one shape: roles with parts.

Known are OpenTelemetry's `gen_ai.input.messages` and `gen_ai.output.messages` (also as an event), OpenInference's and older
libraries' numbered attributes, and a plain `input.value` and `output.value`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cabtrace.model.span import Attributes, SpanRecord
from cabtrace.store.lines import nests_deeper

INPUT: Final = "gen_ai.input.messages"
OUTPUT: Final = "gen_ai.output.messages"
_SYSTEM: Final = "gen_ai.system_instructions"
_DETAILS: Final = "gen_ai.client.inference.operation.details"
_NUMBERED: Final = re.compile(
    r"(?P<side>llm\.input_messages|llm\.output_messages|gen_ai\.prompt|gen_ai\.completion)\.(?P<index>[0-9]{1,5})\."
    r"(?:message\.)?(?P<field>role|content|finish_reason|tool_call_id)\Z"
)
_NUMBERED_CALL: Final = re.compile(
    r"(?P<side>llm\.input_messages|llm\.output_messages|gen_ai\.prompt|gen_ai\.completion)\.(?P<index>[0-9]{1,5})\."
    r"(?:message\.)?tool_calls\.(?P<call>[0-9]{1,3})\.(?:tool_call\.)?(?P<field>id|(?:function\.)?name|(?:function\.)?arguments)\Z"
)
_OUTPUT_SIDES: Final = frozenset({"llm.output_messages", "gen_ai.completion"})
_MOST_LEVELS: Final = 64
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """Messages in order; None where the span does not tell. `keys` are the span's own attributes that they stand in whole."""

    asked: list[Message] | None = None
    answered: list[Message] | None = None
    keys: frozenset[str] = frozenset()


def said_in(span: SpanRecord) -> Said:
    """What a model call's span tells of the conversation."""
    for attributes in (span.attributes, *(e.attributes for e in span.events if e.name == _DETAILS)):
        asked, answered = _structured(attributes.get(INPUT)), _structured(attributes.get(OUTPUT))
        if asked is not None or answered is not None:
            system = _structured(attributes.get(_SYSTEM), role="system")
            whole = [*(system or ()), *(asked or ())] if asked is not None or system else None
            read = {INPUT: asked, OUTPUT: answered} if attributes is span.attributes else {}
            return Said(whole, answered, frozenset(key for key, found in read.items() if found is not None))
    asked, answered = _numbered(span.attributes)
    if asked is None and answered is None:
        asked = _plain(span.attributes.get("input.value"), "user")
        answered = _plain(span.attributes.get("output.value"), "assistant")
    return Said(asked, answered)


def _structured(value: object, role: str = "") -> list[Message] | None:
    """Messages as a list, or as JSON text of one; None for anything else."""
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            return None
    if not isinstance(value, list | tuple) or nests_deeper(value, _MOST_LEVELS):
        return None
    if role:  # instructions are parts without a message around them
        parts = [p for item in value for p in _parts(item)]
        return [{"role": role, "parts": parts}] if parts else None
    return [_message(item) for item in value if isinstance(item, Mapping)]


def _message(item: Mapping[str, Any]) -> Message:
    out: Message = {"role": str(item.get("role") or "")}
    if isinstance(item.get("parts"), list | tuple):
        out["parts"] = [dict(p) for p in item["parts"] if isinstance(p, Mapping)]
    else:
        out["parts"] = list(_parts(item.get("content")))
        out["parts"] += [_call(c) for c in item.get("tool_calls") or () if isinstance(c, Mapping)]
    if isinstance(item.get("finish_reason"), str):
        out["finish_reason"] = item["finish_reason"]
    return out


def _parts(content: Any) -> Iterator[Message]:
    if isinstance(content, str):
        if content:
            yield {"type": "text", "content": content}
    elif isinstance(content, Mapping):
        text = content.get("text", content.get("content"))
        yield {"type": "text", "content": text} if isinstance(text, str) else dict(content)
    elif isinstance(content, list | tuple):
        for item in content:
            yield from _parts(item)


def _call(call: Mapping[str, Any]) -> Message:
    function = call.get("function") if isinstance(call.get("function"), Mapping) else call
    assert isinstance(function, Mapping)
    name, arguments = function.get("name"), function.get("arguments")
    return {"type": "tool_call", "id": call.get("id"), "name": name, "arguments": _decoded(arguments)}


def _decoded(arguments: Any) -> Any:
    if isinstance(arguments, str):
        try:
            return orjson.loads(arguments)
        except orjson.JSONDecodeError:
            return arguments
    return arguments


def _numbered(attributes: Attributes) -> tuple[list[Message] | None, list[Message] | None]:
    fields: dict[bool, dict[int, dict[str, Any]]] = {False: {}, True: {}}
    calls: dict[tuple[bool, int], dict[int, dict[str, Any]]] = {}
    for key, value in attributes.items():
        if match := _NUMBERED.match(key):
            fields[match["side"] in _OUTPUT_SIDES].setdefault(int(match["index"]), {})[match["field"]] = value
        elif match := _NUMBERED_CALL.match(key):
            place = (match["side"] in _OUTPUT_SIDES, int(match["index"]))
            fields[place[0]].setdefault(place[1], {})
            call = calls.setdefault(place, {}).setdefault(int(match["call"]), {})
            call[match["field"].removeprefix("function.")] = value
    return tuple(  # type: ignore[return-value]  # a tuple of two
        [_from_fields(found[i], [c for _, c in sorted(calls.get((answer, i), {}).items())]) for i in sorted(found)] or None
        for answer, found in fields.items()
    )


def _from_fields(fields: Mapping[str, Any], calls: list[dict[str, Any]]) -> Message:
    content = fields.get("content")
    if isinstance(content, str) and content[:1] == "[" and isinstance(decoded := _decoded(content), list):
        content = decoded
    message = _message({"role": fields.get("role"), "content": content, "tool_calls": calls})
    if isinstance(answers := fields.get("tool_call_id"), str) and message["parts"]:
        text = "".join(str(p.get("content") or "") for p in message["parts"])
        message["parts"] = [{"type": "tool_call_response", "id": answers, "response": text}]
    if isinstance(fields.get("finish_reason"), str):
        message["finish_reason"] = fields["finish_reason"]
    return message


def _plain(value: object, role: str) -> list[Message] | None:
    return [{"role": role, "parts": [{"type": "text", "content": value}]}] if isinstance(value, str) and value else None
