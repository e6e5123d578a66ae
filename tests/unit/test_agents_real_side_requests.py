"""What agents send beside their model calls must not make a whole record look partial."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabtrace.model import semconv as sc
from cabtrace.runner.calls import CallRecorder, call_completeness
from cabtrace.runner.proxy.proxy import ModelProxy
from tests.support.proxy_rig import KEY, TOKEN, Upstream
from tests.support.recording import new_recorder

CHAT = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'


@pytest.fixture
def calls(tmp_path: Path) -> CallRecorder:
    recorder = new_recorder(tmp_path)
    root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
    return CallRecorder(recorder, root, root)


@pytest.fixture
def proxy(calls: CallRecorder) -> Iterator[ModelProxy]:
    upstream = Upstream()
    proxy = ModelProxy(upstream.url, KEY, TOKEN, calls)
    proxy.start()
    yield proxy
    proxy.stop(0)
    upstream.close()


def send(proxy: ModelProxy, method: str, path: str, body: bytes = b"", *, token: bool = True) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"} if token else {}
    connection.request(method, path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_warm_up_without_the_key_and_a_report_of_costs_leave_the_record_complete(
    proxy: ModelProxy, calls: CallRecorder
) -> None:
    assert send(proxy, "HEAD", "/", token=False) == 401
    assert send(proxy, "GET", "/v1/models") == 200
    assert send(proxy, "POST", "/v1/analytics/codex/turn-costs", b"{}") == 200
    assert send(proxy, "POST", "/v1/chat/completions", CHAT) == 200

    assert call_completeness(calls) == {"model_calls": "complete", "unrecorded_requests": 2}


@pytest.mark.parametrize(("path", "token"), [("/v1/embeddings", True), ("/v1/chat/completions", False)])
def test_what_may_have_been_a_model_call_makes_it_partial(path: str, token: bool, proxy: ModelProxy, calls: CallRecorder) -> None:
    send(proxy, "POST", "/v1/chat/completions", CHAT)
    send(proxy, "POST", path, CHAT, token=token)

    assert call_completeness(calls) == {"model_calls": "partial", "unrecorded_requests": 1}
