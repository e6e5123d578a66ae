"""What goes wrong between agent and endpoint: the agent sees what it would have seen, the record says what happened."""

from __future__ import annotations

import socket
import threading

import pytest

from cabtrace.errors import CabtraceError, UsageError
from cabtrace.runner.proxy.proxy import ModelProxy
from cabtrace.runner.proxy.sink import CallRequest
from cabtrace.runner.proxy.upstream import Timeouts
from tests.support.proxy_rig import CLOSE, END, KEY, RESET, TOKEN, Client, Tapes, Upstream, chunk, head, proxied, whole

STREAM = head(200, Content_Type="text/event-stream", Transfer_Encoding="chunked")


@pytest.fixture
def upstream():
    made = Upstream(
        {
            "429": [head(429, Retry_After="3", Content_Length="2") + b"{}"],
            "500": [whole(500, b"oops", "text/plain")],
            "close": [STREAM + chunk(b"data: 1\n\n"), CLOSE],
            "reset": [STREAM + chunk(b"data: 1\n\n"), lambda: threading.Event().wait(0.05), RESET],
            "short": [head(200, Content_Length="100") + b"only this", CLOSE],
            "nothing": [CLOSE],
            "garbage": [b"\x00\x01 not http at all\r\n\r\n", CLOSE],
            "bad-chunk": [STREAM + chunk(b"data: 1\n\n"), lambda: threading.Event().wait(0.05), b"zz\r\nwhat\r\n", CLOSE],
            "hang": [lambda: threading.Event().wait(30)],
            "stall": [STREAM + chunk(b"data: 1\n\n"), lambda: threading.Event().wait(30)],
            "fine": [STREAM + chunk(b"data: 1\n\n") + END],
        }
    )
    yield made
    made.close()


@pytest.mark.parametrize(("plan", "status", "body"), [("429", 429, b"{}"), ("500", 500, b"oops")])
def test_error_answers_pass_unchanged(upstream, plan, status, body):
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(x_plan=plan)
        response = client.read()
    assert (response.status, response.body) == (status, body)
    assert (tapes.calls[0].status, tapes.calls[0].body, tapes.calls[0].ends) == (status, body, [None])


@pytest.mark.parametrize("plan", ["close", "reset", "short", "bad-chunk"])
def test_a_body_that_is_cut_reaches_the_agent_cut(upstream, plan):
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(x_plan=plan)
        response = client.read()
        assert tapes.calls[0].ended.wait(10)
    assert response.status == 200
    assert not response.complete
    assert response.body == tapes.calls[0].body == (b"only this" if plan == "short" else b"data: 1\n\n")
    assert tapes.calls[0].ends == ["upstream_reset"]


@pytest.mark.parametrize("plan", ["nothing", "garbage"])
def test_an_endpoint_that_hangs_up_without_an_answer_looks_like_that_to_the_agent(upstream, plan):
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(x_plan=plan)
        with pytest.raises((EOFError, ConnectionError)):
            client.read()
        assert tapes.calls[0].ended.wait(10)
    assert tapes.calls[0].ends == ["upstream_reset"]
    assert tapes.calls[0].status is None


def test_an_endpoint_that_is_not_there_is_a_502_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with proxied(f"http://127.0.0.1:{port}/v1") as (proxy, tapes), Client(proxy.port) as client:
        client.send()
        response = client.read()
    assert response.status == 502
    assert f"127.0.0.1:{port}".encode() in response.body
    assert KEY.encode() not in response.body
    assert tapes.calls[0].ends == ["connect_error"]


@pytest.mark.parametrize(("plan", "status"), [("hang", 504), ("stall", 200)])
def test_silence_ends_as_a_timeout(upstream, plan, status):
    with proxied(upstream.url, timeouts=Timeouts(idle_s=0.2)) as (proxy, tapes), Client(proxy.port) as client:
        client.send(x_plan=plan)
        response = client.read()
        assert tapes.calls[0].ended.wait(10)
    assert response.status == status
    assert tapes.calls[0].ends == ["timeout"]


@pytest.mark.parametrize("plan", ["hang", "stall"])
def test_an_agent_that_is_gone_ends_the_call_upstream_too(upstream, plan):
    with proxied(upstream.url) as (proxy, tapes):
        with Client(proxy.port) as client:
            client.send(x_plan=plan)
            if plan == "stall":
                client.headers()
                assert client.chunk()
            else:
                while not upstream.received:
                    threading.Event().wait(0.01)
        assert tapes.calls[0].ended.wait(10)
        assert tapes.calls[0].ends == ["agent_disconnected"]


def test_an_agent_that_hangs_up_after_the_last_event_has_a_complete_call(upstream):
    gone = threading.Event()
    upstream.plans["late-end"] = [STREAM + chunk(b"data: [DONE]\n\n"), lambda: gone.wait(10), END]
    with proxied(upstream.url, timeouts=Timeouts(last_word_s=60)) as (proxy, tapes):
        with Client(proxy.port) as client:
            client.send(x_plan="late-end")
            client.headers()
            assert client.chunk() == b"data: [DONE]\n\n"
        gone.set()
        assert tapes.calls[0].ended.wait(10)
        assert tapes.calls[0].ends == [None]


@pytest.mark.parametrize("plan", ["hang", "stall"])
def test_stopping_ends_calls_in_flight_as_cancelled(upstream, plan):
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(x_plan=plan)
        while not upstream.received:
            threading.Event().wait(0.01)
        proxy.stop(0.05)
        assert tapes.calls[0].ends == ["cancelled"]
        proxy.stop()  # twice is once


def test_stopping_lets_a_call_finish_within_its_grace(upstream):
    go = threading.Event()
    upstream.plans["slow"] = [STREAM + chunk(b"data: 1\n\n"), lambda: go.wait(10), END]
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(x_plan="slow")
        client.headers()
        assert client.chunk()
        stopping = threading.Thread(target=proxy.stop, args=(10,))
        stopping.start()
        go.set()
        stopping.join(20)
        assert tapes.calls[0].ends == [None]


class Broken(Tapes):
    """Raises wherever it is told to."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where

    def request(self, request: CallRequest):
        if self.where == "request":
            raise OSError(28, "No space left on device")
        tape = super().request(request)
        if self.where in ("response", "chunk", "end"):
            setattr(tape, self.where, self.fail)
        return tape

    def unrecorded(self, method: str, path: str) -> None:
        self.fail()

    def rejected(self, reason: str) -> None:
        self.fail()

    def fail(self, *_: object) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("where", ["request", "response", "chunk", "end"])
def test_a_recorder_that_raises_never_breaks_a_call(upstream, where):
    with proxied(upstream.url, Broken(where)) as (proxy, _), Client(proxy.port) as client:
        for _ in range(3):
            client.send(x_plan="fine")
            response = client.read()
            assert (response.status, response.body, response.complete) == (200, b"data: 1\n\n", True)
        client.send(b"", "/v1/models", "GET")
        assert client.read().status == 200
        client.send(Authorization="Bearer wrong")
        assert client.read().status == 401
    assert proxy.sink_errors == 5  # three calls, one unrecorded path, one refusal


def test_a_port_that_is_taken_is_one_clear_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        proxy = ModelProxy("http://127.0.0.1:9/v1", None, TOKEN, Tapes(), port=port)
        with pytest.raises(CabtraceError, match=f"cannot listen on 127.0.0.1:{port}"):
            proxy.start()


@pytest.mark.parametrize(
    ("upstream_url", "options"),
    [
        ("ftp://127.0.0.1/v1", {}),
        ("http://user:pass@127.0.0.1/v1", {}),
        ("http://127.0.0.1/v1?x=1", {}),
        ("http://127.0.0.1:99999/v1", {}),
        ("http://127.0.0.1/../v1", {}),
        ("", {}),
        ("http://127.0.0.1/v1", {"listen_host": "0.0.0.0"}),
        ("http://127.0.0.1/v1", {"listen_host": "::"}),
        ("http://127.0.0.1/v1", {"listen_host": "example.org"}),
    ],
)
def test_what_cannot_be_served_safely_is_refused_at_once(upstream_url, options):
    with pytest.raises(UsageError):
        ModelProxy(upstream_url, None, TOKEN, Tapes(), **options)


@pytest.mark.parametrize("token", ["", "short", "with space in the middle", "ümläut-ümläut-ümläut"])
def test_a_weak_token_is_refused(token):
    with pytest.raises(UsageError, match="token"):
        ModelProxy("http://127.0.0.1/v1", None, token, Tapes())
