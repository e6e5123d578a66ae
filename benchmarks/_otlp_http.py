"""Sends OTLP JSON lines over HTTP, one request a line, and waits until a server listens."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterable
from urllib.parse import urlsplit

_REQUEST_S = 60.0


class Sender:
    """One connection, opened again where the server closes it. Raises OSError where a request is not taken."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._path = f"{parts.path}/v1/traces"
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._connection = http.client.HTTPConnection(*self._address, timeout=_REQUEST_S)

    def listening(self, within_s: float = 30.0) -> None:
        """Returns once it listens. Raises TimeoutError."""
        until_s = time.perf_counter() + within_s
        while time.perf_counter() < until_s:
            try:
                socket.create_connection(self._address, timeout=1.0).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        raise TimeoutError(f"nothing listens within {within_s:.0f} s")

    def send(self, lines: Iterable[str]) -> None:
        for line in lines:
            try:
                self._post(line)
            except http.client.HTTPException:
                self._connection.close()
                self._post(line)

    def _post(self, line: str) -> None:
        self._connection.request("POST", self._path, line.encode(), {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise OSError(f"answered {answer.status}: {said[:200]!r}")

    def close(self) -> None:
        self._connection.close()
