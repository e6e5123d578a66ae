"""Private key blocks: the one secret that spans lines."""

from __future__ import annotations

import re
from functools import cache

from cabtrace.redaction.spans import PEM, VENDOR, Found, Span

_BEGIN, _END = "-----BEGIN ", "-----END "
_BLOCK_CHARS = 16 * 1024  # the longest block that is waited for; an 8192 bit RSA key has 6.4 KiB
_LOOK_CHARS = 1_024  # how far after the header key material must begin, lest a mention of the header be a block
_RULE = "private-key"


@cache
def _header() -> re.Pattern[str]:
    return re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


@cache
def _arriving() -> re.Pattern[str]:
    return re.compile(r"-----(?:B(?:E(?:G(?:I(?:N(?: [A-Z0-9 ]{0,60}-{0,5})?)?)?)?)?)?\Z")


@cache
def _body() -> re.Pattern[str]:
    return re.compile(r"[A-Za-z0-9+/=\s\\,.:()│┃|>\x1b\[;\"'-]*")


@cache
def _key_material() -> re.Pattern[str]:
    return re.compile(r"[A-Za-z0-9+/]{16}")


@cache
def _footer() -> re.Pattern[str]:
    return re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def maybe(text: str) -> bool:
    """Whether a block may begin in `text`; never wrongly False."""
    return _BEGIN in text


def find_pem(text: str, *, final: bool) -> Found:
    """Every private key block. One whose end is missing is taken to reach as far as text that may belong to it."""
    spans: list[Span] = []
    at = text.find(_BEGIN)
    while at >= 0:
        after = at + len(_BEGIN)
        if header := _header().match(text, at):
            body = header.end()
            more = not final and len(text) - body < _LOOK_CHARS
            if more or _key_material().search(text, body, body + _LOOK_CHARS):
                end = _end(text, body)
                if end is None:
                    end = _body_end(text, body)
                    if end == len(text) and not final:
                        if len(text) - at <= _BLOCK_CHARS:
                            return Found(tuple(spans), at)
                        return Found((*spans, Span(at, end, _RULE, VENDOR)), None, PEM)
                if _key_material().search(text, body, end):
                    spans.append(Span(at, end, _RULE, VENDOR))
                    after = end
        at = text.find(_BEGIN, after)
    return Found(tuple(spans), None if final else _beginning(text))


def end_of_open_block(text: str, start: int, scan_from: int) -> int:
    """How far a block that was begun before `start` goes on in `text`; its footer may have begun at `scan_from`."""
    footer = _footer().search(text, scan_from)
    return footer.end() if footer else _body_end(text, start)


def _end(text: str, start: int) -> int | None:
    at = text.find(_END, start, start + _BLOCK_CHARS)
    footer = _footer().match(text, at) if at >= 0 else None
    return footer.end() if footer else None


def _body_end(text: str, start: int) -> int:
    """Where what may belong to a block ends."""
    body = _body().match(text, start)
    return body.end() if body else start


def _beginning(text: str) -> int | None:
    tail = max(0, len(text) - 80)
    match = _arriving().search(text, tail)
    if match:
        return match.start()
    for n in range(4, 0, -1):
        if text.endswith("-" * n):
            return len(text) - n
    return None
