"""Spans as Parquet, one row a span, for DuckDB, pandas and the like: what is asked for often has a column of its own type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import orjson

from cabtrace.errors import UsageError
from cabtrace.model import semconv as sc
from cabtrace.model.span import Attributes, SpanRecord
from exporters.source import span_source

if TYPE_CHECKING:
    from types import ModuleType
    from typing import BinaryIO

    from cabtrace.store.reader import RunView

_ROWS: Final = 8_192
_GROUP_BYTES: Final = 32 * 1024 * 1024
_INT64: Final = (-(2**63), 2**63 - 1)
_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUSES: Final = ("unset", "ok", "error")
_TEXT, _INTEGER, _REAL, _TIME, _FLAG = "string", "int64", "float64", "time", "bool"

#: attributes with a column of their own; its name is the attribute's with underscores
_ATTRIBUTES: Final[Mapping[str, str]] = {
    sc.GEN_AI_OPERATION: _TEXT,
    sc.GEN_AI_PROVIDER: _TEXT,
    sc.GEN_AI_REQUEST_MODEL: _TEXT,
    sc.GEN_AI_RESPONSE_MODEL: _TEXT,
    sc.GEN_AI_INPUT_TOKENS: _INTEGER,
    sc.GEN_AI_OUTPUT_TOKENS: _INTEGER,
    sc.GEN_AI_CACHE_READ_TOKENS: _INTEGER,
    sc.GEN_AI_CACHE_WRITE_TOKENS: _INTEGER,
    sc.GEN_AI_REASONING_TOKENS: _INTEGER,
    sc.GEN_AI_TTFT_S: _REAL,
    sc.GEN_AI_TOOL_NAME: _TEXT,
    sc.GEN_AI_TOOL_CALL_ID: _TEXT,
    sc.HTTP_STATUS: _INTEGER,
    sc.ERROR_TYPE: _TEXT,
}
_SPAN: Final[Mapping[str, str]] = {
    "trace_id": _TEXT, "span_id": _TEXT, "parent_span_id": _TEXT, "name": _TEXT, "span_kind": _TEXT, "otel_kind": _TEXT,
    "start_time": _TIME, "end_time": _TIME, "duration_ns": _INTEGER, "status": _TEXT, "status_message": _TEXT,
    "scope_name": _TEXT, "scope_version": _TEXT, "service_name": _TEXT,
}  # fmt: skip
_RUN: Final[Mapping[str, str]] = {
    "cell_id": _TEXT, "run_id": _TEXT, "sweep": _TEXT, "attempt": _INTEGER, "agent": _TEXT, "model": _TEXT, "task": _TEXT,
    "verdict": _TEXT, "provisional": _FLAG,
}  # fmt: skip
_JSON: Final = ("attributes", "events", "links", "resource")
_CASTS: Final[Mapping[str, Callable[[Any], Any]]] = {
    _TEXT: lambda v: v if isinstance(v, str) else None,
    _INTEGER: lambda v: v if isinstance(v, int) and not isinstance(v, bool) and _INT64[0] <= v <= _INT64[1] else None,
    _REAL: lambda v: float(v) if isinstance(v, int | float) and not isinstance(v, bool) else None,
}


class ParquetExporter:
    """Streams row groups: memory is bounded by one of them, and by the ids of the spans."""

    name = "parquet"
    suffix = ".parquet"

    def export(self, run: RunView, out: BinaryIO) -> None:
        """Raises UsageError where pyarrow is not installed."""
        arrow, parquet = _pyarrow()
        schema = _schema(arrow)
        about = _about_run(run)
        with parquet.ParquetWriter(_Sink(out), schema, compression="zstd", write_statistics=True) as writer:
            rows: list[dict[str, Any]] = []
            size = 0
            for span in span_source(run).records():
                rows.append({**_row(span), **about})
                size += sum(len(rows[-1][name]) for name in _JSON)
                if len(rows) >= _ROWS or size >= _GROUP_BYTES:
                    writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                    rows, size = [], 0
            if rows:
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))


def columns() -> Mapping[str, str]:
    """Every column and its type, in order: `string`, `int64`, `float64`, `bool`, `time` (nanoseconds, UTC)."""
    typed = {key.replace(".", "_"): kind for key, kind in _ATTRIBUTES.items()}
    return {**_SPAN, **typed, **_RUN, **dict.fromkeys(_JSON, _TEXT)}


def _row(span: SpanRecord) -> dict[str, Any]:
    end_ns = span.end_ns
    service = span.resource.get(sc.SERVICE_NAME)
    row: dict[str, Any] = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_id,
        "name": span.name,
        "span_kind": span.text(sc.SPAN_KIND) or None,
        "otel_kind": _word(_KINDS, span.kind),
        "start_time": _time(span.start_ns),
        "end_time": _time(end_ns),
        "duration_ns": _CASTS[_INTEGER](None if end_ns is None else end_ns - span.start_ns),
        "status": _word(_STATUSES, span.status_code),
        "status_message": span.status_message or None,
        "scope_name": span.scope or None,
        "scope_version": span.scope_version or None,
        "service_name": service if isinstance(service, str) else None,
    }
    for key, kind in _ATTRIBUTES.items():
        row[key.replace(".", "_")] = _CASTS[kind](span.attributes.get(key))
    row["attributes"] = _json(span.attributes)
    row["events"] = _json([{"name": e.name, "time_ns": e.time_ns, "attributes": e.attributes} for e in span.events])
    row["links"] = _json([{"trace_id": x.trace_id, "span_id": x.span_id, "attributes": x.attributes} for x in span.links])
    row["resource"] = _json(span.resource)
    return row


def _about_run(run: RunView) -> dict[str, Any]:
    header = run.header
    return {
        "cell_id": header.cell_id,
        "run_id": header.run_id,
        "sweep": header.sweep_id,
        "attempt": header.attempt,
        "agent": header.agent.name,
        "model": header.model,
        "task": header.task.id,
        "verdict": header.verdict.value if header.verdict else None,
        "provisional": header.provisional,
    }


def _time(time_ns: int | None) -> int | None:
    """Nanoseconds as Parquet holds them; None where that is too far off."""
    return time_ns if time_ns is not None and 0 < time_ns <= _INT64[1] else None


def _word(words: Sequence[str], number: int) -> str:
    return words[number] if 0 <= number < len(words) else words[0]


def _json(value: Attributes | list[dict[str, Any]]) -> str:
    try:
        return orjson.dumps(value, default=_other).decode()
    except (TypeError, ValueError):
        import json

        return json.dumps(value, default=_other)


def _other(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    return dict(value) if isinstance(value, Mapping) else list(value)


def _schema(arrow: ModuleType) -> Any:
    types = {
        _TEXT: arrow.string(),
        _INTEGER: arrow.int64(),
        _REAL: arrow.float64(),
        _FLAG: arrow.bool_(),
        _TIME: arrow.timestamp("ns", tz="UTC"),
    }
    return arrow.schema([(name, types[kind]) for name, kind in columns().items()])


def _pyarrow() -> tuple[ModuleType, ModuleType]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        hint = "Install it with `pip install 'cabtrace[parquet]'`."
        raise UsageError("Parquet needs pyarrow, which is not installed.", hint=hint) from error


class _Sink:
    """What pyarrow wants of a file, for a stream that can only be written to."""

    closed = False

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._position = 0

    def write(self, data: Any) -> int:
        """Takes all of it."""
        self._out.write(bytes(data))
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self._position

    def flush(self) -> None:
        """The stream is flushed by whoever opened it."""

    def close(self) -> None:
        """Likewise closed."""

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
