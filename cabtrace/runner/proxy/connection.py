"""A connection to the proxy that cannot be held open by saying nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web


class GuardedConnection(web.RequestHandler):
    """aiohttp's own connection, plus a deadline for the first request's headers and a quiet answer to broken ones."""

    __slots__ = ("_deadline", "_header_timeout_s", "_max_connections", "_refused", "_server")

    def __init__(
        self,
        server: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        header_timeout_s: float,
        max_connections: int,
        refused: Callable[[str], None],
        **kwargs: Any,
    ) -> None:
        super().__init__(server, loop=loop, **kwargs)
        self._server = server
        self._header_timeout_s = header_timeout_s
        self._max_connections = max_connections
        self._refused = refused
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the clock."""
        super().connection_made(transport)
        if len(self._server.connections) > self._max_connections:
            self._expire()
        else:
            # later requests of this connection fall under the keep-alive timeout
            self._deadline = asyncio.get_running_loop().call_later(self._header_timeout_s, self._expire)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stops the clock."""
        self.headers_complete()
        super().connection_lost(exc)

    def headers_complete(self) -> None:
        """The first request came through."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answers what is not HTTP (and what went wrong here) without a traceback on the user's terminal."""
        self.headers_complete()
        if request.writer.output_size > 0:
            raise ConnectionError("the response has already begun")
        self._refused("bad_request" if status < 500 else "internal")
        response = web.Response(status=status, text="bad request\n" if status < 500 else "internal error\n")
        response.force_close()
        return response

    def _expire(self) -> None:
        self._refused("timeout")
        if self.transport is not None:
            self.transport.abort()
