"""What reaches the agent is what the endpoint sent: byte for byte, boundary for boundary, as it comes."""

from __future__ import annotations

import gzip
import hashlib
import random
import threading
from itertools import accumulate

from tests.support.proxy_rig import CHAT, END, KEY, TOKEN, Client, Step, Upstream, chunk, head, proxied, whole


def generated_body(rng: random.Random) -> bytes:
    kind = rng.randrange(4)
    if kind == 0:
        return rng.randbytes(rng.randrange(20_000))
    texts = ("".join(rng.choice('añ€😀"\\\n {}x') for _ in range(rng.randrange(1, 40))) for _ in range(rng.randrange(1, 80)))
    end = rng.choice(("\n\n", "\r\n\r\n"))
    events = end.join(f"data: {text!r}" for text in texts) + end + f"data: [DONE]{end}"
    return gzip.compress(events.encode()) if kind == 1 else events.encode()


def cut_up(rng: random.Random, data: bytes, largest: int) -> list[bytes]:
    pieces = []
    while data:
        size = rng.choice((1, 2, 7, rng.randrange(1, largest)))
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def generated_stream(seed: int) -> tuple[list[Step], bytes, list[int]]:
    """The raw pieces to send, the body, and where its HTTP chunks end."""
    rng = random.Random(seed)
    body = generated_body(rng)
    kind = rng.choice(("text/event-stream", "application/octet-stream", "text/event-stream; charset=utf-8"))
    if rng.random() < 0.25:
        raw, boundaries = head(200, Content_Type=kind, Content_Length=str(len(body)), X_Seed=str(seed)) + body, []
    else:
        chunks = cut_up(rng, body, 3_000)
        raw = head(200, Content_Type=kind, Transfer_Encoding="chunked", X_Seed=str(seed))
        raw += b"".join(chunk(one) for one in chunks) + END
        boundaries = list(accumulate(len(one) for one in chunks))
    return [*cut_up(rng, raw, 5_000)], body, boundaries


def replay_through_proxy(count: int) -> None:
    streams = {str(seed): generated_stream(seed) for seed in range(count)}
    upstream = Upstream({name: plan for name, (plan, _, _) in streams.items()})
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        for name, (_, body, boundaries) in streams.items():
            client.send(b'{"model":"m"}', x_plan=name)
            response = client.read()
            assert response.status == 200
            assert response.complete, name
            assert hashlib.sha256(response.body).digest() == hashlib.sha256(body).digest(), name
            assert response.header("x-seed") == name
            assert set(boundaries) <= set(accumulate(len(one) for one in response.chunks)), name
            tape = tapes.calls[-1]
            assert tape.ended.wait(10)
            assert (tape.body, tape.ends) == (body, [None]), name
            assert tape.chunks == [one for one in response.chunks if one] or response.header("content-length")
        assert len(tapes.calls) == count
        assert proxy.sink_errors == 0
    upstream.close()


def test_1000_generated_streams_arrive_byte_for_byte_with_their_chunk_boundaries():
    replay_through_proxy(1_000)


def test_each_chunk_is_passed_on_before_the_next_one_exists():
    arrived = [threading.Event() for _ in range(5)]
    plan: list[Step] = [head(200, Content_Type="text/event-stream", Transfer_Encoding="chunked")]
    for event in arrived:  # the upstream goes on only once the agent has the chunk before
        plan += [chunk(b"data: x\n\n"), lambda event=event: event.wait(20)]
    upstream = Upstream({"lockstep": [*plan, END]})
    with proxied(upstream.url) as (proxy, _), Client(proxy.port) as client:
        client.send(x_plan="lockstep")
        assert client.headers().startswith("HTTP/1.1 200 Fine")
        for event in arrived:
            assert client.chunk() == b"data: x\n\n"
            event.set()
        assert client.chunk() == b""
    upstream.close()


def test_status_headers_and_encoding_are_the_endpoints_own():
    body = gzip.compress(b'{"ok": true}')
    sent = head(418, Content_Type="application/json", Content_Encoding="gzip", Content_Length=str(len(body)), X_Request_Id="r1")
    with_cookies = sent[:-2] + b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nRetry-After: 7\r\n\r\n"
    upstream = Upstream({"teapot": [with_cookies + body]})
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(x_plan="teapot")
        response = client.read()
    assert (response.status, response.body) == (418, body)
    assert response.headers == [
        ("Content-Type", "application/json"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", str(len(body))),
        ("X-Request-Id", "r1"),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("Retry-After", "7"),
    ]
    assert "set-cookie" not in tapes.calls[0].headers
    assert tapes.calls[0].headers["retry-after"] == "7"
    upstream.close()


def test_no_header_is_added_where_the_endpoint_sent_none():
    upstream = Upstream({"bare": [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]})
    with proxied(upstream.url) as (proxy, _), Client(proxy.port) as client:
        client.send(x_plan="bare")
        response = client.read()
    assert response.headers == [("Content-Length", "2")]
    upstream.close()


def test_the_request_goes_out_as_it_came_with_the_real_key_in_place_of_the_token():
    upstream = Upstream()
    body = '{"model": "m",  "ünï": "\U0001f600"}'.encode()
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(
            body,
            f"{CHAT}?api-version=1&key=zzz",
            User_Agent="agent/1",
            Traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            X_Stainless_Lang="python",
            Connection="keep-alive, X-Hop",
            X_Hop="1",
            Cookie="session=s3cret",
            Accept_Encoding="gzip, deflate, br;q=0.5, made-up",
        )
        client.read()
    got, told = upstream.received[0], tapes.calls[0].request
    assert got.line == f"POST {CHAT}?api-version=1 HTTP/1.1"
    assert got.body == told.body == body
    assert got.headers["authorization"] == f"Bearer {KEY}"
    assert got.headers["host"] == f"127.0.0.1:{upstream.port}"
    assert got.headers["user-agent"] == "agent/1"
    assert got.headers["x-stainless-lang"] == "python"
    assert got.headers["accept-encoding"].startswith("gzip, deflate")
    assert "made-up" not in got.headers["accept-encoding"]
    assert "x-hop" not in got.headers
    assert "content-type" not in got.headers
    assert told.path == f"{CHAT}?api-version=1"
    assert told.headers["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert not {"authorization", "cookie", "x-api-key"} & set(told.headers)
    assert TOKEN not in repr(told)
    upstream.close()


def test_a_large_request_body_arrives_whole():
    upstream = Upstream()
    body = b'{"x": "' + random.Random(1).randbytes(1_500_000).hex().encode() + b'"}'
    with proxied(upstream.url) as (proxy, _), Client(proxy.port) as client:
        client.send(body, Expect="100-continue")
        assert client.headers().startswith("HTTP/1.1 100")
        assert client.read().status == 200
    assert upstream.received[0].body == body
    upstream.close()


def test_head_and_get_pass_and_are_counted_as_unrecorded():
    upstream = Upstream({"models": [whole(200, b'{"data": []}')], "head": [head(200, Content_Length="12")]})
    with proxied(upstream.url) as (proxy, tapes), Client(proxy.port) as client:
        client.send(b"", "/v1/models", "GET", x_plan="models")
        assert client.read().body == b'{"data": []}'
        client.send(b"", "/v1/models", "HEAD", x_plan="head")
        response = client.read("HEAD")
        assert (response.header("content-length"), response.body) == ("12", b"")
    assert tapes.passed == [("GET", "/v1/models"), ("HEAD", "/v1/models")]
    assert tapes.calls == []
    upstream.close()


def test_redirects_are_the_agents_business():
    canary = Upstream()
    moved = head(307, Location=f"http://127.0.0.1:{canary.port}/v1/x", Content_Length="0")
    upstream = Upstream({"moved": [moved]})
    with proxied(upstream.url) as (proxy, _), Client(proxy.port) as client:
        client.send(x_plan="moved")
        response = client.read()
    assert response.status == 307
    assert response.header("location") == f"http://127.0.0.1:{canary.port}/v1/x"
    assert canary.connections == 0
    upstream.close()
    canary.close()
