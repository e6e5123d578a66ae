"""The model APIs whose calls are understood, one pure parser module each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cabtrace.runner.proxy.apis import anthropic_messages, gemini, openai_chat, openai_responses
from cabtrace.runner.proxy.apis.facts import RequestFacts, ResponseFacts


@dataclass(frozen=True, slots=True)
class Api:
    """How to read one call. `key_header` is where its endpoints want the key; `provider` is OpenTelemetry's name."""

    name: str
    provider: str
    key_header: str
    request_facts: Callable[[bytes], RequestFacts]
    response_facts: Callable[[int, str, bytes], ResponseFacts]


def find_api(method: str, path: str) -> Api | None:
    """The API that a request line belongs to, query or none; None if it is none that is known."""
    path = path.partition("?")[0]
    if openai_chat.matches(method, path):
        chat = openai_chat
        return Api(chat.API, "openai", "authorization", chat.request_facts, chat.response_facts)
    if openai_responses.matches(method, path):
        responses = openai_responses
        return Api(responses.API, "openai", "authorization", responses.request_facts, responses.response_facts)
    if anthropic_messages.matches(method, path):
        api = anthropic_messages.api_name(path)
        read = partial(anthropic_messages.request_facts, api=api)
        return Api(api, "anthropic", "x-api-key", read, anthropic_messages.response_facts)
    if gemini.matches(method, path):
        read = partial(gemini.request_facts, path=path)
        return Api(gemini.api_name(path), "gcp.gemini", "x-goog-api-key", read, gemini.response_facts)
    return None
