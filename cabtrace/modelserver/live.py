"""The real endpoint, behind recorded answers: a request is passed on as it came, its answer passed back as it comes."""

from __future__ import annotations

from aiohttp import ClientError, ClientSession, web
from yarl import URL

from cabtrace.limits import DEFAULT
from cabtrace.modelserver.replies import plain
from cabtrace.modelserver.sending import Pace, send
from cabtrace.runner.proxy.endpoint import parse_endpoint
from cabtrace.runner.proxy.upstream import Timeouts, open_session

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length")
)


class LiveModel:
    """Lives on the loop of the server that uses it. Raises UsageError for an endpoint that is no plain URL."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = parse_endpoint(endpoint)
        self._session: ClientSession | None = None

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """One request, with the credentials that came with it."""
        if self._session is None:
            self._session = open_session(Timeouts(), DEFAULT)
        target = self._endpoint
        url = URL.build(
            scheme=target.scheme,
            host=target.host,
            port=target.port,
            path=target.path_for(request.raw_path.partition("?")[0]) or "/",
            query_string=request.raw_path.partition("?")[2],
            encoded=True,
        )
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP_BY_HOP]
        try:
            async with self._session.request(
                request.method, url, headers=headers, data=body or None, allow_redirects=False, proxy=target.environment_proxy()
            ) as upstream:
                response = web.StreamResponse(status=upstream.status)
                for name, value in upstream.headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        response.headers.add(name, value)
                await response.prepare(request)
                async for piece in upstream.content.iter_any():
                    await response.write(piece)
                await response.write_eof()
                return response
        except (ClientError, OSError, TimeoutError) as problem:
            message = f"cabtrace: no connection to the model endpoint: {problem}"
            return await send(
                request, plain(502, {"error": {"type": "cabtrace_connect_error", "message": message}}), Pace(), None
            )

    async def close(self) -> None:
        """Ends its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
