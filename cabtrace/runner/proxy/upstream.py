"""The client side: one session that goes to one endpoint and adds nothing of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import aiohttp

from cabtrace.limits import Limits


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. A model may think for long, so only silence is limited once a request was accepted.

    `last_word_s`: how long HTTP's own end of a body may come after the agent hung up.
    """

    connect_s: float = 30.0
    idle_s: float = 1_800.0
    request_header_s: float = 20.0
    request_body_s: float = 120.0
    keepalive_s: float = 75.0
    last_word_s: float = 1.0
    max_connections: int = 1_024


def open_session(timeouts: Timeouts, limits: Limits) -> aiohttp.ClientSession:
    """A session without cookies, environment, decompression, redirects or headers of its own.

    A future given as a request's `trace_request_ctx` is done when the request's body begins to be written.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_request_chunk_sent.append(_note_written)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect_s, sock_read=timeouts.idle_s),
        auto_decompress=False,
        trust_env=False,
        trace_configs=[tracing],
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        max_line_size=limits.request_header_bytes,
        max_field_size=limits.request_header_bytes,
    )


async def _note_written(_session: aiohttp.ClientSession, context: SimpleNamespace, _sent: object) -> None:
    written = context.trace_request_ctx
    if isinstance(written, asyncio.Future) and not written.done():
        written.set_result(None)


def classify(problem: Exception) -> str:
    """What went wrong with the endpoint, in the words of `CallRecording.end`."""
    if isinstance(problem, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "connect_error"
    if isinstance(problem, TimeoutError):
        return "timeout"
    return "upstream_reset"


def watch_connection(response: aiohttp.ClientResponse) -> None:
    """Makes sure that a body whose connection is gone comes to an end.

    aiohttp closes a connection with broken chunk sizes and tells the waiting request, but not who reads the body.
    """
    connection = response.connection
    if connection is None or connection.protocol is None:
        return
    content, closed = response.content, connection.protocol.closed

    def gone(future: asyncio.Future[None] | None) -> None:
        if future is not None:
            future.exception()  # seen: else asyncio would complain about it on the terminal
        if not content.is_eof() and content.exception() is None:
            content.set_exception(aiohttp.ClientPayloadError("the connection was closed within the body"))

    if closed is None:
        gone(None)
    else:
        closed.add_done_callback(gone)


async def ends_now(content: aiohttp.StreamReader, within_s: float) -> bool:
    """Whether the body ends without any more data.

    Many clients hang up as soon as they have read the stream's last event, before HTTP's own end of the body: to them,
    and to the record, such a call is complete.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                data, boundary = await content.readchunk()
                if data or not boundary:
                    return not data
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False


def salvage(content: aiohttp.StreamReader) -> bytes:
    """What had arrived before the connection broke and was not read yet.

    aiohttp keeps it but has no public way to it: reading raises the connection's error first. Where a later version
    looks different, nothing is salvaged.
    """
    kept: Any = getattr(content, "_buffer", ())
    offset = getattr(content, "_buffer_offset", 0)
    try:
        return b"".join(bytes(piece) for piece in kept)[offset:]
    except (TypeError, ValueError):
        return b""
