"""The recording proxy: listens for one agent, talks to one endpoint."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from cabtrace.errors import CabtraceError, UsageError
from cabtrace.limits import DEFAULT, Limits
from cabtrace.loop_thread import LoopThread
from cabtrace.runner.proxy.connection import GuardedConnection
from cabtrace.runner.proxy.endpoint import parse_endpoint
from cabtrace.runner.proxy.forward import Forwarder, strip_additions
from cabtrace.runner.proxy.guarded_sink import GuardedSink
from cabtrace.runner.proxy.sink import CallSink
from cabtrace.runner.proxy.upstream import Timeouts

_MIN_TOKEN_CHARS = 16


class ModelProxy:
    """Serves from a thread of its own between `start` and `stop`.

    `upstream` is the endpoint (with or without its `/v1`), fixed for good; `api_key` the real key, which only the
    endpoint gets to see; `token` what the agent must show. `extra_hosts` are further names that the agent may use for
    this proxy. Raises UsageError for an endpoint, token or address that cannot be served safely.
    """

    def __init__(
        self,
        upstream: str,
        api_key: str | None,
        token: str,
        sink: CallSink,
        *,
        listen_host: str = "127.0.0.1",
        port: int = 0,
        extra_hosts: Iterable[str] = (),
        limits: Limits = DEFAULT,
        timeouts: Timeouts | None = None,
        allow_any_interface: bool = False,
    ) -> None:
        if len(token) < _MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable() or " " in token:
            raise UsageError(f"the proxy's token needs at least {_MIN_TOKEN_CHARS} printable characters.")
        address = _address(listen_host)
        if address.is_unspecified and not allow_any_interface:
            raise UsageError(
                f"the model proxy would listen on every network of this machine ({listen_host}).",
                hint="Give it one address, or allow it explicitly.",
            )
        self._listen_host = listen_host
        self._wanted_port = port
        self._timeouts = timeouts or Timeouts()
        self._limits = limits
        self._sink = GuardedSink(sink)
        names = {listen_host, *extra_hosts} | ({"localhost"} if address.is_loopback else set())
        self._forwarder = Forwarder(
            parse_endpoint(upstream), api_key, token, self._sink, frozenset(names), limits, self._timeouts
        )
        self._thread = LoopThread("cabtrace-proxy")
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self.port = 0

    @property
    def sink_errors(self) -> int:
        """How often the sink raised; each is something that was not recorded."""
        return self._sink.errors

    def start(self) -> None:
        """Listens; `port` is known afterwards. Raises CabtraceError where it cannot."""
        try:
            self._thread.start(self._open())
        except OSError as error:
            raise CabtraceError(
                f"the model proxy cannot listen on {self._listen_host}:{self._wanted_port}: {error.strerror or error}.",
                hint="Choose another port, or none.",
            ) from error

    def base_url(self, reach_host: str) -> str:
        """Where the agent finds it, without `/v1`, under the name by which it reaches this machine."""
        host = f"[{reach_host}]" if ":" in reach_host else reach_host
        return f"http://{host}:{self.port}"

    def stop(self, grace_s: float = 0.0) -> None:
        """Accepts no more calls, gives those in flight `grace_s` seconds and ends the rest as `cancelled`."""
        if self._server is not None:
            self._thread.call(self._close(grace_s))
            self._server = None
        self._thread.stop()

    async def _open(self) -> None:
        @web.middleware
        async def everything(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._forwarder.handle(request)

        app = web.Application(middlewares=[everything])
        app.on_response_prepare.append(strip_additions)
        options: dict[str, Any] = {
            "access_log": None,
            "logger": _silent_logger(),
            "auto_decompress": False,
            "keepalive_timeout": self._timeouts.keepalive_s,
            "lingering_time": 2.0,
            "max_line_size": self._limits.request_header_bytes,
            "max_field_size": self._limits.request_header_bytes,
        }
        self._runner = web.AppRunner(app, handler_cancellation=True, **options)
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        loop = asyncio.get_running_loop()
        connection = partial(
            GuardedConnection,
            server,
            loop=loop,
            header_timeout_s=self._timeouts.request_header_s,
            max_connections=self._timeouts.max_connections,
            refused=self._sink.rejected,
            **options,
        )
        await self._forwarder.open()
        try:
            self._server = await loop.create_server(
                connection, self._listen_host, self._wanted_port, reuse_address=True, start_serving=False
            )
        except OSError:
            await self._forwarder.close()
            await self._runner.cleanup()
            raise
        self.port = self._forwarder.port = self._server.sockets[0].getsockname()[1]
        await self._server.start_serving()

    async def _close(self, grace_s: float) -> None:
        forwarder, server, runner = self._forwarder, self._server, self._runner
        assert server is not None
        assert runner is not None
        server.close()
        forwarder.stopping = True
        if forwarder.in_flight and grace_s > 0:
            await asyncio.wait(set(forwarder.in_flight), timeout=grace_s)
        rest = set(forwarder.in_flight)
        for task in rest:
            task.cancel()
        if rest:
            await asyncio.wait(rest, timeout=5)
        await forwarder.close()
        await runner.cleanup()


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError as error:
        raise UsageError(f"the model proxy needs an IP address to listen on, not {host!r}.") from error


def _silent_logger() -> logging.Logger:
    """Broken requests are counted, not printed over the user's terminal."""
    logger = logging.getLogger("cabtrace.proxy")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    return logger
