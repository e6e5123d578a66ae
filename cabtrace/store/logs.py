"""The log records of a run directory: logs.jsonl, read once and then only what was appended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from cabtrace.limits import DEFAULT
from cabtrace.model.log import LogRecord
from cabtrace.model.otlp import decode_attributes
from cabtrace.model.otlp_logs import log_from_otlp
from cabtrace.store import layout
from cabtrace.store.lines import LineFile, nests_deeper

_MOST_LEVELS = 2 * DEFAULT.json_depth  # a value takes up to four levels of OTLP JSON for each of its own


class LogTable:
    """Reads what was appended since the last time. A file that was sealed meanwhile is read from its start."""

    def __init__(self, run_dir: Path) -> None:
        self._file = LineFile(run_dir / layout.LOGS)
        self._bad: list[int] = []
        self._records: list[LogRecord] = []

    def all(self) -> Sequence[LogRecord]:
        """By time (that of observation where a record has no other)."""
        generation, before, changed = self._file.generation, len(self._records), False
        for line in self._file.new_lines():
            if self._file.generation != generation:
                generation = self._file.generation
                self._records, before, changed = [], 0, True
                self._bad.clear()
            try:
                self._records += _records(line.data)
            except (ValueError, KeyError, TypeError, AttributeError):
                self._bad.append(line.number)
        if changed or len(self._records) != before:
            self._records = sorted(self._records, key=lambda log: log.time_ns or log.observed_ns)
        return self._records

    def warnings(self, *, live: bool) -> list[str]:
        """What could not be read of it so far, one sentence each."""
        found = []
        if self._file.torn_bytes and not live:
            found.append(
                f"{layout.LOGS} ends in the middle of a record ({self._file.torn_bytes} bytes); what came before is shown."
            )
        if bad := sorted({*self._bad, *self._file.long_lines}):
            found.append(f"{layout.LOGS}: {len(bad)} unreadable lines were skipped (line {', '.join(map(str, bad[:5]))}).")
        return found


def _records(line: bytes) -> list[LogRecord]:
    data = orjson.loads(line)
    if line.count(b"{") + line.count(b"[") > _MOST_LEVELS and nests_deeper(data, _MOST_LEVELS):
        raise ValueError("nests too deep")
    return list(_decoded(data))


def _decoded(data: Any) -> Iterator[LogRecord]:
    for resource_logs in data["resourceLogs"]:
        resource = decode_attributes((resource_logs.get("resource") or {}).get("attributes") or ())
        for scope_logs in resource_logs.get("scopeLogs") or ():
            for record in scope_logs.get("logRecords") or ():
                yield log_from_otlp(record, resource, scope_logs.get("scope") or {})
