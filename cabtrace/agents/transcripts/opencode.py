"""opencode's database: tables `session`, `message` and `part`, with JSON in `data`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from cabtrace.agents.transcripts.collect import Collected, records
from cabtrace.agents.transcripts.values import as_text, integer, mapping, ms_ns, text, tokens
from cabtrace.protocols import Transcript
from cabtrace.store.foreign_sqlite import ForeignDatabaseError, read_tables

DATABASE = ".local/share/opencode/opencode.db"
DERIVED = f"{DATABASE}.jsonl"  # the same rows, as text from which secrets can be removed
_COLUMNS = {
    "session": ("id", "parent_id", "title", "version", "time_created", "time_updated"),
    "message": ("id", "session_id", "time_created", "data"),
    "part": ("id", "message_id", "session_id", "time_created", "data"),
}


def read(folder: Path) -> Transcript:
    """Everything below a home, from the database or from what `derive` made of it."""
    collected = Collected()
    for row in _rows(folder, collected):
        _row(row, collected)
    return collected.transcript()


def derive(folder: Path) -> Mapping[str, bytes]:
    """The rows as JSONL, a line each; keyed by a path beside the database. Its tables of credentials are not read."""
    if not (folder / DATABASE).is_file():
        return {}
    lines = [orjson.dumps(row) for row in _database(folder / DATABASE, Collected())]
    return {DERIVED: b"".join(line + b"\n" for line in lines)}


def _rows(folder: Path, collected: Collected) -> Iterator[Mapping[str, Any]]:
    if (folder / DATABASE).is_file():
        yield from _database(folder / DATABASE, collected)
    elif (folder / DERIVED).is_file():
        yield from records(folder / DERIVED, collected)


def _database(path: Path, collected: Collected) -> Iterator[Mapping[str, Any]]:
    try:
        for table, row in read_tables(path, _COLUMNS):
            yield {"table": table, **row, **({"data": _data(row["data"])} if "data" in row else {})}
    except ForeignDatabaseError as error:
        collected.problem(str(error))


def _data(value: object) -> object:
    try:
        return orjson.loads(value) if isinstance(value, str | bytes) else None
    except orjson.JSONDecodeError:
        return None


def _row(row: Mapping[str, Any], collected: Collected) -> None:
    data = mapping(row.get("data"))
    if row.get("table") == "session":
        collected.version = text(row.get("version")) or collected.version
    elif row.get("table") == "part" and data.get("type") == "tool":
        _tool(data, collected)
    elif row.get("table") == "part" and data.get("type") == "step-finish":
        collected.model_call(text(row.get("id")), *_usage(mapping(data.get("tokens"))))


def _tool(part: Mapping[str, Any], collected: Collected) -> None:
    state = mapping(part.get("state"))
    time = mapping(state.get("time"))
    collected.call(
        text(part.get("callID")),
        name=text(part.get("tool")),
        arguments=as_text(state.get("input")),
        result=text(state.get("output")),
        started_ns=ms_ns(time.get("start")),
        ended_ns=ms_ns(time.get("end")),
        exit_code=integer(mapping(state.get("metadata")).get("exit")),
        error=text(state.get("error")) if state.get("status") == "error" else "",
    )


def _usage(usage: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Its input is without what was cached, its output without what was reasoned."""
    cache = mapping(usage.get("cache"))
    fresh, said = tokens(usage.get("input")), tokens(usage.get("output"))
    cached = sum(tokens(cache.get(key)) or 0 for key in ("read", "write"))
    return None if fresh is None else fresh + cached, None if said is None else said + (tokens(usage.get("reasoning")) or 0)
