"""Gemini generateContent and streamGenerateContent; the model stands in the path."""

from __future__ import annotations

from json import JSONDecodeError, JSONDecoder
from typing import Any
from urllib.parse import unquote

from cabtrace.model.model_call import TokenUsage
from cabtrace.runner.proxy.apis import values as v
from cabtrace.runner.proxy.apis.errors import read_error, refusal
from cabtrace.runner.proxy.apis.facts import (
    Message,
    Part,
    RequestFacts,
    ResponseFacts,
    reasoning_part,
    text_part,
    tool_call_part,
    tool_response_part,
)
from cabtrace.runner.proxy.apis.sse import looks_like_events, read_events

API = "gemini.generate_content"
API_COUNT = "gemini.count_tokens"
_VERBS = ("generateContent", "streamGenerateContent", "countTokens")
_PARAMS = {
    "maxOutputTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "topK": "top_k", "seed": "seed",
    "stopSequences": "stop_sequences", "candidateCount": "choice_count", "frequencyPenalty": "frequency_penalty",
    "presencePenalty": "presence_penalty",
}  # fmt: skip


def matches(method: str, path: str) -> bool:
    """Whether this is a call of this API; `path` has no query."""
    return method == "POST" and _split(path) is not None


def api_name(path: str) -> str:
    """Which of the calls a matching path is."""
    return API_COUNT if path.endswith("countTokens") else API


def request_facts(body: bytes, path: str = "") -> RequestFacts:
    """Reads a request. Never raises."""
    model, verb = _split(path) or (None, None)
    outer = v.mapping(v.load(body))
    fields = v.mapping(outer.get("request")) or outer  # one of Google's front doors wraps it
    config = v.mapping(fields.get("generationConfig"))
    system = v.mapping(fields.get("systemInstruction", fields.get("system_instruction")))
    contents = [_message(v.mapping(content), "user") for content in v.items(fields.get("contents"))]
    tools = [v.mapping(tool) for tool in v.items(fields.get("tools"))]
    declared = [v.mapping(one) for tool in tools for one in v.items(tool.get("functionDeclarations"))]
    return RequestFacts(
        api=api_name(path),
        request_hash=v.request_hash(body),
        model=v.text(model) or v.text(outer.get("model")),
        stream=verb == "streamGenerateContent" if verb else None,
        params={ours: config[theirs] for theirs, ours in _PARAMS.items() if config.get(theirs) is not None},
        messages=(*([{**_message(system, "user"), "role": "system"}] if system else []), *contents),
        tools=tuple(name for one in declared if (name := v.text(one.get("name")))),
    )


def _split(path: str) -> tuple[str, str] | None:
    """Model (empty where the path has none) and verb of a path of this API."""
    before, verb = next(
        ((path[: -len(one)], one) for one in _VERBS if path.endswith((f":{one}", f"%3A{one}", f"%3a{one}"))), ("", "")
    )
    before = before.removesuffix(":").removesuffix("%3A").removesuffix("%3a")
    _, _, model = before.partition("/models/")
    return (unquote(model), verb) if verb and (model or before.endswith("/v1internal")) else None


def response_facts(status: int, content_type: str, body: bytes) -> ResponseFacts:
    """Reads an answer, streamed or not, as far as it came. Never raises."""
    if not 200 <= status < 300:
        return refusal(status, body)
    if looks_like_events(content_type, body):
        documents, whole = [v.load(event.data) for event in read_events(body)], None
    else:
        documents, whole = _documents(body)
    answers = [v.mapping(document) for document in documents]
    return _facts([v.mapping(answer.get("response")) or answer for answer in answers if answer], whole)


def _documents(body: bytes) -> tuple[list[Any], bool]:
    """The one document, or the elements of a streamed array as far as they are whole; and whether all of it is."""
    document = v.load(body)
    if document is not None:
        return (document if isinstance(document, list) else [document]), True
    decoder, text, found = JSONDecoder(), body.decode("utf-8", "replace").lstrip(), list[Any]()
    position = 1 if text.startswith("[") else len(text)
    while position < len(text):
        try:
            element, position = decoder.raw_decode(text, position)
        except (JSONDecodeError, RecursionError):
            break
        found.append(element)
        while position < len(text) and text[position] in ", \r\n\t":
            position += 1
    return found, False


def _facts(answers: list[dict[str, Any]], whole: bool | None) -> ResponseFacts:
    model = response_id = blocked = None
    usage: dict[str, Any] = {}
    error: tuple[str | None, str | None] = (None, None)
    parts: dict[int, list[Part]] = {}
    reasons: dict[int, str] = {}
    for answer in answers:
        model = v.text(answer.get("modelVersion")) or model
        response_id = v.text(answer.get("responseId")) or response_id
        usage.update(v.mapping(answer.get("usageMetadata")))
        blocked = v.text(v.mapping(answer.get("promptFeedback")).get("blockReason")) or blocked
        if answer.get("error"):
            error = read_error(answer)
        for position, item in enumerate(v.items(answer.get("candidates"))):
            candidate = v.mapping(item)
            number = v.index(candidate.get("index"))
            number = position if number is None else number
            _extend(parts.setdefault(number, []), _message(v.mapping(candidate.get("content")), "model")["parts"])
            if reason := v.text(candidate.get("finishReason")):
                reasons[number] = reason
    finish = tuple(reasons[number] for number in sorted(reasons)) or ((blocked,) if blocked else ())
    return ResponseFacts(
        model=model,
        response_id=response_id,
        usage=_usage(usage),
        finish_reasons=finish,
        messages=tuple({"role": "assistant", "parts": parts[number]} for number in sorted(parts)),
        error_type=error[0],
        error_message=error[1],
        done=bool(finish) if whole is None else whole and bool(answers),
    )


def _extend(parts: list[Part], more: list[Part]) -> None:
    """Adds what came next; pieces of one text become one text."""
    for part in more:
        if parts and part["type"] in ("text", "reasoning") and parts[-1]["type"] == part["type"]:
            parts[-1] = {**part, "content": parts[-1]["content"] + part["content"]}
        else:
            parts.append(part)


def _usage(usage: dict[str, Any]) -> TokenUsage:
    """This API counts thoughts beside the output and tool prompts beside the input; both are part of them."""
    thoughts = v.count(usage.get("thoughtsTokenCount"))
    return TokenUsage(
        input=v.total(v.count(usage.get("promptTokenCount")), v.count(usage.get("toolUsePromptTokenCount"))),
        output=v.total(v.count(usage.get("candidatesTokenCount")), thoughts),
        cache_read=v.count(usage.get("cachedContentTokenCount")),
        reasoning=thoughts,
    )


def _message(content: dict[str, Any], default_role: str) -> Message:
    parts = [_part(v.mapping(part)) for part in v.items(content.get("parts"))]
    role = v.text(content.get("role")) or default_role
    if parts and all(part["type"] == "tool_call_response" for part in parts):
        role = "tool"
    return {"role": "assistant" if role == "model" else role, "parts": parts}


def _part(part: dict[str, Any]) -> Part:
    if called := v.mapping(part.get("functionCall")):
        return tool_call_part(v.text(called.get("id")), v.text(called.get("name")), called.get("args"))
    if given := v.mapping(part.get("functionResponse")):
        identity = v.text(given.get("id")) or v.text(given.get("name"))
        return tool_response_part(identity, given.get("response"))
    written = part.get("text")
    if isinstance(written, str):
        return reasoning_part(written) if part.get("thought") is True else text_part(written)
    return {"type": next(iter(part), "unknown")}
