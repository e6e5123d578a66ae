"""MLflow's REST API: one trace, its spans like OTLP's with names in snake case, its resource as tags of the trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cabtrace.model.span import SpanRecord
from cabtrace.otel.receiver.batch import MalformedError
from cabtrace.otel.trace_json import read_trace
from cabtrace.store.lines import nests_deeper
from exporters.readback.http import BackendError, get_json

_MOST_LEVELS: Final = 100
_OWN_TAG: Final = "mlflow."


def fetch_mlflow(base: str, trace_id: str) -> list[SpanRecord]:
    """Every span of the trace. Raises BackendError."""
    name = f"MLflow at {base}"
    answer = get_json(f"{base}/api/3.0/mlflow/traces/get?trace_id=tr-{trace_id}", name)
    trace = answer.get("trace")
    if not isinstance(trace, dict) or nests_deeper(trace, _MOST_LEVELS):
        raise BackendError(f"The answer of {name} is no trace.")
    info = trace.get("trace_info")
    tags = info.get("tags") if isinstance(info, dict) else None
    spans = [_camel(span) for span in trace.get("spans") or ()]
    document = {"resourceSpans": [{"resource": _resource(tags), "scopeSpans": [{"spans": spans}]}]}
    try:
        batch = read_trace(document)
    except MalformedError as error:
        raise BackendError(f"The answer of {name} cannot be read: {error}.") from error
    if batch.rejected:
        raise BackendError(f"{batch.rejected:,} spans in the answer of {name} cannot be read.")
    return batch.spans


def _resource(tags: Any) -> dict[str, Any]:
    kept = tags.items() if isinstance(tags, Mapping) else ()
    return {"attributes": [{"key": k, "value": {"stringValue": str(v)}} for k, v in kept if not str(k).startswith(_OWN_TAG)]}


def _camel(value: Any) -> Any:
    """The same with every name of a field as OTLP writes it; attributes are lists of pairs, so their names are no fields."""
    if isinstance(value, Mapping):
        return {_name(str(k)): _camel(v) for k, v in value.items()}
    return [_camel(v) for v in value] if isinstance(value, list) else value


def _name(snake: str) -> str:
    first, *rest = snake.split("_")
    return first + "".join(part.capitalize() for part in rest)
