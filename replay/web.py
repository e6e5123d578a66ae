"""The replay in a browser: textual-serve on loopback, below a path that nobody can guess."""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from cabtrace.errors import UsageError
from cabtrace.text import safe
from replay.web_page import own_page

if TYPE_CHECKING:
    from aiohttp import web
    from aiohttp.typedefs import Handler, Middleware

HOST: Final = "127.0.0.1"
_TOKEN_BYTES: Final = 24
_DRAIN_S: Final = 2.0
# Nothing that is shown here may tell anybody that it is shown.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self' ws://{host}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class WebReplay:
    """Serves one command; each browser tab is a process of its own. Raises UsageError where textual-serve is not installed."""

    def __init__(self, command: str, title: str, port: int = 0) -> None:
        """`command` is a shell command that runs the app; port 0 takes any that is free. Raises UsageError for a taken one."""
        try:
            from textual_serve.server import Server
        except ImportError as error:
            raise UsageError("--web needs textual-serve, which is not installed.", hint="pip install 'cabtrace[web]'") from error
        self._title = safe(title, max_chars=400, newlines=False)
        self.token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((HOST, port))
        except OSError as error:
            self._socket.close()
            raise UsageError(f"Port {port} of {HOST} is taken: {error.strerror or error}.", hint="Leave --port out.") from error
        self.port = int(self._socket.getsockname()[1])
        self._server = Server(command, host=HOST, port=self.port, title=self._title, public_url=f"http://{HOST}:{self.port}")

    @property
    def url(self) -> str:
        """Where the replay is; whoever has this can use it."""
        return f"http://{HOST}:{self.port}/{self.token}/"

    def serve(self, ready: Callable[[str], None]) -> None:
        """Until ctrl-c or SIGTERM. `ready` is told the address once it can be opened."""
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: Callable[[str], None]) -> None:
        from aiohttp import web

        runner = web.AppRunner(await self.app(), handle_signals=False, access_log=None, shutdown_timeout=_DRAIN_S)
        await runner.setup()
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, ended.set)
        try:
            await web.SockSite(runner, self._socket).start()
            ready(self.url)
            await ended.wait()
        finally:
            await runner.cleanup()

    async def app(self) -> web.Application:
        """The application: textual-serve's below the token; everything else is refused."""
        from aiohttp import web

        inner = await self._inner()
        outer = web.Application(middlewares=[self._guard()])
        outer.add_subapp(f"/{self.token}", inner)
        return outer

    async def _inner(self) -> web.Application:
        app: Any = await self._server._make_app()  # its only way to the application without running it
        for hooks in (app.on_startup, app.on_shutdown):
            hooks.clear()  # a banner on stdout
        result: web.Application = app
        return result

    def _guard(self) -> Middleware:
        """Refuses what does not come from the page itself: no token, another host's name, another page's origin."""
        from aiohttp import web

        hosts = {f"{name}:{self.port}" for name in (HOST, "localhost")}
        origins = {f"http://{host}" for host in hosts}

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            path = request.rel_url.raw_path
            origin = request.headers.get("Origin")
            known = secrets.compare_digest(path[1 : len(self.token) + 1].encode(), self.token.encode())
            if not known or request.headers.get("Host") not in hosts or (origin is not None and origin not in origins):
                return web.Response(status=403, text="This address is not the one that cabtrace printed.\n")
            if request.method != "GET":
                return web.Response(status=405, headers={"Allow": "GET"})
            response = await handler(request)
            if not response.prepared:
                if isinstance(response, web.Response) and response.content_type == "text/html":
                    response.text = own_page(response.text or "", self._title)
                response.headers.update(
                    {
                        "Content-Security-Policy": _POLICY.format(host=request.headers["Host"]),
                        "Referrer-Policy": "no-referrer",
                        "Cache-Control": "no-store",
                        "X-Content-Type-Options": "nosniff",
                    }
                )
            return response

        return guard
