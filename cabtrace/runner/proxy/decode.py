"""Content decoding of recorded bodies: whatever came of them, and never more than a cap."""

from __future__ import annotations

import importlib
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

_STEP_BYTES = 64 * 1024
_ZSTD_WINDOW_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Decoded:
    """`whole` is False where the input was torn, broken, of an unknown coding, or larger than the cap."""

    data: bytes
    whole: bool


@cache
def decodable_codings() -> frozenset[str]:
    """The content codings that this installation can decode."""
    found = {"identity", "gzip", "x-gzip", "deflate"}
    if _optional("brotli", "brotlicffi") is not None:
        found.add("br")
    if _optional("compression.zstd", "backports.zstd", "zstandard") is not None:
        found.add("zstd")
    return frozenset(found)


def decode_body(encoding: str, body: bytes, limit_bytes: int) -> Decoded:
    """Undoes the codings of a Content-Encoding header, last one first. Never raises."""
    decoded = Decoded(body, whole=True)
    for coding in reversed([part.strip().lower() for part in encoding.split(",") if part.strip()]):
        if coding == "identity":
            continue
        step = _decode(coding, decoded.data, limit_bytes)
        decoded = Decoded(step.data, step.whole and decoded.whole)
    return Decoded(decoded.data[:limit_bytes], decoded.whole and len(decoded.data) <= limit_bytes)


def _decode(coding: str, body: bytes, limit: int) -> Decoded:
    if coding in ("gzip", "x-gzip"):
        return _inflate(body, 16 + zlib.MAX_WBITS, limit)
    if coding == "deflate":  # by the standard with a zlib header; some servers send it bare
        wrapped = _inflate(body, zlib.MAX_WBITS, limit)
        return wrapped if wrapped.data or not body else _inflate(body, -zlib.MAX_WBITS, limit)
    if coding == "br" and (module := _optional("brotli", "brotlicffi")) is not None:
        return _feed(module.Decompressor(), "process", "is_finished", body, limit)
    if coding == "zstd":
        return _unzstd(body, limit)
    return Decoded(b"", whole=False)


def _inflate(body: bytes, wbits: int, limit: int) -> Decoded:
    out, pending = bytearray(), body
    while pending:  # gzip members may follow one another
        inflater = zlib.decompressobj(wbits)
        while pending and not inflater.eof:
            try:
                out += inflater.decompress(pending, min(_STEP_BYTES, limit - len(out) + 1))
            except zlib.error:
                return Decoded(bytes(out), whole=False)
            if len(out) > limit:
                return Decoded(bytes(out[:limit]), whole=False)
            pending = inflater.unconsumed_tail
        if not inflater.eof:
            out += inflater.flush()[: limit - len(out)]
            return Decoded(bytes(out), whole=False)
        pending = inflater.unused_data if wbits > zlib.MAX_WBITS else b""
    return Decoded(bytes(out), whole=True)


def _unzstd(body: bytes, limit: int) -> Decoded:
    module = _optional("compression.zstd", "backports.zstd")
    if module is not None:
        return _feed(module.ZstdDecompressor(), "decompress", "eof", body, limit)
    module = _optional("zstandard")
    if module is None:
        return Decoded(b"", whole=False)
    decoder = module.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES).decompressobj()
    return _feed(decoder, "decompress", "eof", body, limit)


def _feed(decoder: Any, method: str, finished: str, body: bytes, limit: int) -> Decoded:
    """Feeds in small steps, so that what is given up at the cap is one step's worth."""
    out, done = bytearray(), False
    for offset in range(0, len(body), 1024):
        try:
            out += getattr(decoder, method)(body[offset : offset + 1024])
            state = getattr(decoder, finished, False)
            done = bool(state() if callable(state) else state)
        except Exception:  # noqa: BLE001 - each library raises its own errors for broken input
            return Decoded(bytes(out[:limit]), whole=False)
        if len(out) > limit:
            return Decoded(bytes(out[:limit]), whole=False)
        if done:
            break
    return Decoded(bytes(out), whole=done)


@cache
def _optional(*names: str) -> Any:
    for name in names:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None
