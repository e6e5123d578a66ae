"""The scripted model over HTTP, in all four APIs: what it sends is what the parsers of those APIs read."""

from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

import pytest

from cabtrace.errors import CabtraceError
from cabtrace.model.model_call import TokenUsage
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.proxy.apis import find_api

USAGE = {"input": 812, "output": 54, "cached": 100, "reasoning": 9}
LOOK = {"text": "I will look at the code first.", "tool_call": [{"name": "*", "arguments": {"command": "ls -R"}}], "usage": USAGE}
SCRIPT = Script.model_validate(
    {"schema_version": "1", "model": [{"name": "m", "without_tools": "A title", "turn": [LOOK, {"text": "Fixed — done."}]}]}
)
PARAMETERS = {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]}


def faulty(**fault: object) -> Script:
    return Script.model_validate({"schema_version": "1", "model": [{"name": "m", "turn": [{"text": "a b c d", "fault": fault}]}]})


class Chat:
    path = "/v1/chat/completions"

    @staticmethod
    def request(stream, turns=0, tool="bash", tools=True):
        said = [
            {"role": "user", "content": "go"},
            *[{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}] * turns,
        ]
        offered = [{"type": "function", "function": {"name": tool, "parameters": PARAMETERS}}] if tools else []
        return {"model": "m", "stream": stream, "messages": said, "tools": offered}


class Responses:
    path = "/v1/responses"

    @staticmethod
    def request(stream, turns=0, tool="bash", tools=True):
        again = [
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
            {"type": "function_call", "call_id": "c", "name": tool, "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "y"},
        ]
        offered = [{"type": "function", "name": tool, "parameters": PARAMETERS}] if tools else []
        return {"model": "m", "stream": stream, "input": [{"role": "user", "content": "go"}, *again * turns], "tools": offered}


class Messages:
    path = "/v1/messages"

    @staticmethod
    def request(stream, turns=0, tool="bash", tools=True):
        said = [
            {"role": "user", "content": "go"},
            *[{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}] * turns,
        ]
        offered = [{"name": tool, "input_schema": PARAMETERS}] if tools else []
        return {"model": "m", "stream": stream, "max_tokens": 9, "messages": said, "tools": offered}


class Gemini:
    path = "/v1beta/models/m:streamGenerateContent?alt=sse"

    @staticmethod
    def request(stream, turns=0, tool="bash", tools=True):
        again = [{"role": "model", "parts": [{"text": "x"}]}, {"role": "user", "parts": [{"text": "y"}]}]
        offered = [{"functionDeclarations": [{"name": tool, "parametersJsonSchema": PARAMETERS}]}] if tools else []
        return {"contents": [{"role": "user", "parts": [{"text": "go"}]}, *again * turns], "tools": offered}


class GeminiArray(Gemini):
    path = "/v1beta/models/m:streamGenerateContent"


APIS = [Chat, Responses, Messages, Gemini, GeminiArray]


def path_of(api, stream: bool) -> str:
    return api.path if stream else api.path.replace("streamGenerateContent?alt=sse", "generateContent").replace("streamG", "g")


@pytest.fixture
def served():
    servers: list[ModelServer] = []

    def serve(script: Script = SCRIPT, **options) -> ModelServer:
        servers.append(ModelServer([script], speed=0, **options))
        servers[-1].start()
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


def ask(server: ModelServer, path: str, body: object = None, method: str = "POST", **headers: str):
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        sent = json.dumps(body).encode() if body is not None else None
        connection.request(method, path, sent, {"Content-Type": "application/json", **headers})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def facts_of(server, api, stream, **options):
    path = path_of(api, stream)
    response, body = ask(server, path, api.request(stream, **options))
    assert response.status == 200
    return find_api("POST", path).response_facts(200, response.getheader("Content-Type"), body)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", APIS)
def test_the_first_turn_in_each_api(served, api, stream):
    facts = facts_of(served(), api, stream)
    text, call = facts.messages[0]["parts"]
    assert text == {"type": "text", "content": "I will look at the code first."}
    assert (call["name"], call["arguments"]) == ("bash", {"cmd": "ls -R"})
    assert facts.usage.input == 812
    assert facts.usage.output == 54
    assert facts.usage.cache_read == 100
    assert facts.done
    assert facts.model == "m"


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("api", APIS)
def test_later_turns_follow_the_assistant_messages_and_the_end_is_done(served, api, stream):
    server = served()
    assert facts_of(server, api, stream, turns=1).messages[0]["parts"] == [{"type": "text", "content": "Fixed — done."}]
    for turns in (2, 7):
        assert facts_of(server, api, stream, turns=turns).messages[0]["parts"] == [{"type": "text", "content": "Done."}]
    assert facts_of(server, api, stream, turns=0).messages[0]["parts"][1]["type"] == "tool_call"


@pytest.mark.parametrize("api", APIS)
def test_a_request_without_tools_gets_a_short_text_and_advances_nothing(served, api):
    server = served()
    for turns in (0, 1):
        facts = facts_of(server, api, True, turns=turns, tools=False)
        assert facts.messages[0]["parts"] == [{"type": "text", "content": "A title"}]


def test_of_several_texts_without_tools_those_that_the_request_holds_are_over():
    """As aider sends it: examples of its own first, then what was said."""
    script = Script.model_validate({"schema_version": "1", "model": [{"name": "m", "without_tools": ["One.", "Two.\n"]}]})
    server = ModelServer([script], speed=0)
    server.start()
    try:
        said = []
        for before in ((), ("One.",), ("One.", "Two."), ("One.", "Two.", "Two.")):
            messages = [{"role": "assistant", "content": text} for text in ("An example.", "Ok.", *before)]
            body = {"model": "m", "messages": [*messages, {"role": "user", "content": "go on"}]}
            answer = json.loads(ask(server, "/v1/chat/completions", body)[1])
            said.append(answer["choices"][0]["message"]["content"])
    finally:
        server.stop()
    assert said == ["One.", "Two.\n", "Two.\n", "Two.\n"]


@pytest.mark.parametrize("api", APIS)
def test_the_same_request_gets_the_same_bytes(served, api):
    request = api.request(True)
    first, second = (ask(served(), api.path, request)[1] for _ in range(2))
    assert first == second
    other = ask(served(), api.path, api.request(True, turns=1))[1]
    assert other != first


@pytest.mark.parametrize(
    ("tool", "schema", "arguments"),
    [
        ("Bash", {"properties": {"command": {}, "description": {"type": "string"}}, "required": ["command", "description"]},
         {"command": "ls -R", "description": "as scripted"}),
        ("exec_command", {"properties": {"cmd": {"type": "string"}}}, {"cmd": "ls -R"}),
        ("shell", {"properties": {"command": {"type": "array"}}}, {"command": ["bash", "-lc", "ls -R"]}),
        ("run_shell_command", {"properties": {"command": {}, "bg": {"type": "boolean"}}, "required": ["bg"]},
         {"command": "ls -R", "bg": False}),
        ("shell", {}, {"command": "ls -R"}),
    ],
)  # fmt: skip
def test_the_shell_of_each_agent_is_called_in_its_own_way(served, tool, schema, arguments):
    tools = [
        {"type": "function", "function": {"name": n, "parameters": s}}
        for n, s in (("read_file", {}), (tool, schema), ("bash", {}))
    ]
    _, body = ask(served(), Chat.path, {"model": "m", "messages": [], "tools": tools})
    called = json.loads(body)["choices"][0]["message"]["tool_calls"][0]["function"]
    assert (called["name"], json.loads(called["arguments"])) == (tool, arguments)


def test_without_a_shell_there_is_only_the_text(served):
    facts = facts_of(served(), Chat, True, tool="read_file")
    assert [part["type"] for part in facts.messages[0]["parts"]] == ["text"]
    assert facts.finish_reasons == ("stop",)


def test_tokens_that_the_script_leaves_out_are_counted_the_same_every_time(served):
    server = served()
    first, second = (facts_of(server, Chat, True, turns=1).usage for _ in range(2))
    assert first == second
    assert first.input is not None
    assert first.input > 20
    assert first.output == 4  # 13 characters, four a token


def test_counting_tokens(served):
    server = served()
    assert json.loads(ask(server, "/v1/messages/count_tokens", Messages.request(False))[1]) == {"input_tokens": 812}
    assert json.loads(ask(server, "/v1beta/models/m:countTokens", Gemini.request(False))[1]) == {"totalTokens": 812}


def test_models_and_unknown_paths(served):
    server = served()
    listed = json.loads(ask(server, "/v1/models", method="GET")[1])
    assert [model["id"] for model in listed["data"]] == ["m"]
    assert json.loads(ask(server, "/v1/analytics/turn-costs", {})[1]) == {}
    assert ask(server, "/", method="HEAD")[0].status == 200


def test_what_was_asked_is_kept(served):
    server = served()
    request = Chat.request(True)
    ask(server, Chat.path, request)
    ask(server, "/v1/models", method="GET")
    first, second = server.requests
    assert (first.method, first.path, first.model, first.status) == ("POST", Chat.path, "m", 200)
    assert first.request_hash == find_api("POST", Chat.path).request_facts(json.dumps(request).encode()).request_hash
    assert (second.path, second.request_hash) == ("/v1/models", "")


@pytest.mark.parametrize("api", APIS)
def test_an_unknown_model_and_a_broken_body_are_errors_of_that_api(served, api):
    server = served()
    path = api.path.replace("models/m", "models/other")
    response, body = ask(server, path, {**api.request(True), "model": "other"})
    facts = find_api("POST", path).response_facts(response.status, "", body)
    assert response.status == 404
    assert "'other'" in (facts.error_message or "")
    assert ask(server, api.path, [1])[0].status == 400


@pytest.mark.parametrize("api", APIS)
def test_a_key_where_one_is_wanted(served, api):
    server = served(api_key="secret")
    assert ask(server, api.path, api.request(True))[0].status == 401
    assert ask(server, api.path, api.request(True), Authorization="Bearer wrong")[0].status == 401
    for headers in ({"Authorization": "Bearer secret"}, {"x-api-key": "secret"}, {"x-goog-api-key": "secret"}):
        assert ask(server, api.path, api.request(True), **headers)[0].status == 200
    assert [served.status for served in server.requests] == [401, 401, 200, 200, 200]


@pytest.mark.parametrize("api", APIS)
def test_a_status_goes_away_after_so_many_times_and_comes_back_for_the_next_run(served, api):
    server = served(faulty(status=429, retry_after_s=0.5, times=2))
    for _ in range(2):
        answers = [ask(server, api.path, api.request(True))[0] for _ in range(3)]
        assert [answer.status for answer in answers] == [429, 429, 200]
        assert answers[0].getheader("Retry-After") == "0.5"


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stream", [True, False])
def test_a_cut_is_a_reset_connection(served, api, stream):
    server = served(faulty(cut_after_chunks=2))
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(server, path_of(api, stream), api.request(stream))


@pytest.mark.parametrize("api", APIS)
def test_garbage_is_nothing_to_any_parser(served, api):
    response, body = ask(served(faulty(garbage=True)), api.path, api.request(True))
    facts = find_api("POST", api.path).response_facts(response.status, response.getheader("Content-Type"), body)
    assert (response.status, facts.messages, facts.usage, facts.done) == (200, (), TokenUsage(), False)


def test_a_hang_lasts_until_the_client_is_gone(served):
    server = served(faulty(hang_s=60))
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=0.2)
    connection.request("POST", Chat.path, json.dumps(Chat.request(True)))
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()


@pytest.mark.parametrize("stream", [True, False])
def test_latencies_are_the_scripts_times_the_speed(served, stream):
    turn = {"text": "a b c d e", "first_token_ms": 400, "chunk_ms": 40}
    script = Script.model_validate({"schema_version": "1", "model": [{"name": "m", "turn": [turn]}]})
    server = ModelServer([script], speed=0.25)
    server.start()
    started = time.monotonic()
    facts_of(server, Chat, stream)
    took_s = time.monotonic() - started
    server.stop()
    assert took_s >= 0.25 * (0.400 + 4 * 0.040)

    endless = {**turn, "first_token_ms": 3_600_000}
    hurried = served(Script.model_validate({"schema_version": "1", "model": [{"name": "m", "turn": [endless]}]}))
    assert facts_of(hurried, Chat, stream).done  # speed 0 waits for nothing, else this would take an hour


def test_a_port_that_is_taken_is_one_clear_sentence(served):
    port = urlsplit(served().url).port
    with pytest.raises(CabtraceError, match=f"cannot listen on 127.0.0.1:{port}"):
        ModelServer([SCRIPT], port=port).start()
