"""Who may speak to the proxy, and for what: pure checks of one request's own words."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus, unquote_to_bytes, urlsplit

CREDENTIAL_HEADERS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
CREDENTIAL_PARAMETER = "key"

_TARGET = re.compile(r"/(?!/)[\x21-\x7e]*")
_DECODE_ROUNDS = 4
_QUERY_CONTROLS = re.compile(r"%(?:0d|0a|00)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """A request target in origin form. `query` has no credential in it; `key` is the one that it held."""

    path: str
    query: str
    key: str = ""

    @property
    def text(self) -> str:
        """Path and query, fit to be recorded."""
        return f"{self.path}?{self.query}" if self.query else self.path


def read_target(raw: str) -> Target | None:
    """The target of a request line, or None for anything that could be read as another host or another prefix."""
    if not _TARGET.fullmatch(raw) or "\\" in raw or "#" in raw:
        return None
    path, _, query = raw.partition("?")
    if not _is_plain(path) or _QUERY_CONTROLS.search(query):
        return None
    kept, key = [], ""
    for pair in query.split("&") if query else []:
        name, _, value = pair.partition("=")
        if unquote_plus(name).strip().lower() == CREDENTIAL_PARAMETER:
            key = unquote_plus(value)
        else:
            kept.append(pair)
    return Target(path, "&".join(kept), key)


def _is_plain(path: str) -> bool:
    """Whether a path stays what it is however often it is percent-decoded, and never climbs or names a host."""
    for _ in range(_DECODE_ROUNDS):
        segments = path.split("/")
        if any(segment.partition(";")[0] in (".", "..") for segment in segments):
            return False
        if path.startswith("//") or "\\" in path or "://" in path or "@" in segments[1]:
            return False
        if not all("\x21" <= char <= "\x7e" for char in path):
            return False
        decoded = unquote_to_bytes(path).decode("latin-1")
        if decoded == path:
            return True
        path = decoded
    return False


def host_allowed(values: Sequence[str], allowed: Iterable[str], port: int) -> bool:
    """Whether there is exactly one Host and it is one of the proxy's own names, with its port."""
    return len(values) == 1 and values[0].strip().rstrip(".").lower() in _with_port(allowed, port)


def origin_allowed(values: Sequence[str], allowed: Iterable[str], port: int) -> bool:
    """Whether a page that sent this, if any did, came from the proxy itself: browsers have no business here."""
    names = _with_port(allowed, port)
    for value in values:
        try:
            parts = urlsplit(value)
        except ValueError:
            return False
        if parts.scheme != "http" or parts.netloc.lower() not in names or parts.path or parts.query:
            return False
    return True


def _with_port(names: Iterable[str], port: int) -> frozenset[str]:
    bracketed = [f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names]
    return frozenset(f"{name.lower()}:{port}" for name in bracketed)


def token_style(headers: Mapping[str, str], key: str, token: str) -> str | None:
    """The place where the right token stands (a header's name, or `key`), or None if it stands nowhere."""
    for name in CREDENTIAL_HEADERS:
        value = headers.get(name, "")
        if name == "authorization":
            scheme, _, value = value.partition(" ")
            if scheme.lower() != "bearer":
                continue
        if _equal(value.strip(), token):
            return name
    return CREDENTIAL_PARAMETER if _equal(key, token) else None


def _equal(given: str, expected: str) -> bool:
    return bool(given) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8"))
