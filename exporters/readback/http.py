"""One request to a backend's own API; everything that can go wrong is one sentence."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from cabtrace.errors import CabtraceError, UsageError
from cabtrace.text import safe

_ANSWER_BYTES: Final = 1024 * 1024 * 1024
_TIMEOUT_S: Final = 60.0


class BackendError(CabtraceError):
    """The backend does not answer, or does not have the trace."""


def get(url: str, name: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The body of a 200. Raises BackendError, and UsageError for what is no address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url} is no address of a backend.", hint="Give one like http://localhost:16686.")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, port, timeout=_TIMEOUT_S)
    try:
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        connection.request("GET", path, headers={"accept": "application/json", **(headers or {})})
        response = connection.getresponse()
        data = response.read(_ANSWER_BYTES + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise BackendError(f"{name} does not answer ({error}).", hint="Is it running, and is its address right?") from error
    finally:
        connection.close()
    if len(data) > _ANSWER_BYTES:
        raise BackendError(f"{name} answers with more than {_ANSWER_BYTES:,} bytes.")
    if response.status == 404:
        raise BackendError(f"{name} does not have the trace.", hint="It may need some seconds after an export.")
    if response.status != 200:
        raise BackendError(f"{name} answers HTTP {response.status}: {safe(data[:300], newlines=False)}.")
    return data


def get_json(url: str, name: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A JSON object. Raises as `get` does."""
    found = documents(get(url, name, headers), name)
    return found[0] if found else {}


def documents(data: bytes, name: str) -> list[dict[str, Any]]:
    """One JSON document, or several one after another, as a streaming gateway writes them. Raises BackendError."""
    try:
        parsed = [orjson.loads(data)]
    except orjson.JSONDecodeError:
        try:
            parsed = [orjson.loads(line) for line in data.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise BackendError(f"The answer of {name} is no JSON: {error}.") from error
    return [p for p in parsed if isinstance(p, dict)]
