"""Content-Encoding of an export, undone up to a cap."""

from __future__ import annotations

import zlib

from cabtrace.otel.receiver.batch import MalformedError


class TooLargeError(ValueError):
    """More than the cap; the sender is told with 413."""


def decoded(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The body itself. Raises MalformedError or TooLargeError."""
    for coding in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if coding in ("gzip", "x-gzip"):
            body = _inflate(body, 16 + zlib.MAX_WBITS, limit_bytes)
        elif coding == "deflate":
            # by the standard with a zlib header, which some senders leave out
            wrapped = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
            body = _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, limit_bytes)
        elif coding != "identity":
            raise MalformedError(f"content encoding {coding[:40]!r} is not supported")
    if len(body) > limit_bytes:
        raise TooLargeError(f"larger than {limit_bytes} bytes")
    return body


def _inflate(body: bytes, wbits: int, limit: int) -> bytes:
    out = bytearray()
    while body:  # gzip members may follow one another
        inflater = zlib.decompressobj(wbits)
        try:
            out += inflater.decompress(body, limit - len(out) + 1)
        except zlib.error as error:
            raise MalformedError("the compressed body is broken") from error
        if len(out) > limit:
            raise TooLargeError(f"larger than {limit} bytes")
        if not inflater.eof:
            raise MalformedError("the compressed body is cut")
        body = inflater.unused_data if wbits > zlib.MAX_WBITS else b""
    return bytes(out)
