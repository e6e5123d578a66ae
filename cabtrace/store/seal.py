"""Seals a trace: its spans, merged into one tree, take the place of the spans as they came. All of it happens or nothing does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import orjson

from cabtrace.limits import DEFAULT, Limits
from cabtrace.model.otlp import spans_from_line
from cabtrace.model.otlp_lines import span_line
from cabtrace.model.span import SpanRecord, SpanState
from cabtrace.store import layout
from cabtrace.store.appendlog import AppendLog
from cabtrace.store.files import Files
from cabtrace.store.lines import read_regular

if TYPE_CHECKING:
    from cabtrace.store.writer import RunWriter

_FILE_BYTES = 4 * 1024**3
_BROKEN = (ValueError, KeyError, TypeError, AttributeError)


class MergedLike(Protocol):
    """What a merge hands back."""

    @property
    def spans(self) -> Sequence[SpanRecord]:
        """All spans, those that have not ended included."""

    @property
    def notes(self) -> Sequence[str]:
        """What was done, in words."""


Merge = Callable[[Sequence[SpanRecord]], MergedLike]


@dataclass(frozen=True, slots=True)
class Sealed:
    """`changed`: whether the file was replaced. `bad_lines` could not be read and stand where they stood."""

    changed: bool
    spans_before: int
    spans_after: int
    bad_lines: int
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Line:
    data: bytes
    spans: Sequence[SpanRecord]


def seal_trace(target: RunWriter | Path, merge: Merge, *, files: Files | None = None, limits: Limits = DEFAULT) -> Sealed:
    """Applies `merge` to the spans of a run, recorded by `target` or by nobody any more (its directory).

    `merge` gets the ended spans in the order of their lines, then those that began and have not ended, as context. Its result
    replaces trace.jsonl only where it differs; lines of spans that stayed the same stay byte for byte.

    Raises:
        OSError: The file cannot be read or replaced; it is as it was.
    """
    found: list[Sealed] = []

    def change(path: Path) -> Iterator[bytes] | None:
        lines, bad = _read(path)
        ended = [s for line in lines for s in line.spans]
        merged = merge([*ended, *_pending(path.parent, {s.span_id for s in ended})])
        after = {s.span_id: s for s in merged.spans if s.state is SpanState.ENDED}
        changed = _differs(lines, after)
        found.append(Sealed(changed, len(ended), len(after), bad, tuple(merged.notes)))
        return _written(lines, after, limits) if changed else None

    if isinstance(target, Path):
        log = AppendLog(target / layout.TRACE, files or Files())
        try:
            log.rewrite(change)
        finally:
            log.close()
    else:
        target.rewrite_trace(change)
    return found[0]


def _read(path: Path) -> tuple[list[_Line], int]:
    """All whole lines; of a span that was recorded twice the last record counts."""
    lines: list[_Line] = []
    bad = 0
    last: dict[str, int] = {}
    *whole, _torn = read_regular(path, _FILE_BYTES).split(b"\n")
    for data in whole:
        try:
            spans = spans_from_line(orjson.loads(data))
        except _BROKEN:
            spans, bad = [], bad + 1
        last |= {s.span_id: len(lines) for s in spans}
        lines.append(_Line(data + b"\n", spans))
    for number, line in enumerate(lines):
        if any(last[s.span_id] != number for s in line.spans):
            line.spans = [s for s in line.spans if last[s.span_id] == number]
            line.data = b""  # never a line that stays as it is
    return lines, bad


def _pending(run_dir: Path, ended: set[str]) -> list[SpanRecord]:
    found: dict[str, SpanRecord] = {}
    for data in read_regular(run_dir / layout.OPEN, _FILE_BYTES).split(b"\n"):
        try:
            spans = spans_from_line(orjson.loads(data))
        except _BROKEN:
            continue
        found |= {s.span_id: replace(s, state=SpanState.RUNNING, end_ns=None) for s in spans if s.span_id not in ended}
    return list(found.values())


def _differs(lines: Sequence[_Line], after: Mapping[str, SpanRecord]) -> bool:
    if any(not line.data for line in lines):
        return True
    before = [s for line in lines for s in line.spans]
    return len(before) != len(after) or any(not _same(s, after.get(s.span_id)) for s in before)


def _same(before: SpanRecord, after: SpanRecord | None) -> bool:
    return after is before or after == before


def _written(lines: Sequence[_Line], after: Mapping[str, SpanRecord], limits: Limits) -> Iterator[bytes]:
    # what was cut when it was recorded carries a note of that; it must not be cut again
    roomy = replace(limits, attribute_value_bytes=2 * limits.attribute_value_bytes)
    left = dict(after)
    for line in lines:
        kept = [left.pop(s.span_id) for s in line.spans if s.span_id in left]
        if line.data and len(kept) == len(line.spans) and all(_same(s, k) for s, k in zip(line.spans, kept, strict=True)):
            yield line.data
        else:
            yield from (span_line(span, roomy) for span in kept)
    yield from (span_line(span, roomy) for span in sorted(left.values(), key=lambda s: (s.start_ns, s.span_id)))
