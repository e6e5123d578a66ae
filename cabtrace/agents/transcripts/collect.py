"""What a reader has found so far, bounded; and the files that it reads, line by line."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from cabtrace.limits import DEFAULT
from cabtrace.protocols import Transcript, TranscriptToolCall
from cabtrace.store.lines import LineFile, read_regular

_MOST_CALLS = 100_000
_MOST_PROBLEMS = 50
_ID_CHARS = 300


@dataclass(slots=True)
class Collected:
    """Tool calls by id, in the order of their first mention; token counts by the id of the model call."""

    calls: dict[str, TranscriptToolCall] = field(default_factory=dict)
    usage: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    version: str = ""
    totals_only: bool = False  # some usage is that of an unknown number of calls
    problems: list[str] = field(default_factory=list)

    def problem(self, words: str) -> None:
        """Something that could not be read."""
        if len(self.problems) < _MOST_PROBLEMS and words not in self.problems:
            self.problems.append(words)

    def call(self, call_id: str, **known: Any) -> None:
        """Adds what is known of a tool call; what was known before stays, unless it was nothing."""
        if not call_id:
            return
        call_id = call_id[:_ID_CHARS]
        found = self.calls.get(call_id)
        if found is None:
            if len(self.calls) >= _MOST_CALLS:
                self.problem(f"tool calls after the first {_MOST_CALLS} were left out")
                return
            found = TranscriptToolCall(tool_call_id=call_id, name="")
        new: dict[str, Any] = {name: _bounded(value) for name, value in known.items() if getattr(found, name) in (None, "")}
        self.calls[call_id] = dataclasses.replace(found, **new)

    def model_call(self, call_id: str, input_tokens: int | None, output_tokens: int | None) -> None:
        """The tokens of one model call; told again, the later figures hold."""
        if call_id in self.usage or len(self.usage) < _MOST_CALLS:
            self.usage[call_id] = (input_tokens, output_tokens)

    def transcript(self) -> Transcript:
        """The whole; calls without a name were mentioned by their result only and stay, named `unknown`."""
        calls = tuple(c if c.name else dataclasses.replace(c, name="unknown") for c in self.calls.values())
        return Transcript(
            tool_calls=tuple(_ordered(call) for call in calls),
            model_calls=None if self.totals_only else len(self.usage) or None,
            input_tokens=_total([usage[0] for usage in self.usage.values()]),
            output_tokens=_total([usage[1] for usage in self.usage.values()]),
            version=self.version[:100],
            problems=tuple(self.problems),
        )


def _ordered(call: TranscriptToolCall) -> TranscriptToolCall:
    """An end before the start is the clock's mistake: then the end is not known."""
    if call.started_ns is not None and call.ended_ns is not None and call.ended_ns < call.started_ns:
        return dataclasses.replace(call, ended_ns=None)
    return call


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _bounded(value: object) -> object:
    return value[: DEFAULT.attribute_value_bytes] if isinstance(value, str) else value


def files(folder: Path, globs: Sequence[str], collected: Collected) -> list[Path]:
    """The regular files below `folder` that match, in order of their names."""
    try:
        found = sorted({path for glob in globs for path in folder.glob(glob) if path.is_file() and not path.is_symlink()})
    except (OSError, ValueError) as error:
        collected.problem(f"the folder cannot be listed: {error}")
        return []
    return found


def records(path: Path, collected: Collected) -> Iterator[dict[str, Any]]:
    """The JSON objects of a JSONL file; a last line without its newline counts if it is whole."""
    lines = LineFile(path)
    bad = 0
    try:
        for line in lines.new_lines():
            record = _object(line.data)
            bad += record is None and bool(line.data.strip())
            if record is not None:
                yield record
        if 0 < lines.torn_bytes <= DEFAULT.line_bytes:
            torn = _object(read_regular(path, lines.offset + lines.torn_bytes)[lines.offset :])
            if torn is not None:
                yield torn
            else:
                collected.problem(f"{path.name}: the last line is torn")
    except OSError as error:
        collected.problem(f"{path.name} cannot be read: {error.strerror or error}")
    if bad:
        collected.problem(f"{path.name}: {bad} lines are no JSON objects")
    if lines.long_lines:
        collected.problem(f"{path.name}: {len(lines.long_lines)} lines are too long")


def document(path: Path, collected: Collected) -> dict[str, Any]:
    """The JSON object that is a whole file; {} where it is none."""
    limit = DEFAULT.recorded_body_bytes
    try:
        data = read_regular(path, limit + 1)
    except OSError as error:
        collected.problem(f"{path.name} cannot be read: {error.strerror or error}")
        return {}
    found = _object(data) if len(data) <= limit else None
    if found is None:
        collected.problem(f"{path.name} is {'no JSON object' if len(data) <= limit else 'too long'}")
    return found or {}


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(data)
    except (orjson.JSONDecodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
