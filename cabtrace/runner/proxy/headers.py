"""Which headers go through, which stay, which may be recorded."""

from __future__ import annotations

from collections.abc import Iterable

from cabtrace.runner.proxy.admission import CREDENTIAL_HEADERS
from cabtrace.runner.proxy.decode import decodable_codings

Headers = list[tuple[str, str]]

# RFC 9110, 7.6.1: these speak of one connection only.
_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
     "transfer-encoding", "upgrade")
)  # fmt: skip
# Words about who asked whom: only the proxy itself knows the host that is meant.
_ROUTING = frozenset(("host", "forwarded", "via", "x-original-url", "x-rewrite-url", "x-real-ip", "expect", "origin"))
_SECRET = frozenset((*CREDENTIAL_HEADERS, "cookie", "set-cookie", "proxy-authorization", "proxy-authenticate"))


def decoded(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers as they stood on the wire, names in their own case; bytes that are no UTF-8 cannot be passed on as such."""
    return [(name.decode("ascii", "replace"), value.decode("utf-8", "replace")) for name, value in raw]


def to_upstream(headers: Iterable[tuple[str, str]]) -> Headers:
    """The agent's end-to-end headers, without its credentials and without the body's length.

    Accept-Encoding is narrowed to what can be decoded here, else the record of the call could not be read.
    """
    pairs = list(headers)
    dropped = _HOP_BY_HOP | _ROUTING | frozenset(CREDENTIAL_HEADERS) | {"content-length"} | _connection_words(pairs)
    kept: Headers = []
    for name, value in pairs:
        lower = name.lower()
        if lower in dropped or lower.startswith("x-forwarded-"):
            continue
        kept.append((name, _narrowed(value)) if lower == "accept-encoding" else (name, value))
    return kept


def to_agent(headers: Iterable[tuple[str, str]]) -> Headers:
    """The endpoint's end-to-end headers."""
    pairs = list(headers)
    dropped = _HOP_BY_HOP | _connection_words(pairs)
    return [(name, value) for name, value in pairs if name.lower() not in dropped]


def to_record(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What may be recorded: lower-case names, repeated ones joined, no credential and no cookie."""
    kept: dict[str, str] = {}
    for name, value in headers:
        lower = name.lower()
        if lower not in _SECRET:
            kept[lower] = f"{kept[lower]}, {value}" if lower in kept else value
    return kept


def credential(style: str, api_header: str | None, key: str) -> tuple[str, str]:
    """The header that carries the real key: the API's own, else the one that the agent used.

    `api-key` is kept as it is: that is how the same APIs are spoken on Azure.
    """
    name = "api-key" if style == "api-key" else api_header or style
    if name == "key":
        name = "x-goog-api-key"
    return ("Authorization", f"Bearer {key}") if name == "authorization" else (name, key)


def _connection_words(pairs: Headers) -> frozenset[str]:
    named = ",".join(value for name, value in pairs if name.lower() == "connection")
    # A client may not have its own end-to-end headers dropped by naming them here.
    return frozenset(word.strip().lower() for word in named.split(",")) - {"content-type", "content-encoding", ""}


def _narrowed(value: str) -> str:
    codings = decodable_codings()
    parts = [part.strip() for part in value.split(",")]
    kept = [part for part in parts if part.partition(";")[0].strip().lower() in codings]
    return ", ".join(kept) or "identity"
