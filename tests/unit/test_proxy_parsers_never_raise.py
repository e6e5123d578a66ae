"""Whatever a request or an answer holds, a parser answers."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cabtrace.runner.proxy.apis import find_api
from tests.unit.test_proxy_openai_chat import STREAM, sse
from tests.unit.test_proxy_other_apis import ANTHROPIC_STREAM, G_EVENTS, RESPONSES_STREAM, named

PATHS = ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/m:streamGenerateContent"]
KEYS = [
    "model", "stream", "messages", "input", "contents", "tools", "system", "instructions", "choices", "delta", "message",
    "content", "parts", "tool_calls", "function", "name", "arguments", "index", "id", "type", "text", "usage",
    "prompt_tokens", "input_tokens", "prompt_tokens_details", "cached_tokens", "usageMetadata", "output", "item", "response",
    "output_index", "error", "code", "status", "candidates", "finishReason", "functionCall", "args", "functionResponse",
    "content_block", "partial_json", "finish_reason", "stop_reason", "request", "generationConfig", "reasoning", "summary",
    "role", "function_call", "tool_use_id", "promptTokenCount",
]  # fmt: skip
WORDS = st.sampled_from([
    "text", "tool_use", "tool_result", "function_call", "message_start", "message_delta", "content_block_delta", "error",
    "message", "content_block_start", "input_json_delta", "text_delta", "response.output_item.added", "response.completed",
    "tool", "reasoning", "response.output_text.delta", "response.function_call_arguments.delta", "function_call_output",
    "\ud800", "", "{", "1",
])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WORDS | st.text(max_size=5)
DOCUMENTS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6), max_leaves=30
)


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=100, deadline=None)
@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=5), status=st.sampled_from([200, 400, 529]))
def test_on_any_json(path, documents, status):
    api = find_api("POST", path)
    texts = [json.dumps(document) for document in documents]
    api.request_facts(texts[0].encode())
    for body in (texts[0], f"[{','.join(texts)}]", "".join(f"data: {text}\n\n" for text in texts)):
        facts = api.response_facts(status, "", body.encode())
        assert all(count is None or count >= 0 for count in (facts.usage.input, facts.usage.output, facts.usage.cache_read))
        assert all(isinstance(reason, str) for reason in facts.finish_reasons)
        assert all(isinstance(message["role"], str) and isinstance(message["parts"], list) for message in facts.messages)
        json.dumps(facts.messages)


@pytest.mark.parametrize("path", PATHS)
def test_on_mutated_streams(path):
    api = find_api("POST", path)
    rng = random.Random(path)
    good = {PATHS[0]: sse(*STREAM), PATHS[1]: named(*RESPONSES_STREAM), PATHS[2]: named(*ANTHROPIC_STREAM), PATHS[3]: G_EVENTS}[
        path
    ]
    for _ in range(300):
        body = bytearray(good[: rng.randrange(len(good))])
        for _ in range(rng.randrange(12)):
            if body:
                body[rng.randrange(len(body))] = rng.choice(b'{}[]":,0ntd\n\r\\\xff')
        api.request_facts(bytes(body))
        api.response_facts(200, rng.choice(("text/event-stream", "application/json", "")), bytes(body))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff" * 50, b"[" * 200_000, b'{"a":' * 100_000, b"data: " + b"[" * 50_000, b"1e999", b"null"]
)
def test_on_garbage(path, body):
    api = find_api("POST", path)
    assert api.request_facts(body).messages == ()
    assert api.response_facts(200, "", body).messages == ()
