"""Sending a reply with its latencies and its faults."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web

from cabtrace.modelserver.replies import Reply
from cabtrace.modelserver.script import Fault

# Time for what was sent before a reset to arrive; a reset overtakes what is still in a buffer.
_BEFORE_RESET_S = 0.02


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to the first chunk, and between chunks."""

    first_s: float = 0.0
    chunk_s: float = 0.0


async def send(request: web.Request, reply: Reply, pace: Pace, fault: Fault | None) -> web.StreamResponse:
    """Sends it. A cut ends in a reset connection."""
    response = web.StreamResponse(status=reply.status, headers={"Content-Type": reply.content_type})
    if fault is not None and fault.retry_after_s is not None:
        response.headers["Retry-After"] = f"{fault.retry_after_s:g}"
    cut = fault.cut_after_chunks if fault is not None else None
    await _sleep(pace.first_s)
    if reply.streamed:
        response.headers["Cache-Control"] = "no-cache"
        await response.prepare(request)
        for number, chunk in enumerate(reply.chunks):
            if cut == number:
                return await _reset(request, response)
            if number:
                await _sleep(pace.chunk_s)
            await response.write(chunk)
    else:
        body = b"".join(reply.chunks)
        response.content_length = len(body)
        await response.prepare(request)
        if request.method != "HEAD":
            await response.write(body if cut is None else body[: len(body) // 2])
    if cut is not None:
        return await _reset(request, response)
    await response.write_eof()
    return response


async def _reset(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    await asyncio.sleep(_BEFORE_RESET_S)
    if request.transport is not None:
        request.transport.abort()
    return response


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
