"""Who gets in, where the real key goes, what the proxy bears: P1, P3 and P5."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import psutil
import pytest

from cabtrace.limits import Limits
from cabtrace.runner.proxy.proxy import ModelProxy
from cabtrace.runner.proxy.upstream import Timeouts
from tests.support.proxy_rig import CHAT, END, KEY, TOKEN, Client, Tapes, Upstream, chunk, head, proxied

MESSAGES, GEMINI = "/v1/messages", "/v1beta/models/gemini-x:generateContent"


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.close()


def test_it_listens_on_loopback_only(upstream):
    with proxied(upstream.url) as (proxy, _):
        mine = [c.laddr for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        assert [address.ip for address in mine if address.port == proxy.port] == ["127.0.0.1"]
        assert proxy.base_url("127.0.0.1") == f"http://127.0.0.1:{proxy.port}"
        assert proxy.base_url("::1") == f"http://[::1]:{proxy.port}"


def test_after_stop_nothing_listens_and_no_thread_is_left(upstream):
    before = {thread.name for thread in threading.enumerate()}
    with proxied(upstream.url) as (proxy, _):
        port = proxy.port
    with pytest.raises(ConnectionError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert {thread.name for thread in threading.enumerate()} <= before | {"cabtrace-proxy"}
    assert not [thread for thread in threading.enumerate() if thread.name == "cabtrace-proxy"]


@pytest.mark.parametrize(
    ("path", "sent", "arrives"),
    [
        (CHAT, {"Authorization": f"Bearer {TOKEN}"}, ("authorization", f"Bearer {KEY}")),
        (CHAT, {"Authorization": "Bearer other", "api_key": TOKEN}, ("api-key", KEY)),
        ("/v1/responses", {"Authorization": f"bearer {TOKEN}"}, ("authorization", f"Bearer {KEY}")),
        (MESSAGES, {"Authorization": "", "x_api_key": TOKEN}, ("x-api-key", KEY)),
        (MESSAGES, {"Authorization": f"Bearer {TOKEN}"}, ("x-api-key", KEY)),
        (GEMINI, {"Authorization": "", "x_goog_api_key": TOKEN}, ("x-goog-api-key", KEY)),
        (f"{GEMINI}?alt=sse&key={TOKEN}", {"Authorization": ""}, ("x-goog-api-key", KEY)),
        ("/v1/embeddings", {"Authorization": "", "x_api_key": TOKEN}, ("x-api-key", KEY)),
    ],
)
def test_the_token_opens_and_only_the_real_key_goes_on(upstream, path, sent, arrives):
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(path=path, **sent)
        assert client.read().status == 200
    got = upstream.received[0]
    assert got.headers[arrives[0]] == arrives[1]
    assert TOKEN not in repr(got)
    assert repr(got).count(KEY) == 1
    assert KEY not in repr(tapes)
    assert TOKEN not in repr(tapes)


@pytest.mark.parametrize(
    "sent",
    [
        {"Authorization": ""},
        {"Authorization": "Bearer "},
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": "", "x_api_key": TOKEN.upper()},
        {"Authorization": "", "x_other": TOKEN},
        {"Authorization": "", "Cookie": f"key={TOKEN}"},
        {"Authorization": "Bearer \u00fc"},
    ],
)
def test_without_the_right_token_nothing_goes_on(upstream, sent):
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(**sent)
        response = client.read()
    assert response.status == 401
    assert KEY.encode() not in response.body
    assert tapes.refused == ["bad_token"]
    assert tapes.calls == []
    assert upstream.connections == 0


def test_without_a_real_key_none_is_sent(upstream):
    proxy = ModelProxy(upstream.url, None, TOKEN, Tapes())
    proxy.start()
    with Client(proxy.port) as client:
        client.send()
        assert client.read().status == 200
    proxy.stop()
    assert not {"authorization", "x-api-key", "x-goog-api-key", "api-key"} & set(upstream.received[0].headers)


def test_large_headers_are_refused(upstream):
    with proxied(upstream.url) as (proxy, tapes):
        for sizes in ([70_000], [20_000] * 4, [600] * 120):
            with Client(proxy.port) as client, contextlib.suppress(ConnectionError):
                client.send(**{f"x_{number}": "a" * size for number, size in enumerate(sizes)})
                assert client.read().status in (400, 431)
        assert len(tapes.refused) == 3
    assert upstream.connections == 0


def test_a_body_that_is_announced_over_the_cap_is_refused(upstream):
    with proxied(upstream.url, limits=Limits(request_body_bytes=100_000)) as (proxy, tapes), Client(proxy.port) as client:
        client.send(b"", Content_Length="100001")
        assert client.read().status == 413
    assert tapes.refused == ["too_large"]
    assert upstream.connections == 0


def test_a_chunked_body_over_the_cap_is_refused(upstream):
    with proxied(upstream.url, limits=Limits(request_body_bytes=100_000)) as (proxy, tapes), Client(proxy.port) as client:
        request = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1:{proxy.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        client.socket.sendall(f"{request}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk(b"x" * 60_000) * 2)
        assert client.read().status == 413
    assert tapes.refused == ["too_large"]
    assert upstream.connections == 0


@pytest.mark.parametrize("said", [b"", b"POST /v1/chat", b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_client_that_never_finishes_its_headers_is_dropped(upstream, said):
    with proxied(upstream.url, timeouts=Timeouts(request_header_s=0.2)) as (proxy, tapes), Client(proxy.port) as client:
        client.socket.sendall(said)
        with contextlib.suppress(ConnectionError):
            while client.socket.recv(100):
                pass
    assert tapes.refused == ["timeout"]


def test_a_client_that_never_finishes_its_body_is_dropped(upstream):
    with proxied(upstream.url, timeouts=Timeouts(request_body_s=0.2)) as (proxy, tapes), Client(proxy.port) as client:
        client.send(b"", Content_Length="10")
        assert client.read().status == 408
    assert tapes.refused == ["timeout"]
    assert upstream.connections == 0


def test_more_connections_than_allowed_are_dropped(upstream):
    with proxied(upstream.url, timeouts=Timeouts(max_connections=5)) as (proxy, _), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(proxy.port)) for _ in range(8)]
        served = 0
        for client in clients:
            with contextlib.suppress(ConnectionError, EOFError):
                client.send()
                served += client.read().status == 200
        assert served == 5


def test_a_stream_without_end_is_not_held_in_memory(upstream):
    piece, pieces = chunk(b"d" * 65_536), 2_000  # 125 MiB
    upstream.plans["flood"] = [head(200, Transfer_Encoding="chunked"), *([piece] * pieces), END]

    class Counting:
        bytes = 0

        def request(self, request):
            return self

        def response(self, status, headers): ...
        def chunk(self, data):
            self.bytes += len(data)

        def end(self, error): ...
        def unrecorded(self, method, path): ...
        def rejected(self, reason): ...

    sink = Counting()
    with proxied(upstream.url, sink) as (proxy, _), Client(proxy.port) as client:
        client.send(x_plan="flood")
        client.headers()
        time.sleep(0.3)  # nobody reads: the proxy must stop taking
        held = sink.bytes
        before = psutil.Process().memory_info().rss
        while client.chunk():
            pass
        grown = psutil.Process().memory_info().rss - before
    assert held < 32 * 1024 * 1024
    assert sink.bytes == 65_536 * pieces
    assert grown < 64 * 1024 * 1024


def test_closing_and_opening_leaves_no_descriptor(upstream):
    process = psutil.Process()
    with proxied(upstream.url):
        pass
    before = process.num_fds()
    for _ in range(5):
        with proxied(upstream.url) as (proxy, _), Client(proxy.port) as client:
            client.send()
            client.read()
    deadline = time.monotonic() + 10  # the upstream's threads close their ends in their own time
    while process.num_fds() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert process.num_fds() <= before
