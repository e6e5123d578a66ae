"""The scripted model's HTTP server."""

from __future__ import annotations

import asyncio
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cabtrace.errors import CabtraceError
from cabtrace.modelserver.answer import Answer, answer
from cabtrace.modelserver.listener import Listener, catalogue
from cabtrace.modelserver.replies import Reply, garbage, plain, refusal, reply
from cabtrace.modelserver.script import ANY, Fault, Script, find_model
from cabtrace.modelserver.sending import Pace, send
from cabtrace.modelserver.wire.common import CREATED_S
from cabtrace.runner.proxy.apis import Api, find_api
from cabtrace.runner.proxy.apis.facts import RequestFacts
from cabtrace.runner.proxy.apis.values import load, mapping


@dataclass(frozen=True, slots=True)
class Served:
    """One request that came in; `request_hash` and `model` are empty where the path is of no known API."""

    method: str
    path: str
    request_hash: str = ""
    model: str = ""
    status: int = 200


class ModelServer:
    """Serves scripts from a thread of its own. `speed` multiplies all latencies; 0 is no waiting."""

    def __init__(
        self,
        scripts: Sequence[Script],
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        api_key: str | None = None,
        speed: float = 1.0,
    ) -> None:
        self._scripts = tuple(scripts)
        self._api_key = api_key
        self._speed = speed
        self._failed: Counter[str] = Counter()
        self._listener = Listener("cabtrace-model", self._serve, host, port)
        self.requests: list[Served] = []

    @property
    def url(self) -> str:
        """The endpoint, with `/v1`."""
        return self._listener.url

    def start(self) -> None:
        """Listens. Raises CabtraceError where it cannot."""
        try:
            self._listener.start()
        except OSError as error:
            raise CabtraceError(
                f"the model server cannot listen on {self._listener.host}:{self._listener.port}: {error.strerror or error}.",
                hint="Choose another port.",
            ) from error

    def stop(self) -> None:
        """Ends all connections and the thread."""
        self._listener.stop()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        api = find_api(request.method, request.path)
        if not self._key_is_right(request):
            self.requests.append(Served(request.method, request.path, status=401))
            return await send(request, refusal(api.name if api else "", 401, "the API key is not right"), Pace(), None)
        if api is None:
            self.requests.append(Served(request.method, request.path))
            return await send(request, plain(200, self._catalogue(request.path)), Pace(), None)
        facts = api.request_facts(body)
        found = self._find(api, facts, body)
        pace, fault = Pace(), None
        if isinstance(found, Answer):
            fault = self._due(found.fault, facts.request_hash)
            events = request.query.get("alt") == "sse"
            made = reply(api.name, found, stream=bool(facts.stream), events=events)
            pace = self._pace(found, made)
            if fault is not None and fault.status is not None:
                made = refusal(api.name, fault.status, "this is a scripted failure")
            elif fault is not None and fault.garbage:
                made = garbage(made)
        else:
            made = found
        self.requests.append(Served(request.method, request.path, facts.request_hash, facts.model or "", made.status))
        if fault is not None and fault.hang_s is not None:
            await asyncio.sleep(fault.hang_s)
        return await send(request, made, pace, fault)

    def _find(self, api: Api, facts: RequestFacts, body: bytes) -> Answer | Reply:
        document = mapping(load(body))
        if not document:
            return refusal(api.name, 400, "the request's body is not a JSON object")
        model = find_model(self._scripts, facts.model or "")
        if model is None:
            return refusal(api.name, 404, f"no script has a model named {facts.model!r}")
        return answer(model, facts, document, len(body))

    def _due(self, fault: Fault | None, request_hash: str) -> Fault | None:
        """The fault, unless this request has met it often enough; then the count begins anew."""
        if fault is None or not fault.times:
            return fault
        self._failed[request_hash] += 1
        if self._failed[request_hash] <= fault.times:
            return fault
        del self._failed[request_hash]
        return None

    def _pace(self, found: Answer, made: Reply) -> Pace:
        first, chunk = found.first_token_ms * self._speed / 1e3, found.chunk_ms * self._speed / 1e3
        if made.streamed:
            return Pace(first, chunk)
        return Pace(first + chunk * len(found.text_pieces))

    def _key_is_right(self, request: web.Request) -> bool:
        if self._api_key is None:
            return True
        wanted = self._api_key.encode()
        given = [request.headers.get(name, "") for name in ("x-api-key", "x-goog-api-key", "api-key")]
        given += [request.headers.get("Authorization", "").removeprefix("Bearer "), request.query.get("key", "")]
        return any(hmac.compare_digest(value.encode("utf-8", "replace"), wanted) for value in given)

    def _catalogue(self, path: str) -> dict[str, Any]:
        names = [model.name for script in self._scripts for model in script.model if model.name != ANY]
        listed = [{"id": name, "object": "model", "created": CREATED_S, "owned_by": "cabtrace"} for name in names]
        return catalogue(path, listed, models=[{"name": f"models/{name}"} for name in names])
