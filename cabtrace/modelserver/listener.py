"""The HTTP side of a model server: a thread of its own, one handler for every request."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from cabtrace.loop_thread import LoopThread

_BODY_BYTES = 64 * 1024 * 1024


class Listener:
    """Listens on `port`, or on a free one where that is 0."""

    def __init__(
        self, name: str, serve: Callable[[web.Request], Awaitable[web.StreamResponse]], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._thread = LoopThread(name)
        self._serve = serve
        self._runner: web.AppRunner | None = None
        self.host, self.port = host, port

    @property
    def url(self) -> str:
        """The endpoint, with `/v1`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/v1"

    def start(self) -> None:
        """Raises OSError where it cannot listen."""
        self._thread.start(self._open())

    def stop(self, closing: Callable[[], Awaitable[None]] | None = None) -> None:
        """Ends all connections and the thread; `closing` ends what else lives on its loop."""
        if self._runner is not None:
            self._thread.call(self._close(self._runner, closing))
            self._runner = None
        self._thread.stop()

    async def _open(self) -> None:
        @web.middleware
        async def everything(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._serve(request)

        app = web.Application(middlewares=[everything], client_max_size=_BODY_BYTES)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, self.host, self.port)
        try:
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = runner.addresses[0][1]

    async def _close(self, runner: web.AppRunner, closing: Callable[[], Awaitable[None]] | None) -> None:
        if closing is not None:
            await closing()
        await runner.cleanup()


def catalogue(path: str, listed: Sequence[Mapping[str, Any]], /, **more: Any) -> dict[str, Any]:
    """What `GET /v1/models` lists; any other unknown path gets an empty object."""
    return {"object": "list", "data": [*listed], **more} if path.rstrip("/").endswith("/models") else {}
