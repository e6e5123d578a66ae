"""calls.jsonl: bodies of model calls. A call is a `request` record, `data` records as the answer comes, a `response` record.

So a call that was cut, by a timeout or by the death of the recorder, keeps its request and what had come of the answer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from cabtrace.limits import MIB
from cabtrace.store.line_filter import LineFilter
from cabtrace.store.lines import LineFile, open_regular

_LINE_BYTES = 256 * MIB
_ANSWER = b'"output_messages":[{'


@dataclass(frozen=True, slots=True)
class CallBody:
    """`chunks` are (Unix ns, characters) of the answer's pieces in order; None fields were not recorded."""

    request: Any = None
    request_headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    input_messages: Sequence[Mapping[str, Any]] | None = None
    tool_names: Sequence[str] = ()
    response_text: str | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict)
    output_messages: Sequence[Mapping[str, Any]] | None = None
    chunks: Sequence[tuple[int, int]] = ()
    status: int | None = None
    error: str = ""
    complete: bool = False


class CallBodies:
    """Finds the records of a call by offset, so that only what is looked at is held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = LineFile(path, max_line_bytes=_LINE_BYTES)
        self._looked: tuple[int, int, int, int] | None = None
        self._offsets: dict[str, list[int]] = {}
        self._answered: set[str] = set()
        self.bad_lines = 0

    def get(self, call_id: str) -> CallBody:
        """The bodies of one call; empty when there are none."""
        self._scan()
        offsets = self._offsets.get(call_id)
        if not offsets:
            return assemble(())
        records = []
        try:
            fd = open_regular(self._path)
        except OSError:
            self.bad_lines += len(offsets)
            return assemble(())
        with os.fdopen(fd, "rb") as handle:
            for offset in offsets:
                try:
                    handle.seek(offset)
                    records.append(orjson.loads(handle.readline(_LINE_BYTES)))
                except (OSError, ValueError):
                    self.bad_lines += 1
        return assemble(records)

    def ids_with(self, words: LineFilter, stop: Callable[[], bool] = lambda: False) -> set[str] | None:
        """The calls in whose messages the words may stand; None where all must be looked at."""
        self._scan()
        if not words.words:
            return None
        # Of an answer that was never put together the pieces lie in many lines, and a word may be cut in two.
        found = self._offsets.keys() - self._answered
        try:
            fd = open_regular(self._path)
        except OSError:
            return found
        try:
            for _, line in words.lines(fd, stop, longest=_LINE_BYTES):
                if (call_id := _call_id(line)) is not None:
                    found.add(call_id)
        finally:
            os.close(fd)
        return found

    def _scan(self) -> None:
        """Takes in what was appended; a file that looks as it did is not opened again."""
        try:
            status = self._path.lstat()
        except OSError:
            status = None
        looks = status and (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
        if looks is not None and looks == self._looked:
            return
        for line in self._lines.new_lines():
            call_id = _call_id(line.data)
            if call_id is None:
                self.bad_lines += 1
            else:
                self._offsets.setdefault(call_id, []).append(line.offset)
                if _ANSWER in line.data:
                    self._answered.add(call_id)
        self._looked = looks


def _call_id(line: bytes) -> str | None:
    # The writer puts the id first, so a scan need not parse whole bodies.
    prefix = b'{"call_id":"'
    if line.startswith(prefix):
        return line[len(prefix) : line.find(b'"', len(prefix))].decode("ascii", "replace")
    try:
        return str(orjson.loads(line)["call_id"])
    except (ValueError, KeyError, TypeError):
        return None


def assemble(records: Sequence[Mapping[str, Any]]) -> CallBody:
    """One call from its records; whatever is missing stays None or empty."""
    request: Mapping[str, Any] = next((r for r in records if r.get("type") == "request"), {})
    response: Mapping[str, Any] = next((r for r in records if r.get("type") == "response"), {})
    data = [r for r in records if r.get("type") == "data"]
    return CallBody(
        request=request.get("body"),
        request_headers=request.get("headers") or {},
        path=str(request.get("path", "")),
        input_messages=_messages(request.get("input_messages")),
        tool_names=request.get("tool_names") or (),
        response_text="".join(str(r.get("text", "")) for r in data) if data else None,
        response_headers=response.get("headers") or {},
        output_messages=_messages(response.get("output_messages")),
        chunks=[(int(t), int(n)) for r in data for t, n in r.get("chunks", ())],
        status=response.get("status"),
        error=str(response.get("error") or ""),
        complete=bool(response),
    )


def _messages(value: object) -> list[Mapping[str, Any]] | None:
    """Messages in their proper shape, whatever stands in the file: mappings with a list of mappings as `parts`."""
    if not isinstance(value, list):
        return None
    kept: list[Mapping[str, Any]] = []
    for message in value:
        if isinstance(message, dict):
            parts = message.get("parts")
            kept.append({**message, "parts": [p for p in parts if isinstance(p, dict)] if isinstance(parts, list) else []})
    return kept
