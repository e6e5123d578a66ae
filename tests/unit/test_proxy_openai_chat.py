import hashlib
import json

import pytest

from cabtrace.model.model_call import TokenUsage
from cabtrace.runner.proxy.apis import find_api
from cabtrace.runner.proxy.apis.openai_chat import request_facts, response_facts

REQUEST = {
    "model": "m-1",
    "stream": True,
    "max_completion_tokens": 9,
    "temperature": 0,
    "stop": ["x"],
    "tools": [{"type": "function", "function": {"name": "shell", "parameters": {}}}],
    "messages": [
        {"role": "system", "content": "be good"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": {"url": "data:"}}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "shell", "arguments": '{"command": "ls"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    ],
}


def sse(*events: object, end: str = "\n\n") -> bytes:
    return "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}{end}" for event in events).encode()


def delta(finish=None, **fields):
    return {"id": "r1", "model": "m-1-x", "choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


STREAM = [
    delta(role="assistant", content=""),
    delta(reasoning_content="hm"),
    delta(content="I "),
    delta(content="look"),
    delta(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "shell", "arguments": ""}}]),
    delta(tool_calls=[{"index": 0, "function": {"arguments": '{"comm'}}]),
    delta(tool_calls=[{"index": 1, "id": "c2", "function": {"name": "shell", "arguments": '{"command": "b"}'}}]),
    delta(tool_calls=[{"index": 0, "function": {"arguments": 'and": "a"}'}}]),
    delta(finish="tool_calls"),
    {
        "choices": [],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "prompt_tokens_details": {"cached_tokens": 60},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
    },
    "[DONE]",
]
PARTS = [
    {"type": "reasoning", "content": "hm"},
    {"type": "text", "content": "I look"},
    {"type": "tool_call", "id": "c1", "name": "shell", "arguments": {"command": "a"}},
    {"type": "tool_call", "id": "c2", "name": "shell", "arguments": {"command": "b"}},
]


def test_a_request_is_read():
    facts = request_facts(json.dumps(REQUEST).encode())
    assert (facts.api, facts.model, facts.stream, facts.tools) == ("openai.chat", "m-1", True, ("shell",))
    assert facts.params == {"max_tokens": 9, "temperature": 0, "stop_sequences": ["x"]}
    assert facts.messages == (
        {"role": "system", "parts": [{"type": "text", "content": "be good"}]},
        {"role": "user", "parts": [{"type": "text", "content": "hi"}, {"type": "image_url"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "shell", "arguments": {"command": "ls"}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "a\nb"}]},
    )


def test_the_hash_is_of_the_canonical_json():
    document = {"b": [1, 2.5, None, True], "a": "ü€😀\u2028", "big": 2**70}
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    expected = hashlib.sha256(canonical).hexdigest()
    assert request_facts(json.dumps(document).encode()).request_hash == expected
    assert request_facts(json.dumps(document, indent=3, ensure_ascii=False).encode()).request_hash == expected
    assert request_facts(b"not json").request_hash == hashlib.sha256(b"not json").hexdigest()
    assert request_facts(b'"\\ud800"').request_hash == hashlib.sha256(b'"\xed\xa0\x80"').hexdigest()
    assert request_facts(b"[" * 100_000).request_hash == hashlib.sha256(b"[" * 100_000).hexdigest()


def test_a_stream_is_put_together():
    facts = response_facts(200, "text/event-stream", sse(*STREAM))
    assert facts.messages == ({"role": "assistant", "parts": PARTS},)
    assert facts.usage == TokenUsage(input=100, output=20, cache_read=60, reasoning=5)
    assert (facts.model, facts.response_id, facts.finish_reasons, facts.done) == ("m-1-x", "r1", ("tool_calls",), True)
    assert facts.error_type is None


def test_carriage_returns_comments_and_a_missing_type_change_nothing():
    body = b": ping\r\n\r\n" + sse(*STREAM, end="\r\n\r\n")
    assert response_facts(200, "", body) == response_facts(200, "text/event-stream", sse(*STREAM))


def test_a_stream_cut_anywhere_keeps_what_came_and_is_never_done_too_early():
    body = sse(*STREAM)
    finish_at = body.index(b'"tool_calls"}')
    for cut in range(0, len(body), 3):
        facts = response_facts(200, "text/event-stream", body[:cut])
        assert not facts.done or cut > finish_at
        text = "".join(part["content"] for m in facts.messages for part in m["parts"] if part["type"] == "text")
        assert "I look".startswith(text)
        assert facts.usage.input in (None, 100)


def test_a_half_tool_call_keeps_its_arguments_as_text():
    facts = response_facts(200, "text/event-stream", sse(*STREAM[:6]))
    assert facts.messages[0]["parts"][-1]["arguments"] == '{"comm'
    assert not facts.done


def test_the_last_usage_wins_and_none_is_unknown():
    first, last = ({"choices": [], "usage": {"prompt_tokens": n, "completion_tokens": n}} for n in (1, 7))
    assert response_facts(200, "", sse(first, last, {"usage": None})).usage == TokenUsage(input=7, output=7)
    assert response_facts(200, "", sse(STREAM[0])).usage == TokenUsage()


def test_tool_calls_without_index_are_told_apart_by_id():
    calls = [delta(tool_calls=[{"id": i, "function": {"name": "f", "arguments": {"n": i}}}]) for i in ("a", "b")]
    parts = response_facts(200, "", sse(*calls)).messages[0]["parts"]
    assert [(part["id"], part["arguments"]) for part in parts] == [("a", {"n": "a"}), ("b", {"n": "b"})]


def test_an_answer_in_one_piece():
    body = {
        "id": "r1",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "prompt_cache_hit_tokens": 2},
    }
    facts = response_facts(200, "application/json", json.dumps(body).encode())
    assert facts.messages == ({"role": "assistant", "parts": [{"type": "text", "content": "hi"}]},)
    assert (facts.usage, facts.finish_reasons, facts.done) == (TokenUsage(input=3, output=1, cache_read=2), ("stop",), True)


def test_an_error_within_a_stream():
    facts = response_facts(
        200, "text/event-stream", sse(STREAM[2], {"error": {"type": "overloaded", "message": "busy", "code": 502}})
    )
    assert (facts.error_type, facts.error_message, facts.done) == ("overloaded", "busy", False)


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (429, b'{"error": {"message": "slow down", "type": "rate_limit_error"}}', "rate_limit_error", "slow down"),
        (401, b'{"error": {"message": "no", "type": null, "code": "invalid_api_key"}}', "invalid_api_key", "no"),
        (400, b'{"error": "bad"}', "bad", "bad"),
        (502, b"<html>Bad Gateway</html>", "502", "<html>Bad Gateway</html>"),
        (500, b"", "500", None),
        (400, b'[{"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT"}}]', "INVALID_ARGUMENT", "m"),
    ],
)
def test_refusals(status, body, kind, message):
    facts = response_facts(status, "application/json", body)
    assert (facts.error_type, facts.error_message) == (kind, message)


@pytest.mark.parametrize(
    ("method", "path", "api"),
    [
        ("POST", "/v1/chat/completions", "openai.chat"),
        ("POST", "/chat/completions?api-version=2", "openai.chat"),
        ("POST", "/openai/deployments/x/chat/completions", "openai.chat"),
        ("POST", "/v1/responses", "openai.responses"),
        ("POST", "/v1/responses/compact", "openai.responses"),
        ("POST", "/v1/messages?beta=true", "anthropic.messages"),
        ("POST", "/v1/messages/count_tokens", "anthropic.count_tokens"),
        ("POST", "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "gemini.generate_content"),
        ("POST", "/v1beta/models/gemini-2.5-pro%3AgenerateContent", "gemini.generate_content"),
        ("POST", "/v1beta/models/org/m:generateContent", "gemini.generate_content"),
        ("POST", "/v1beta/models/m:countTokens", "gemini.count_tokens"),
        ("POST", "/v1internal:generateContent", "gemini.generate_content"),
        ("GET", "/v1/chat/completions", None),
        ("POST", "/v1/threads/t/messages", None),
        ("GET", "/v1/models", None),
        ("POST", "/v1/analytics/codex/turn-costs", None),
    ],
)
def test_paths_find_their_api(method, path, api):
    found = find_api(method, path)
    assert (found.name if found else None) == api
