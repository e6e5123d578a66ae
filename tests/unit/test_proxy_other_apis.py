"""The parsers of OpenAI responses, Anthropic messages and Gemini, on answers as their documentation shows them."""

import json

import pytest

from cabtrace.model.model_call import TokenUsage
from cabtrace.runner.proxy.apis import anthropic_messages, gemini, openai_responses


def named(*events: dict) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def dumped(document: object) -> bytes:
    return json.dumps(document).encode()


CALL = {"type": "tool_call", "id": "c1", "name": "shell", "arguments": {"command": "ls"}}
SAID = {"type": "text", "content": "I look."}

# ------------------------------------------------------------------------------------------------ responses

USAGE = {
    "input_tokens": 100, "input_tokens_details": {"cached_tokens": 10}, "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 120,
}  # fmt: skip
MESSAGE = {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
FUNCTION = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "shell", "arguments": '{"command": "ls"}'}
RESPONSE = {"id": "r1", "model": "m-x", "status": "completed", "output": [MESSAGE, FUNCTION], "usage": USAGE}
RESPONSES_STREAM = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": [], "usage": None}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**MESSAGE, "content": []}},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "I "},
    {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "look."},
    {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
    {"type": "response.output_item.added", "output_index": 1, "item": {**FUNCTION, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"command": '},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '"ls"}'},
    {"type": "response.output_item.done", "output_index": 1, "item": FUNCTION},
    {"type": "response.completed", "response": RESPONSE},
]


def test_responses_request():
    request = {
        "model": "m", "stream": True, "instructions": "be good", "max_output_tokens": 5, "reasoning": {"effort": "low"},
        "tools": [{"type": "function", "name": "shell"}, {"type": "web_search"}],
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            MESSAGE, FUNCTION,
            {"type": "function_call_output", "call_id": "c1", "output": "a.txt"},
        ],
    }  # fmt: skip
    facts = openai_responses.request_facts(dumped(request))
    assert (facts.model, facts.stream, facts.tools) == ("m", True, ("shell", "web_search"))
    assert facts.params == {"max_tokens": 5, "reasoning_effort": "low"}
    assert facts.messages == (
        {"role": "system", "parts": [{"type": "text", "content": "be good"}]},
        {"role": "user", "parts": [{"type": "text", "content": "hi"}]},
        {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, SAID, CALL]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": "a.txt"}]},
    )
    assert openai_responses.request_facts(dumped({"input": "hi"})).messages[0]["parts"][0]["content"] == "hi"


@pytest.mark.parametrize("body", [dumped(RESPONSE), named(*RESPONSES_STREAM)], ids=["whole", "stream"])
def test_responses_answer(body):
    facts = openai_responses.response_facts(200, "", body)
    assert facts.messages == ({"role": "assistant", "parts": [SAID, CALL]},)
    assert facts.usage == TokenUsage(input=100, output=20, cache_read=10, reasoning=5)
    assert (facts.model, facts.response_id, facts.finish_reasons, facts.done) == ("m-x", "r1", ("tool_calls",), True)


def test_responses_stream_that_is_cut():
    facts = openai_responses.response_facts(200, "", named(*RESPONSES_STREAM[:3]))
    assert facts.messages == ({"role": "assistant", "parts": [{"type": "text", "content": "I "}]},)
    half = openai_responses.response_facts(200, "", named(*RESPONSES_STREAM[:7])).messages[0]["parts"]
    assert half == [SAID, {**CALL, "arguments": '{"command": '}]
    assert (facts.usage, facts.done, facts.finish_reasons) == (TokenUsage(), False, ())


def test_responses_that_fail_or_stop_early():
    failed = {
        "type": "response.failed",
        "response": {**RESPONSE, "status": "failed", "error": {"code": "server_error", "message": "x"}},
    }
    facts = openai_responses.response_facts(200, "", named(failed))
    assert (facts.error_type, facts.error_message, facts.finish_reasons, facts.done) == ("server_error", "x", ("failed",), True)
    short = {**RESPONSE, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert openai_responses.response_facts(200, "", dumped(short)).finish_reasons == ("max_output_tokens",)
    event = {"type": "error", "code": "rate_limit", "message": "slow"}
    facts = openai_responses.response_facts(200, "", named(event))
    assert (facts.error_message, facts.done) == ("slow", False)


# ------------------------------------------------------------------------------------------------ anthropic

BLOCKS = [
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "text", "text": "I look."},
    {"type": "tool_use", "id": "c1", "name": "shell", "input": {"command": "ls"}},
]
COUNTED = {"input_tokens": 100, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 7, "output_tokens": 20}
ANTHROPIC = {
    "id": "msg1", "type": "message", "role": "assistant", "model": "c-x", "content": BLOCKS, "stop_reason": "tool_use",
    "usage": COUNTED,
}  # fmt: skip
ANTHROPIC_STREAM = [
    {
        "type": "message_start",
        "message": {**ANTHROPIC, "content": [], "stop_reason": None, "usage": {**COUNTED, "output_tokens": 1}},
    },
    {"type": "ping"},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "I "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "look."}},
    {"type": "content_block_start", "index": 2, "content_block": {**BLOCKS[2], "input": {}}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"command"'}},
    {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": ': "ls"}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 20}},
    {"type": "message_stop"},
]


def test_anthropic_request():
    result = {"type": "tool_result"}
    request = {
        "model": "c", "max_tokens": 5, "top_k": 3, "system": [{"type": "text", "text": "be good"}],
        "tools": [{"name": "shell", "input_schema": {}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": BLOCKS[1:]},
            {"role": "user", "content": [{**result, "tool_use_id": "c1", "content": [{"type": "text", "text": "a"}]}]},
            {"role": "user", "content": [{**result, "tool_use_id": "c2", "content": "b"}, {"type": "text", "text": "go"}]},
        ],
    }  # fmt: skip
    facts = anthropic_messages.request_facts(dumped(request))
    assert (facts.api, facts.model, facts.stream, facts.tools) == ("anthropic.messages", "c", False, ("shell",))
    assert facts.params == {"max_tokens": 5, "top_k": 3}
    assert [message["role"] for message in facts.messages] == ["system", "user", "assistant", "tool", "user"]
    assert facts.messages[2]["parts"] == [SAID, CALL]
    assert facts.messages[3]["parts"] == [{"type": "tool_call_response", "id": "c1", "result": "a"}]


@pytest.mark.parametrize("body", [dumped(ANTHROPIC), named(*ANTHROPIC_STREAM)], ids=["whole", "stream"])
def test_anthropic_answer_counts_what_was_cached_as_input(body):
    facts = anthropic_messages.response_facts(200, "", body)
    assert facts.messages == ({"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, SAID, CALL]},)
    assert facts.usage == TokenUsage(input=137, output=20, cache_read=30, cache_write=7)
    assert (facts.model, facts.response_id, facts.finish_reasons, facts.done) == ("c-x", "msg1", ("tool_use",), True)


def test_anthropic_stream_that_is_cut_does_not_know_its_output():
    facts = anthropic_messages.response_facts(200, "", named(*ANTHROPIC_STREAM[:10]))
    assert facts.usage == TokenUsage(input=137, output=None, cache_read=30, cache_write=7)
    assert facts.messages[0]["parts"][-1] == {**CALL, "arguments": '{"command"'}
    assert (facts.finish_reasons, facts.done) == ((), False)


def test_anthropic_error_within_a_stream():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    facts = anthropic_messages.response_facts(200, "", named(*ANTHROPIC_STREAM[:8], error))
    assert (facts.error_type, facts.error_message, facts.done) == ("overloaded_error", "Overloaded", False)


def test_counting_tokens_uses_none():
    assert anthropic_messages.response_facts(200, "", b'{"input_tokens": 10}').usage == TokenUsage()


# --------------------------------------------------------------------------------------------------- gemini

PATH = "/v1beta/models/gemini-x:streamGenerateContent"
G_CALL = {"functionCall": {"id": "c1", "name": "shell", "args": {"command": "ls"}}}
G_USAGE = {
    "promptTokenCount": 90, "toolUsePromptTokenCount": 10, "cachedContentTokenCount": 40, "candidatesTokenCount": 15,
    "thoughtsTokenCount": 5, "totalTokenCount": 120,
}  # fmt: skip


def candidate(*parts: dict, finish: str | None = None, **more: object) -> dict:
    one = {"index": 0, "content": {"role": "model", "parts": [*parts]}} | ({"finishReason": finish} if finish else {})
    return {"candidates": [one], "modelVersion": "gemini-x-1", "responseId": "g1", **more}


G_WHOLE = candidate({"text": "hm", "thought": True}, {"text": "I look."}, G_CALL, finish="STOP", usageMetadata=G_USAGE)
G_PIECES = [
    candidate({"text": "hm", "thought": True}, usageMetadata={"promptTokenCount": 90}),
    candidate({"text": "I "}),
    candidate({"text": "look."}),
    candidate(G_CALL, finish="STOP", usageMetadata=G_USAGE),
]
G_EVENTS = "".join(f"data: {json.dumps(piece)}\r\n\r\n" for piece in G_PIECES).encode()


def test_gemini_request_has_model_and_streaming_in_its_path():
    request = {
        "systemInstruction": {"parts": [{"text": "be good"}]},
        "generationConfig": {"maxOutputTokens": 5, "topP": 0.5},
        "tools": [{"functionDeclarations": [{"name": "shell"}]}, {"googleSearch": {}}],
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}, {"inlineData": {"mimeType": "image/png"}}]},
            {"role": "model", "parts": [{"text": "I look."}, G_CALL]},
            {"role": "user", "parts": [{"functionResponse": {"id": "c1", "name": "shell", "response": {"output": "a"}}}]},
        ],
    }
    facts = gemini.request_facts(dumped(request), path=PATH)
    assert (facts.model, facts.stream, facts.tools) == ("gemini-x", True, ("shell",))
    assert facts.params == {"max_tokens": 5, "top_p": 0.5}
    assert facts.messages == (
        {"role": "system", "parts": [{"type": "text", "content": "be good"}]},
        {"role": "user", "parts": [{"type": "text", "content": "hi"}, {"type": "inlineData"}]},
        {"role": "assistant", "parts": [SAID, CALL]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "result": {"output": "a"}}]},
    )
    wrapped = gemini.request_facts(dumped({"model": "w", "request": request}), path="/v1internal:generateContent")
    assert (wrapped.model, wrapped.stream, wrapped.messages) == ("w", False, facts.messages)


@pytest.mark.parametrize("body", [dumped(G_WHOLE), G_EVENTS, dumped(G_PIECES), dumped({"response": G_WHOLE})])
def test_gemini_answer(body):
    facts = gemini.response_facts(200, "", body)
    assert facts.messages == ({"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}, SAID, CALL]},)
    assert facts.usage == TokenUsage(input=100, output=20, cache_read=40, reasoning=5)
    assert (facts.model, facts.response_id, facts.finish_reasons, facts.done) == ("gemini-x-1", "g1", ("STOP",), True)


@pytest.mark.parametrize("body", [G_EVENTS, dumped(G_PIECES)], ids=["events", "array"])
def test_gemini_stream_that_is_cut(body):
    for cut in range(0, len(body) - 5, 7):
        facts = gemini.response_facts(200, "text/event-stream" if body is G_EVENTS else "application/json", body[:cut])
        assert not facts.done
        text = "".join(part["content"] for m in facts.messages for part in m["parts"] if part["type"] == "text")
        assert "I look.".startswith(text)


@pytest.mark.parametrize("written", ["a/b", "a%2Fb"])
def test_gemini_model_with_a_slash(written):
    assert gemini.request_facts(b"{}", path=f"/v1beta/models/{written}:generateContent").model == "a/b"


def test_gemini_prompt_that_is_blocked():
    facts = gemini.response_facts(
        200, "", dumped({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}})
    )
    assert (facts.finish_reasons, facts.usage, facts.messages) == (("SAFETY",), TokenUsage(input=4), ())
