"""Reading a trace from a backend's own API, as the spans that it kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cabtrace.errors import UsageError
from cabtrace.model.ids import is_hex_id
from cabtrace.model.span import SpanRecord
from cabtrace.otel.receiver.batch import MalformedError
from cabtrace.otel.trace_json import read_trace
from exporters.readback.http import BackendError, documents, get
from exporters.readback.mlflow import fetch_mlflow
from exporters.readback.phoenix import fetch_phoenix

DEFAULT_URLS: Final[Mapping[str, str]] = {
    "jaeger": "http://localhost:16686",
    "tempo": "http://localhost:3200",
    "phoenix": "http://localhost:6006",
    "mlflow": "http://localhost:5000",
}
DEFAULT_PROJECT: Final = "default"  # where Phoenix puts what names no project
_PATHS: Final[Mapping[str, str]] = {
    # raw: Jaeger otherwise corrects clocks, merges and sorts before it answers
    "jaeger": "/api/v3/traces/{trace_id}?rawTraces=true",
    "tempo": "/api/v2/traces/{trace_id}",
}


def fetch_trace(backend: str, url: str | None, trace_id: str, project: str = DEFAULT_PROJECT) -> Sequence[SpanRecord]:
    """Every span that the backend has of the trace; `project` is Phoenix'.

    Raises BackendError, and UsageError where there is no trace to ask for.
    """
    if not is_hex_id(trace_id, 32):
        raise UsageError(f"{trace_id!r} is no trace id.", hint="It has 32 hexadecimal digits.")
    base = (url or DEFAULT_URLS[backend]).rstrip("/")
    if backend == "phoenix":
        return fetch_phoenix(base, trace_id, project)
    if backend == "mlflow":
        return fetch_mlflow(base, trace_id)
    name = f"{backend.capitalize()} at {base}"
    data = get(base + _PATHS[backend].format(trace_id=trace_id), name)
    spans: list[SpanRecord] = []
    for part in documents(data, name):
        try:
            batch = read_trace(part)
        except MalformedError as error:
            raise BackendError(f"The answer of {name} cannot be read: {error}.") from error
        if batch.rejected:
            raise BackendError(f"{batch.rejected:,} spans in the answer of {name} cannot be read.")
        spans += batch.spans
    return spans
