"""The receiver's HTTP side: one run's token, one address, everything bounded, every refusal counted and none of it fatal."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Sequence
from typing import Any, Protocol

import aiohttp
from aiohttp import web

from cabtrace.errors import CabtraceError
from cabtrace.limits import DEFAULT, Limits
from cabtrace.loop_thread import LoopThread
from cabtrace.model.log import LogRecord
from cabtrace.model.span import SpanRecord
from cabtrace.otel.receiver import answers
from cabtrace.otel.receiver.batch import Batch, MalformedError, Signal
from cabtrace.otel.receiver.inflate import TooLargeError, decoded

TOKEN_HEADER = "x-cabtrace-token"  # noqa: S105 - a name
_BODY_S = 30.0
_KEPT_ALIVE_S = 75.0


class TelemetrySink(Protocol):
    """Where records go. It is called on the receiver's thread; what it raises is counted and reaches nobody."""

    def spans(self, spans: Sequence[SpanRecord]) -> None:
        """Spans of one export."""

    def logs(self, logs: Sequence[LogRecord]) -> None:
        """Log records of one export."""


class OtlpReceiver:
    """Serves `/v1/traces`, `/v1/logs` and `/v1/metrics` from a thread of its own between `start` and `stop`.

    `token` is shown as the first part of the path, in `x-cabtrace-token`, or as a bearer token. `counts` says what came:
    `requests`, `spans`, `logs`, `metrics` (counted only), `rejected` (records), and the refused requests `malformed`,
    `unauthorized`, `too_large` and `unknown`; `errors` are failures of the sink.
    """

    def __init__(self, token: str, sink: TelemetrySink, *, listen_host: str = "127.0.0.1", limits: Limits = DEFAULT) -> None:
        self._token = token.encode()
        self._sink = sink
        self._listen_host = listen_host
        self._limits = limits
        self._thread = LoopThread("cabtrace-otlp")
        self._runner: web.AppRunner | None = None
        self._busy = 0
        self._bytes = 0
        self.port = 0
        names = (
            "requests",
            "spans",
            "logs",
            "metrics",
            "rejected",
            "malformed",
            "unauthorized",
            "too_large",
            "unknown",
            "errors",
        )
        self.counts: dict[str, int] = dict.fromkeys(names, 0)

    def start(self) -> None:
        """Listens; `port` is known afterwards. Raises CabtraceError where it cannot."""
        try:
            self._thread.start(self._open())
        except OSError as error:
            raise CabtraceError(
                f"the telemetry receiver cannot listen on {self._listen_host}: {error.strerror or error}."
            ) from error

    def stop(self, grace_s: float = 2.0) -> None:
        """Accepts nothing new, waits `grace_s` for what is being read, and ends. Safe to call twice."""
        if self._runner is not None:
            self._thread.call(self._close(grace_s))
            self._runner = None
        self._thread.stop()

    async def _open(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        options: dict[str, Any] = {
            "access_log": None,
            "logger": _silent_logger(),
            "auto_decompress": False,
            "keepalive_timeout": _KEPT_ALIVE_S,
            "shutdown_timeout": 0.5,
        }
        self._runner = runner = web.AppRunner(app, **options)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._listen_host, 0).start()
        except OSError:
            await runner.cleanup()
            self._runner = None
            raise
        self.port = runner.addresses[0][1]

    async def _close(self, grace_s: float) -> None:
        assert self._runner is not None
        for site in list(self._runner.sites):
            await site.stop()
        deadline = asyncio.get_running_loop().time() + grace_s
        while self._busy and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        self._busy += 1
        try:
            return await self._answer(request)
        finally:
            self._busy -= 1

    async def _answer(self, request: web.Request) -> web.Response:
        kind = _content_type(request)
        signal = self._admit(request)
        if isinstance(signal, web.Response):
            return signal
        self.counts["requests"] += 1
        try:
            body = decoded(
                await self._read(request), request.headers.get("Content-Encoding", ""), self._limits.telemetry_request_bytes
            )
            batch = _parse(signal, kind, body)
        except TooLargeError as error:
            self.counts["too_large"] += 1
            return _refusal(413, kind, str(error), close=True)
        except (MalformedError, aiohttp.ClientError, web.RequestPayloadError, TimeoutError) as error:
            self.counts["malformed"] += 1
            return _refusal(400, kind, str(error) or type(error).__name__, close=not isinstance(error, MalformedError))
        message = self._take(batch, len(body))
        self.counts["rejected"] += batch.rejected
        return web.Response(body=answers.accepted(signal, kind, batch.rejected, message), content_type=kind)

    def _admit(self, request: web.Request) -> Signal | web.Response:
        kind = _content_type(request)
        parts = [part for part in request.path.split("/") if part]
        by_path = len(parts) == 3 and self._is_token(parts[0])
        if not by_path and not self._is_token(request.headers.get(TOKEN_HEADER, "")) and not self._is_token(_bearer(request)):
            self.counts["unauthorized"] += 1
            return _refusal(401, kind, "this is not the token of this run", close=True)
        version, signal = parts[-2:] if len(parts) == (3 if by_path else 2) else ("", "")
        if version != "v1" or signal not in tuple(Signal):
            self.counts["unknown"] += 1
            return _refusal(404, kind, "only /v1/traces, /v1/logs and /v1/metrics are served", close=True)
        if request.method != "POST":
            self.counts["unknown"] += 1
            return _refusal(405, kind, "only POST is served", close=True)
        return Signal(signal)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token)

    async def _read(self, request: web.Request) -> bytes:
        limit = self._limits.telemetry_request_bytes
        if (request.content_length or 0) > limit:
            raise TooLargeError(f"larger than {limit} bytes")
        body = bytearray()
        async with asyncio.timeout(_BODY_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > limit:
                    raise TooLargeError(f"larger than {limit} bytes")
        return bytes(body)

    def _take(self, batch: Batch, size_bytes: int) -> str:
        """Hands a batch on; what is answered beside the count of rejected records."""
        self._bytes += size_bytes
        self.counts["metrics"] += batch.metrics
        if self._bytes > self._limits.telemetry_bytes:
            batch.rejected += len(batch.spans) + len(batch.logs)
            return "this run has had all the telemetry that is kept of one"
        try:
            if batch.spans:
                self._sink.spans(batch.spans)
            if batch.logs:
                self._sink.logs(batch.logs)
        except Exception:  # noqa: BLE001 - whatever the recorder does, the agent goes on
            self.counts["errors"] += 1
        self.counts["spans"] += len(batch.spans)
        self.counts["logs"] += len(batch.logs)
        return "some records had no valid id or time" if batch.rejected else ""


def _parse(signal: Signal, content_type: str, body: bytes) -> Batch:
    if content_type == answers.JSON:
        from cabtrace.otel.receiver.from_json import read_json

        return read_json(signal, body)
    from cabtrace.otel.receiver.from_protobuf import read_protobuf

    return read_protobuf(signal, body)


def _content_type(request: web.Request) -> str:
    return answers.JSON if "json" in request.headers.get("Content-Type", "").lower() else answers.PROTOBUF


def _bearer(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _refusal(status: int, content_type: str, message: str, *, close: bool) -> web.Response:
    response = web.Response(status=status, body=answers.refused(content_type, message), content_type=content_type)
    if close:
        response.force_close()  # the body may not have been read
    return response


def _silent_logger() -> logging.Logger:
    """Broken requests are counted, not printed over the user's terminal."""
    logger = logging.getLogger("cabtrace.otlp")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False
    return logger
