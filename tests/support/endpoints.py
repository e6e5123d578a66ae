"""Model endpoints that answer nothing of use, and what a record says of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.loopback import QuietHandler, serving


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str
    body: bytes
    declared: int | None = None  # a Content-Length that the body does not reach


def error(status: int, message: str) -> Answer:
    return Answer(status, "application/json", json.dumps({"error": {"message": message, "type": "e"}}).encode())


HALF = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}\n\ndata: {"choices":[{"ind'
# What an endpoint answers to every call: what the record says of it.
ENDPOINTS = {
    "401": (error(401, "Incorrect API key provided"), "HTTP 401: Incorrect API key provided"),
    "404, the model is unknown": (error(404, "The model `m` does not exist"), "HTTP 404: The model `m` does not exist"),
    "500": (error(500, "The server had an error"), "HTTP 500: The server had an error"),
    "429, for ever": (error(429, "Rate limit reached for m"), "HTTP 429: Rate limit reached for m"),
    "502 of a gateway": (Answer(502, "text/html", b"<html>Bad Gateway</html>"), "HTTP 502: <html>Bad Gateway</html>"),
    "HTML": (Answer(200, "text/html", b"<!doctype html><title>Sign in</title>"), "none of this API (HTTP 200, text/html)"),
    "bad JSON": (Answer(200, "application/json", b'{"choices": [}'), "none of this API (HTTP 200, application/json)"),
    "other JSON": (Answer(200, "application/json", b'{"ok": true}'), "none of this API (HTTP 200, application/json)"),
    "nothing at all": (Answer(200, "text/event-stream", b""), "the answer broke off"),
    "half a stream": (Answer(200, "text/event-stream", HALF), "the answer broke off"),
    "a stream that is cut": (Answer(200, "text/event-stream", HALF, declared=10_000), "the endpoint closed the connection"),
    "bytes": (Answer(200, "text/event-stream", bytes(range(256)) * 9), "the answer broke off"),
}


@contextmanager
def endpoint(answer: Answer, retry_after_s: str = "0.05") -> Iterator[str]:
    class Handler(QuietHandler):
        def do_POST(self) -> None:
            self.read_body()
            more = {"Retry-After": retry_after_s}
            if answer.declared is not None:
                more["Content-Length"] = str(answer.declared)
            self.reply(answer.status, answer.kind, answer.body, more)

        def do_GET(self) -> None:
            self.send_error(401 if answer.status == 401 else 200)

    with serving(Handler) as url:
        yield f"{url}/v1"
