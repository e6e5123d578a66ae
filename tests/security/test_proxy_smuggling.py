"""Sixty ways to make the proxy send a request, and the key with it, somewhere else: none arrives."""

from __future__ import annotations

import contextlib
import socket

import pytest

from tests.support.proxy_rig import CHAT, KEY, TOKEN, Upstream, proxied

ABSOLUTE = [
    "http://{canary}/v1/chat/completions",
    "HTTP://{canary}/v1/chat/completions",
    "https://{canary}/v1/chat/completions",
    "http://127.0.0.1@{canary}/v1/x",
    "http://user:pass@{canary}/v1/x",
    "http:\\\\{canary}\\v1",
    "http:/{canary}/v1",
    "http:{canary}/v1",
    "ftp://{canary}/v1",
    "{canary}",
    "{canary}/v1/chat/completions",
    "*",
]
ORIGIN_FORM = [
    "//{canary}/v1/chat/completions",
    "///{canary}/v1",
    "/\\{canary}/v1",
    "\\\\{canary}/v1",
    "/%2f{canary}/v1",
    "/%2F%2F{canary}/v1",
    "/%252f%252f{canary}/v1",
    "/%5c%5c{canary}/v1",
    "/.//{canary}/v1",
    "/@{canary}/v1",
    "/%40{canary}/v1",
    "/:@{canary}/v1",
    "/v1@{canary}/x",
    "/v1/../../{canary}",
    "/v1/..//{canary}/x",
    "/v1/%2e%2e/%2e%2e/x",
    "/v1/%252e%252e/x",
    "/v1/..%2f..%2fx",
    "/v1/..;/..;/x",
    "/v1/.%00./x",
    "/v1/\t../x",
    "/http://{canary}/v1",
    "/v1/http:%2f%2f{canary}/v1",
    "/v1/chat/completions#@{canary}/",
    "/v1/chat/completions?api_base=http://{canary}/v1",
    "/v1/chat/completions?base_url=http://{canary}&url=http://{canary}&target=http://{canary}",
    "/v1/x%0d%0aHost:%20{canary}%0d%0a",
    "/v1/x%250d%250aHost:{canary}",
    "/v1/x?a=%0d%0aHost:%20{canary}",
    "/v1/\u2025/x",
    "/v1/%e2%80%a5/%ef%bc%8e%ef%bc%8e/x",
    "/v1/%c0%ae%c0%ae/x",
]
HEADERS = [
    "Host: {canary}",
    "Host: {own}\r\nHost: {canary}",
    "Host: {canary}\r\nHost: {own}",
    "Host: {own}@{canary}",
    "Host: user@{own}",
    "Host: {own}, {canary}",
    "Host: 2130706433:{port}",
    "Host: [::ffff:127.0.0.1]:{port}",
    "Host: 0x7f.1:{port}",
    "Host: evil.example:{port}",
    "Host: {own}\r\nX-Forwarded-Host: {canary}\r\nX-Forwarded-Proto: http\r\nForwarded: host={canary}",
    "Host: {own}\r\nX-Original-URL: http://{canary}/v1\r\nX-Rewrite-URL: //{canary}/v1",
    "Host: {own}\r\nX-HTTP-Method-Override: CONNECT\r\nX-Host: {canary}",
    "Host: {own}\r\nConnection: Authorization, Host, Content-Length",
    "Host: {own}\r\nUpgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "Host: {own}\r\nProxy-Connection: keep-alive\r\nProxy-Authorization: Basic Zm9vOmJhcg==",
    "Host: {own}\r\nOrigin: http://{canary}",
    "Host: {own}\r\n\tfolded: {canary}",
    "Host : {canary}",
    "Host: {own}\x0bX: {canary}",
]
BODIES = [
    b'{"model":"m","api_base":"http://CANARY/v1","base_url":"http://CANARY/v1"}',
    b'{"model":"http://CANARY/v1","messages":[],"litellm_params":{"api_base":"http://CANARY"}}',
]
RAW = [
    # a second request inside the first one's body, by conflicting lengths
    b"POST /v1/x HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0\r\n\r\nGET http://CANARY/v1 HTTP/1.1\r\nHost: CANARY\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\nContent-Length: 0\r\nContent-Length: 44\r\n\r\n"
    b"GET http://CANARY/v1 HTTP/1.1\r\nHost: CANARY\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\nTransfer-Encoding: xchunked\r\n\r\n"
    b"GET http://CANARY/v1 HTTP/1.1\r\nHost: CANARY\r\n\r\n",
    b"POST /v1/x HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\nTransfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\n"
    b"0\r\n\r\nGET //CANARY/v1 HTTP/1.1\r\nHost: CANARY\r\n\r\n",
    b"CONNECT CANARY HTTP/1.1\r\nHost: CANARY\r\nAuthorization: Bearer TOKEN\r\n\r\nGET / HTTP/1.1\r\nHost: CANARY\r\n\r\n",
    b"CONNECT CANARY HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\n\r\nGET / HTTP/1.1\r\nHost: CANARY\r\n\r\n",
    b"TRACE /v1/x HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"GET http://CANARY/\r\n\r\n",
    b"GET /v1/x HTTP/1.0\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /v1/x\rHost: CANARY HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\n\r\n",
    b"GET /v1/x HTTP/1.1\nHost: OWN\nX: 1\r\rHost: CANARY\r\nAuthorization: Bearer TOKEN\r\n\r\n",
]


def variants() -> list[bytes]:
    auth = "Authorization: Bearer TOKEN"
    made = [f"GET {t} HTTP/1.1\r\nHost: OWN\r\n{auth}\r\n\r\n".encode() for t in (*ABSOLUTE, *ORIGIN_FORM)]
    made += [f"GET /v1/x HTTP/1.1\r\n{h}\r\n{auth}\r\n\r\n".encode() for h in HEADERS]
    made += [
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\nContent-Length: LENGTH\r\n\r\n" + body
        for body in BODIES
    ]
    return made + RAW


def test_there_are_at_least_sixty_of_them():
    assert len(set(variants())) >= 60


def filled(raw: bytes, own: int, canary: int) -> bytes:
    host = f"127.0.0.1:{canary}".encode()
    values = {
        b"{canary}": host, b"CANARY": host, b"{own}": b"127.0.0.1:%d" % own, b"OWN": b"127.0.0.1:%d" % own,
        b"{port}": b"%d" % own, b"TOKEN": TOKEN.encode(),
    }  # fmt: skip
    for name, value in values.items():
        raw = raw.replace(name, value)
    _, _, body = raw.partition(b"\r\n\r\n")
    return raw.replace(b"LENGTH", b"%d" % len(body))


def exchange(port: int, raw: bytes) -> bytes:
    """What comes back, until nothing more comes. A request that waits for more of itself is ended."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=1) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(raw)
        try:
            while data := connection.recv(65536):
                answer += data
                connection.settimeout(0.05)
        except TimeoutError:
            if not answer:
                connection.shutdown(socket.SHUT_WR)
                answer = connection.recv(65536)
    return answer


@pytest.fixture(scope="module")
def both():
    upstream, canary = Upstream(), Upstream()
    yield upstream, canary
    upstream.close()
    canary.close()


@pytest.mark.parametrize("raw", variants(), ids=range(len(variants())))
def test_no_variant_reaches_the_canary_or_leaves_the_endpoints_prefix(both, raw):
    upstream, canary = both
    upstream.received.clear()
    with proxied(upstream.url) as (proxy, _):
        answer = exchange(proxy.port, filled(raw, proxy.port, canary.port))
    assert canary.connections == 0
    assert KEY.encode() not in answer
    for got in upstream.received:
        method, target, _ = got.line.split(" ")
        assert target.startswith("/v1/"), got.line
        assert ".." not in target
        assert method in ("GET", "POST")
        assert got.headers["host"] == f"127.0.0.1:{upstream.port}"
        assert not {"x-forwarded-host", "forwarded", "x-original-url", "upgrade", "proxy-authorization"} & set(got.headers)


@pytest.mark.parametrize("target", [t for t in (*ABSOLUTE, *ORIGIN_FORM) if "?" not in t or "%0d" in t])
def test_a_target_that_is_no_plain_path_is_refused(both, target):
    upstream, canary = both
    upstream.received.clear()
    with proxied(upstream.url) as (proxy, tapes):
        raw = f"GET {target} HTTP/1.1\r\nHost: OWN\r\nAuthorization: Bearer TOKEN\r\n\r\n".encode()
        answer = exchange(proxy.port, filled(raw, proxy.port, canary.port))
    assert answer.split(b" ")[1] == b"400"
    assert tapes.refused[0] in ("bad_path", "bad_request")
    assert upstream.received == []


@pytest.mark.parametrize(
    "header",
    ["Host: evil.example:{port}", "Host: {canary}", "Host: 127.0.0.1", "Host: 2130706433:{port}",
     "Host: [::ffff:127.0.0.1]:{port}", "Host: {own}\r\nOrigin: http://evil.example", "Host: {own}\r\nOrigin: null"],
)  # fmt: skip
def test_foreign_hosts_and_origins_get_403(both, header):
    upstream, canary = both
    upstream.received.clear()
    with proxied(upstream.url) as (proxy, tapes):
        raw = f"GET {CHAT} HTTP/1.1\r\n{header}\r\nAuthorization: Bearer TOKEN\r\n\r\n".encode()
        answer = exchange(proxy.port, filled(raw, proxy.port, canary.port))
    assert answer.startswith(b"HTTP/1.1 403")
    assert tapes.refused == ["bad_host"]
    assert upstream.received == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "proxy.internal"])
def test_the_proxys_own_names_are_served(both, host):
    upstream, canary = both
    with proxied(upstream.url, extra_hosts=("proxy.internal",)) as (proxy, _):
        raw = f"GET /v1/models HTTP/1.1\r\nHost: {host}:{{port}}\r\nAuthorization: Bearer TOKEN\r\n\r\n".encode()
        assert exchange(proxy.port, filled(raw, proxy.port, canary.port)).startswith(b"HTTP/1.1 200")
