"""OpenAI responses."""

from __future__ import annotations

from typing import Any

from cabtrace.model.model_call import TokenUsage
from cabtrace.runner.proxy.apis import values as v
from cabtrace.runner.proxy.apis.errors import read_error, refusal
from cabtrace.runner.proxy.apis.facts import RequestFacts, ResponseFacts, text_part
from cabtrace.runner.proxy.apis.openai_responses_items import messages_of
from cabtrace.runner.proxy.apis.sse import looks_like_events, read_events

API = "openai.responses"
_PARAMS = {"max_output_tokens": "max_tokens", "temperature": "temperature", "top_p": "top_p"}
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
# the deltas that matter when a stream is cut before the item that they belong to is whole
_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "text",
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}


def matches(method: str, path: str) -> bool:
    """Whether this is a call of this API; `path` has no query."""
    return method == "POST" and path.endswith(("/responses", "/responses/compact"))


def request_facts(body: bytes) -> RequestFacts:
    """Reads a request. Never raises."""
    fields = v.mapping(v.load(body))
    params = {ours: fields[theirs] for theirs, ours in _PARAMS.items() if fields.get(theirs) is not None}
    if effort := v.text(v.mapping(fields.get("reasoning")).get("effort")):
        params["reasoning_effort"] = effort
    instructions, given = v.text(fields.get("instructions")), fields.get("input")
    asked = [{"role": "user", "parts": [text_part(given)]}] if isinstance(given, str) else messages_of(v.items(given))
    system = [{"role": "system", "parts": [text_part(instructions)]}] if instructions else []
    tools = (v.mapping(tool) for tool in v.items(fields.get("tools")))
    return RequestFacts(
        api=API,
        request_hash=v.request_hash(body),
        model=v.text(fields.get("model")),
        stream=(v.flag(fields.get("stream")) or False) if fields else None,
        params=params,
        messages=(*system, *asked),
        tools=tuple(name for tool in tools if (name := v.text(tool.get("name")) or v.text(tool.get("type")))),
    )


def response_facts(status: int, content_type: str, body: bytes) -> ResponseFacts:
    """Reads an answer, streamed or not, as far as it came. Never raises."""
    if not 200 <= status < 300:
        return refusal(status, body)
    if not looks_like_events(content_type, body):
        document = v.mapping(v.load(body))
        return _facts(document, v.items(document.get("output")), done=True) if document else ResponseFacts()
    response: dict[str, Any] = {}
    output: dict[int, dict[str, Any]] = {}
    done = False
    for event in read_events(body):
        data = v.mapping(v.load(event.data))
        kind = v.text(data.get("type")) or event.name
        response.update({key: value for key, value in v.mapping(data.get("response")).items() if value is not None})
        done = done or kind in _ENDS
        if kind == "error":  # the event is itself the error, or holds one
            response["error"] = v.mapping(data.get("error")) or data
        number = v.index(data.get("output_index"))
        if number is not None:
            _collect(output, number, kind, data)
    whole = v.items(response.get("output")) or [item for _, item in sorted(output.items())]
    return _facts(response, whole, done=done)


def _collect(output: dict[int, dict[str, Any]], number: int, kind: str, data: dict[str, Any]) -> None:
    if kind == "response.output_item.done":
        output[number] = v.mapping(data.get("item"))
    elif kind == "response.output_item.added":
        item = dict(v.mapping(data.get("item")))
        output[number] = {key: value for key, value in item.items() if value not in ("", [])}
    elif kind in _DELTAS and (piece := v.text(data.get("delta"))):
        item = output.setdefault(number, {})
        field = _DELTAS[kind]
        if field == "text":
            item.setdefault("type", "message")
            _append(item, "content", "output_text", piece)
        elif field == "reasoning":
            item.setdefault("type", "reasoning")
            _append(item, "summary", "summary_text", piece)
        else:
            item.setdefault("type", "function_call" if field == "arguments" else "custom_tool_call")
            item[field] = (v.text(item.get(field)) or "") + piece


def _append(item: dict[str, Any], key: str, kind: str, piece: str) -> None:
    written = v.items(item.get(key))
    before = (v.text(v.mapping(written[0]).get("text")) or "") if written else ""
    item[key] = [{"type": kind, "text": before + piece}]


def _facts(response: dict[str, Any], output: list[Any], *, done: bool) -> ResponseFacts:
    kind, message = read_error(response)
    status = v.text(response.get("status"))
    reason = v.text(v.mapping(response.get("incomplete_details")).get("reason"))
    if status == "completed":  # this API has no finish reason of its own
        called = any(str(v.mapping(item).get("type")).endswith("_call") for item in output)
        reason = "tool_calls" if called else "stop"
    elif reason is None and status in ("incomplete", "failed", "cancelled"):
        reason = status
    return ResponseFacts(
        model=v.text(response.get("model")),
        response_id=v.text(response.get("id")),
        usage=_usage(response.get("usage")),
        finish_reasons=(reason,) if reason else (),
        messages=tuple(messages_of(output)),
        error_type=kind,
        error_message=message,
        done=done,
    )


def _usage(value: object) -> TokenUsage:
    usage = v.mapping(value)
    given, made = v.mapping(usage.get("input_tokens_details")), v.mapping(usage.get("output_tokens_details"))
    return TokenUsage(
        input=v.count(usage.get("input_tokens")),
        output=v.count(usage.get("output_tokens")),
        cache_read=v.count(given.get("cached_tokens")),
        cache_write=v.count(given.get("cache_write_tokens")),
        reasoning=v.count(made.get("reasoning_tokens")),
    )
