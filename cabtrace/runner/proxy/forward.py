"""One request of the agent, passed on to the endpoint, its answer passed back as it comes."""

from __future__ import annotations

import asyncio
import io
import time
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from cabtrace.limits import KIB, Limits
from cabtrace.runner.proxy import admission, headers
from cabtrace.runner.proxy.apis import Api, find_api
from cabtrace.runner.proxy.connection import GuardedConnection
from cabtrace.runner.proxy.endpoint import Endpoint
from cabtrace.runner.proxy.guarded_sink import GuardedRecording, GuardedSink
from cabtrace.runner.proxy.sink import CallRequest
from cabtrace.runner.proxy.upstream import Timeouts, classify, ends_now, open_session, salvage, watch_connection

_FORWARDED = web.ResponseKey("forwarded", frozenset[str])
# Bodies above this are sent in pieces, so that one call does not hold up the others.
_ONE_WRITE_BYTES = 64 * KIB
# How long the recorder waits for a request to leave; a new connection may take longer.
_WRITTEN_S = 0.005
# Request bodies held at the same time, as a multiple of the largest one.
_HELD_BODIES = 4


class _Refused(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


@dataclass(slots=True)
class Forwarder:
    """Checks, forwards and records. `names` are the hosts that requests may be addressed to, `port` is the own one."""

    endpoint: Endpoint
    api_key: str | None
    token: str
    sink: GuardedSink
    names: frozenset[str]
    limits: Limits
    timeouts: Timeouts
    port: int = 0
    stopping: bool = False
    in_flight: set[asyncio.Task[object]] = field(default_factory=set)
    _session: aiohttp.ClientSession | None = None
    _held_bytes: int = 0

    async def open(self) -> None:
        """Makes the client side. To be called on the loop that it is used on."""
        self._session = open_session(self.timeouts, self.limits)

    async def close(self) -> None:
        """Closes all connections to the endpoint."""
        if self._session is not None:
            await self._session.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answers one request, whatever it is."""
        received_ns = time.monotonic_ns()
        if isinstance(request.protocol, GuardedConnection):
            request.protocol.headers_complete()
        task = asyncio.current_task()
        assert task is not None
        self.in_flight.add(task)
        held = 0
        try:
            target, style = self._admit(request)
            body = await self._read_body(request)
            held = len(body)
            self._held_bytes += held
            return await self._forward(request, target, style, body, received_ns)
        except _Refused as refused:
            if request.method not in ("HEAD", "OPTIONS"):  # Claude Code warms up its connection so; no call is lost by it
                self.sink.rejected(refused.reason)
            return _error(refused.status, refused.reason, refused.message)
        finally:
            self._held_bytes -= held
            self.in_flight.discard(task)

    def _admit(self, request: web.Request) -> tuple[admission.Target, str]:
        """The target and where the token stood. Nothing of a request is used before this."""
        if sum(len(name) + len(value) + 4 for name, value in request.raw_headers) > self.limits.request_header_bytes:
            raise _Refused(431, "too_large", "the request's headers are too large")
        hosts, origins = request.headers.getall("Host", []), request.headers.getall("Origin", [])
        if not admission.host_allowed(hosts, self.names, self.port):
            raise _Refused(403, "bad_host", "this is not the host that the request is addressed to")
        if not admission.origin_allowed(origins, self.names, self.port):
            raise _Refused(403, "bad_host", "requests of web pages are not served")
        target = admission.read_target(request.raw_path)
        if target is None or request.method in ("CONNECT", "TRACE"):
            raise _Refused(400, "bad_path", "the request target is not a plain path")
        style = admission.token_style(request.headers, target.key, self.token)
        if style is None:
            raise _Refused(401, "bad_token", "the API key is not the one that this run was given")
        if self.stopping:
            raise _Refused(503, "stopping", "the run is over")
        return target, style

    async def _read_body(self, request: web.Request) -> bytes:
        limit = self.limits.request_body_bytes
        too_large = _Refused(413, "too_large", f"the request's body is larger than {limit} bytes")
        if (request.content_length or 0) > limit:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self.timeouts.request_body_s):
                async for piece in request.content.iter_any():
                    body += piece
                    if len(body) > limit or self._held_bytes + len(body) > limit * _HELD_BODIES:
                        raise too_large
        except TimeoutError:
            raise _Refused(408, "timeout", "the request's body did not come in time") from None
        except (aiohttp.ClientError, web.RequestPayloadError):
            raise _Refused(400, "bad_request", "the request's body is broken") from None
        return bytes(body)

    async def _forward(
        self, request: web.Request, target: admission.Target, style: str, body: bytes, received_ns: int
    ) -> web.StreamResponse:
        api = find_api(request.method, target.path)
        recording = GuardedRecording.absent()
        error: str | None = "agent_disconnected"
        upstream: aiohttp.ClientResponse | None = None
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        sent = asyncio.ensure_future(self._send(request, target, style, api, body, written))
        try:
            if api is None:
                self.sink.unrecorded(request.method, target.text)
            else:
                # The recorder writes while the model thinks: what that costs is not added to the model's latency.
                try:
                    await asyncio.wait((sent, written), timeout=_WRITTEN_S, return_when=asyncio.FIRST_COMPLETED)
                finally:  # an agent that is gone by now has still made this call
                    noted = headers.to_record(request.headers.items())
                    recording = self.sink.request(CallRequest(api.name, request.method, target.text, noted, body, received_ns))
            upstream = await sent
            watch_connection(upstream)
            response, error = await self._answer(request, upstream, recording)
            if error == "agent_disconnected" and await ends_now(upstream.content, self.timeouts.last_word_s):
                error = None
        except asyncio.CancelledError:
            error = "cancelled" if self.stopping else "agent_disconnected"
            if upstream is None:
                sent.cancel()
                sent.add_done_callback(_abandon)
            elif not self.stopping and await ends_now(upstream.content, self.timeouts.last_word_s):
                error = None
            raise
        except (aiohttp.ClientError, OSError, TimeoutError) as problem:
            error = classify(problem)
            response = self._unanswered(request, error, problem)
        finally:
            if upstream is not None:  # a half-read answer takes its connection with it
                upstream.release() if error is None else upstream.close()
            recording.end(error)
        return response

    async def _send(
        self,
        request: web.Request,
        target: admission.Target,
        style: str,
        api: Api | None,
        body: bytes,
        written: asyncio.Future[None],
    ) -> aiohttp.ClientResponse:
        assert self._session is not None
        passed = headers.to_upstream(headers.decoded(request.raw_headers))
        if self.api_key:
            passed.append(headers.credential(style, api.key_header if api else None, self.api_key))
        url = URL.build(
            scheme=self.endpoint.scheme,
            host=self.endpoint.host,
            port=self.endpoint.port,
            path=self.endpoint.path_for(target.path) or "/",
            query_string=target.query,
            encoded=True,
        )
        data = io.BytesIO(body) if len(body) > _ONE_WRITE_BYTES else body
        return await self._session.request(
            request.method,
            url,
            headers=passed,
            data=data if body or request.can_read_body else None,
            allow_redirects=False,
            proxy=self.endpoint.environment_proxy(),
            trace_request_ctx=written,
        )

    async def _answer(
        self, request: web.Request, upstream: aiohttp.ClientResponse, recording: GuardedRecording
    ) -> tuple[web.StreamResponse, str | None]:
        """Passes status, headers and body back; returns what cut it short, if anything did."""
        response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
        passed = headers.to_agent(headers.decoded(upstream.raw_headers))
        for name, value in passed:
            response.headers.add(name, value)
        response[_FORWARDED] = frozenset(name.lower() for name, _ in passed)
        try:
            try:
                await response.prepare(request)
            finally:
                recording.response(upstream.status, headers.to_record(upstream.headers.items()))
            error = await self._pump(upstream, response, recording)
            if error is None:
                await response.write_eof()
            elif request.transport is not None:
                # no final chunk: the agent sees a cut body, as it would have without a proxy
                request.transport.close()
        except ConnectionError:
            return response, "agent_disconnected"
        return response, error

    async def _pump(
        self, upstream: aiohttp.ClientResponse, response: web.StreamResponse, recording: GuardedRecording
    ) -> str | None:
        content = upstream.content
        while True:
            try:
                data, boundary = await content.readchunk()
            except (aiohttp.ClientError, OSError, TimeoutError) as problem:
                if rest := salvage(content):
                    await response.write(rest)
                    recording.chunk(rest)
                return classify(problem)
            if data:
                await response.write(data)
                recording.chunk(data)
            elif not boundary:
                return None

    def _unanswered(self, request: web.Request, error: str, problem: Exception) -> web.StreamResponse:
        where = f"{self.endpoint.scheme}://{self.endpoint.host}:{self.endpoint.port}"
        if error == "connect_error":
            return _error(502, error, f"no connection to the model endpoint {where}: {problem}")
        if error == "timeout":
            return _error(504, error, f"the model endpoint {where} did not answer in time")
        if request.transport is not None:  # it hung up without an answer; so do we
            request.transport.close()
        return _error(502, error, f"the model endpoint {where} closed the connection")


async def strip_additions(_request: web.Request, response: web.StreamResponse) -> None:
    """A signal for aiohttp: takes back the headers that it adds by itself and that the endpoint did not send."""
    sent = response.get(_FORWARDED)
    if sent is not None:
        for name in ("Content-Type", "Date", "Server"):
            if name.lower() not in sent:
                response.headers.pop(name, None)


def _abandon(sent: asyncio.Future[aiohttp.ClientResponse]) -> None:
    """Nobody waits for this request any more."""
    if not sent.cancelled() and sent.exception() is None:
        sent.result().close()


def _error(status: int, kind: str, message: str) -> web.Response:
    response = web.json_response({"error": {"type": f"cabtrace_{kind}", "message": f"cabtrace: {message}"}}, status=status)
    response.force_close()
    return response
