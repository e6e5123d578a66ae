"""Serves the answers of a recorded run over the APIs through which they came: same status, same text, its pace scaled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from cabtrace.errors import CabtraceError
from cabtrace.modelserver.listener import Listener, catalogue
from cabtrace.modelserver.replies import Reply, plain, refusal
from cabtrace.modelserver.sending import Pace, send
from cabtrace.runner.proxy.apis import find_api
from cabtrace.runner.proxy.apis.values import load, request_hash

if TYPE_CHECKING:
    from cabtrace.modelserver.live import LiveModel
    from cabtrace.runner.rerun import RecordedAnswer, Recording

_UNANSWERED = 409
_FOREVER_S = 30 * 24 * 3600.0
_JSON = "application/json"
# What the proxy told the agent where the endpoint gave no answer at all.
_PROXY_STATUS = {"connect_error": 502, "timeout": 504}


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A request that the recording has no answer for: a sentence, and how it differs from the nearest recorded one."""

    sentence: str
    difference: str


class RecordedModel:
    """Serves from a thread of its own. `speed` multiplies the recorded waits; 0 is no waiting.

    Where there is no answer, `on_unanswered` is told once and the agent gets an HTTP 409; with `live`, that request and all
    that come after it go to the real endpoint instead.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float = 0.0,
        live: LiveModel | None = None,
        on_unanswered: Callable[[Unanswered], None] | None = None,
    ) -> None:
        self._recording = recording
        self._speed = speed
        self._live = live
        self._on_unanswered = on_unanswered
        self._listener = Listener("cabtrace-recorded", self._serve)
        self.served = 0
        self.live_requests = 0
        self.unanswered: Unanswered | None = None

    @property
    def url(self) -> str:
        """The endpoint, with `/v1`."""
        return self._listener.url

    def start(self) -> None:
        """Listens on a free port of the loopback. Raises CabtraceError where it cannot."""
        try:
            self._listener.start()
        except OSError as error:
            raise CabtraceError(f"the recorded answers cannot be served: {error.strerror or error}.") from error

    def stop(self) -> None:
        """Ends all connections and the thread."""
        self._listener.stop(self._live.close if self._live is not None else None)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        api = find_api(request.method, request.path)
        if self._live is not None and self.unanswered is not None:
            return await self._pass_on(request, body)
        if api is None:
            return await send(request, plain(200, catalogue(request.path, self._models())), Pace(), None)
        document = load(body)
        found = self._recording.take(api.name, request.path_qs, request_hash(body), document)
        if found is not None:
            self.served += 1
            return await self._give(request, found)
        missing = Unanswered(*self._recording.explain(api.name, document))
        first, self.unanswered = self.unanswered is None, self.unanswered or missing
        if self._live is not None:
            return await self._pass_on(request, body)
        try:
            return await send(request, refusal(api.name, _UNANSWERED, f"cabtrace: {missing.sentence}"), Pace(), None)
        finally:
            if first and self._on_unanswered is not None:
                self._on_unanswered(missing)

    async def _pass_on(self, request: web.Request, body: bytes) -> web.StreamResponse:
        assert self._live is not None
        self.live_requests += 1
        return await self._live.answer(request, body)

    async def _give(self, request: web.Request, found: RecordedAnswer) -> web.StreamResponse:
        if found.status is None:
            return await self._give_nothing(request, found)
        response = web.StreamResponse(status=found.status, headers=self._headers(found))
        began = asyncio.get_running_loop().time()
        if found.pieces:
            await self._until(began, found.pieces[0][0])
        await response.prepare(request)
        for at_s, text in found.pieces:
            await self._until(began, at_s)
            await response.write(text.encode("utf-8", "replace"))
        if found.held:
            await asyncio.sleep(_FOREVER_S)
        if found.error in ("upstream_reset", "timeout"):
            await asyncio.sleep(0.02)  # a reset overtakes what is still in a buffer
            _abort(request)
            return response
        await response.write_eof()
        return response

    async def _give_nothing(self, request: web.Request, found: RecordedAnswer) -> web.StreamResponse:
        if found.held:
            await asyncio.sleep(_FOREVER_S)
        if status := _PROXY_STATUS.get(found.error):
            message = f"cabtrace: no answer of the model endpoint was recorded ({found.error})"
            error = {"error": {"type": f"cabtrace_{found.error}", "message": message}}
            return await send(request, plain(status, error), Pace(), None)
        _abort(request)
        return await send(request, Reply(502, _JSON, (b"{}",)), Pace(), None)

    async def _until(self, began_s: float, at_s: float) -> None:
        wait_s = began_s + at_s * self._speed - asyncio.get_running_loop().time()
        if self._speed > 0 and wait_s > 0:
            await asyncio.sleep(wait_s)

    def _headers(self, found: RecordedAnswer) -> dict[str, str]:
        kept = {name: value for name, value in found.headers.items() if name in ("content-type", "retry-after")}
        if "retry-after" in kept:
            try:
                kept["retry-after"] = f"{float(kept['retry-after']) * self._speed:g}"
            except ValueError:
                del kept["retry-after"]  # a date, which is over
        return kept

    def _models(self) -> list[dict[str, str]]:
        return [{"id": name, "object": "model"} for name in self._recording.models]


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
