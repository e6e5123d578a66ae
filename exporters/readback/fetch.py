"""Reading a trace from a backend's own API, as the spans that it kept."""

from __future__ import annotations

import http.client
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from cabtrace.errors import CabtraceError, UsageError
from cabtrace.model.ids import is_hex_id
from cabtrace.model.span import SpanRecord
from cabtrace.text import safe
from exporters.readback.otlp_trace import spans_of

DEFAULT_URLS: Final[Mapping[str, str]] = {"jaeger": "http://localhost:16686", "tempo": "http://localhost:3200"}
_TRACE_BYTES: Final = 1024 * 1024 * 1024
_TIMEOUT_S: Final = 60.0


class BackendError(CabtraceError):
    """The backend does not answer, or does not have the trace."""


def fetch_trace(backend: str, url: str | None, trace_id: str) -> Sequence[SpanRecord]:
    """Every span that the backend has of the trace. Raises BackendError, and UsageError where there is no trace to ask for."""
    if not is_hex_id(trace_id, 32):
        raise UsageError(f"{trace_id!r} is no trace id.")
    base = (url or DEFAULT_URLS[backend]).rstrip("/")
    if backend == "jaeger":
        # raw: Jaeger otherwise corrects clocks, merges and sorts before it answers
        data = _get(f"{base}/api/v3/traces/{trace_id}?rawTraces=true", f"Jaeger at {base}")
        return [span for part in _documents(data) for span in spans_of(part.get("result", part))]
    data = _get(f"{base}/api/v2/traces/{trace_id}", f"Tempo at {base}")
    return [span for part in _documents(data) for span in spans_of(part.get("trace", part))]


def _documents(data: bytes) -> list[dict[str, Any]]:
    """One JSON document, or several one after another, as a streaming gateway writes them."""
    try:
        parsed = [orjson.loads(data)]
    except orjson.JSONDecodeError:
        try:
            parsed = [orjson.loads(line) for line in data.splitlines() if line.strip()]
        except orjson.JSONDecodeError as error:
            raise BackendError(f"The backend's answer is no JSON: {error}.") from error
    return [p for p in parsed if isinstance(p, dict)]


def _get(url: str, name: str) -> bytes:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url} is no address of a backend.", hint="Give one like http://localhost:16686.")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request(
            "GET", f"{parts.path}?{parts.query}" if parts.query else parts.path, headers={"accept": "application/json"}
        )
        response = connection.getresponse()
        data = response.read(_TRACE_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise BackendError(f"{name} does not answer ({error}).", hint="Is it running? --url says where it is.") from error
    finally:
        connection.close()
    if response.status == 404:
        raise BackendError(f"{name} does not have the trace.", hint="It may need some seconds after an export.")
    if response.status != 200:
        raise BackendError(f"{name} answers HTTP {response.status}: {safe(data[:300], newlines=False)}.")
    return data
