"""Model server, proxy, parsers and the reference agent together: what was served is what the record says."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.limits import MIB
from cabtrace.modelserver.script import Script
from cabtrace.modelserver.server import ModelServer
from cabtrace.protocols import LaunchContext, SandboxPaths
from cabtrace.runner.proxy.apis import find_api
from cabtrace.runner.proxy.apis.facts import RequestFacts, ResponseFacts
from cabtrace.runner.proxy.decode import decode_body
from tests.support.proxy_rig import TOKEN, Client, Tape, proxied

SCRIPT = Script.model_validate(
    {
        "schema_version": "1",
        "model": [
            {
                "name": "scripted/careful",
                "turn": [
                    {
                        "text": "I will look.",
                        "tool_call": [{"name": "*", "arguments": {"command": "ls; echo hello > hello.txt"}}],
                        "usage": {"input": 812, "output": 54, "cached": 10, "reasoning": 4},
                    },
                    {"text": "Done: hello.txt", "fault": {"status": 429, "retry_after_s": 0.01, "times": 1}},
                ],
            }
        ],
    }
)


def read(tape: Tape) -> tuple[RequestFacts, ResponseFacts]:
    api = find_api(tape.request.method, tape.request.path)
    assert api is not None
    decoded = decode_body(tape.headers.get("content-encoding", ""), tape.body, MIB)
    assert decoded.whole
    answer = api.response_facts(tape.status or 0, tape.headers.get("content-type", ""), decoded.data)
    return api.request_facts(tape.request.body), answer


@pytest.fixture
def model():
    server = ModelServer([SCRIPT], speed=0)
    server.start()
    yield server
    server.stop()


def test_the_reference_agent_recorded_through_the_proxy(model, tmp_path: Path):
    paths = SandboxPaths(str(tmp_path), str(tmp_path / "home"), "", "", "")
    with proxied(model.url) as (proxy, tapes):
        context = LaunchContext("Say hello", "scripted/careful", proxy.base_url("127.0.0.1"), TOKEN, paths, 60, "local")
        launch = find_agent("reference").launch(context)
        for name, content in launch.files.items():
            (tmp_path / "home").mkdir()
            (tmp_path / "home" / name).write_bytes(content)
        environment = {"PATH": os.environ["PATH"], **launch.env}
        done = subprocess.run(launch.argv, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
        for tape in tapes.calls:
            assert tape.ended.wait(10)
    assert (tmp_path / "hello.txt").read_text() == "hello\n"
    facts = [read(tape) for tape in tapes.calls]
    assert [request.request_hash for request, _ in facts] == [served.request_hash for served in model.requests]
    assert [tape.status for tape in tapes.calls] == [200, 429, 200]
    assert [tape.ends for tape in tapes.calls] == [[None]] * 3
    first, refused, last = (answer for _, answer in facts)
    assert (first.usage.input, first.usage.output, first.usage.cache_read, first.usage.reasoning) == (812, 54, 10, 4)
    assert first.messages[0]["parts"][1]["arguments"] == {"command": "ls; echo hello > hello.txt"}
    assert refused.error_type == "rate_limit_error"
    assert (last.finish_reasons, last.done) == (("stop",), True)
    assert facts[2][0].messages[-1]["parts"][0]["type"] == "tool_call_response"


REQUESTS = {
    "/v1/chat/completions": {"stream": True, "messages": [{"role": "user", "content": "x"}]},
    "/v1/responses": {"stream": True, "input": "x"},
    "/v1/messages": {"stream": True, "messages": [{"role": "user", "content": "x"}]},
    "/v1beta/models/scripted%2Fcareful:streamGenerateContent?alt=sse": {"contents": [{"role": "user", "parts": [{"text": "x"}]}]},
}
TOOLS = [{"name": "bash", "parameters": {"properties": {"command": {}}}}]


@pytest.mark.parametrize("path", REQUESTS)
def test_each_api_through_the_proxy_is_what_it_is_without(model, path):
    body = json.dumps({"model": "scripted/careful", "tools": TOOLS, **REQUESTS[path]}).encode()
    with Client(int(model.url.split(":")[2].split("/")[0])) as direct:
        direct.send(body, path)
        expected = direct.read()
    with proxied(model.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(body, path)
        response = client.read()
        assert tapes.calls[0].ended.wait(10)
    assert (response.status, response.chunks) == (200, expected.chunks)
    names = {name for name, _ in expected.headers}
    assert names == {name for name, _ in response.headers}
    request, answer = read(tapes.calls[0])
    assert (request.request_hash, answer.usage.input, answer.usage.output) == (model.requests[0].request_hash, 812, 54)
    assert answer.done


def test_50_calls_at_once_do_not_mix(model):
    def one(number: int) -> None:
        body = json.dumps({"model": "scripted/careful", "messages": [{"role": "user", "content": str(number)}], "stream": True})
        with Client(proxy.port) as client:
            client.send(body.encode(), x_number=str(number))
            answers[number] = client.read().body

    answers: dict[int, bytes] = {}
    with proxied(model.url) as (proxy, tapes):
        threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert all(tape.ended.wait(10) for tape in tapes.calls)
    assert len(tapes.calls) == len(answers) == 50
    for tape in tapes.calls:
        number = int(tape.request.headers["x-number"])
        assert tape.body == answers[number]
        assert read(tape)[0].messages[0]["parts"][0]["content"] == str(number)
