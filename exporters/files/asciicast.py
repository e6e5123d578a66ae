"""The terminal as an asciicast, with markers where something happened: model calls, tool calls, errors."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.errors import UsageError
from cabtrace.model import semconv as sc
from cabtrace.model.otlp import clean_text
from cabtrace.store.cast import CastEvent, CastHeader, encode_event, encode_header
from cabtrace.text import safe

if TYPE_CHECKING:
    from typing import BinaryIO

    from cabtrace.store.reader import RunView

_CODES = frozenset("oirm")  # of v2; v3 knows `x` besides
_LABEL_CHARS = 100
_BATCH = 1024


class AsciicastExporter:
    """Version 2, which every player reads. Raises UsageError where the run has no terminal recording."""

    name = "asciicast"
    suffix = ".cast"

    def export(self, run: RunView, out: BinaryIO) -> None:
        out.write(encode_header(_header(run)))
        _write(out, (encode_event(round(e.time_s * 1e9), e.code, e.data) for e in events_with_markers(run)))


class Asciicast3Exporter:
    """Version 3 (asciinema 3): times are since the event before, rounded such that no error adds up."""

    name = "asciicast-v3"
    suffix = ".cast"

    def export(self, run: RunView, out: BinaryIO) -> None:
        out.write(_header3(_header(run)))
        events: Iterable[CastEvent] = events_with_markers(run)
        _write(out, intervals(events, exit_code=run.header.exit_code))


def _write(out: BinaryIO, lines: Iterator[bytes]) -> None:
    batch: list[bytes] = []
    for line in lines:
        batch.append(line)
        if len(batch) >= _BATCH:
            out.write(b"".join(batch))
            batch.clear()
    out.write(b"".join(batch))


def _header(run: RunView) -> CastHeader:
    header = run.terminal_header()
    if header is None:
        raise UsageError(f"{run.header.cell_id} has no terminal recording.", hint="The other formats do not need one.")
    return replace(header, title=run.header.marked(header.title))


def _header3(header: CastHeader) -> bytes:
    term: dict[str, Any] = {"cols": header.columns, "rows": header.rows}
    kind = header.env.get("TERM")
    if kind:
        term["type"] = clean_text(kind)
    fields: dict[str, Any] = {"version": 3, "term": term}
    if header.timestamp is not None:
        fields["timestamp"] = header.timestamp
    if header.command:
        fields["command"] = clean_text(header.command)
    if header.title:
        fields["title"] = clean_text(header.title)
    return orjson.dumps(fields) + b"\n"


def intervals(events: Iterable[CastEvent], exit_code: int | None = None) -> Iterator[bytes]:
    """Events as v3 lines. Each interval is the difference of two rounded times, so the sum stays the rounded time."""
    last_us = 0
    for event in events:
        time_us = max(round(event.time_s * 1e6), last_us)
        yield _interval(time_us - last_us, event.code, event.data)
        last_us = time_us
    if exit_code is not None:
        yield _interval(0, "x", str(exit_code))


def _interval(delta_us: int, code: str, data: str) -> bytes:
    seconds = f"{delta_us // 1_000_000}.{delta_us % 1_000_000:06d}".encode()
    return b"[" + seconds + b", " + orjson.dumps(code) + b", " + orjson.dumps(clean_text(data)) + b"]\n"


def events_with_markers(run: RunView) -> Iterator[CastEvent]:
    """The terminal's events and our markers by time. Markers before the terminal began stand at its first instant."""
    recorded = (e for e in run.terminal_events() if e.code in _CODES)
    return heapq.merge(recorded, markers(run), key=lambda e: e.time_s)


def markers(run: RunView) -> list[CastEvent]:
    """`m` events at the start of model calls and tool calls, and at the end of spans that failed."""
    origin_ns = run.terminal_start_ns()
    found: list[tuple[int, str]] = []
    for span in run.spans():
        kind = span.attributes.get(sc.SPAN_KIND)
        if kind == sc.SpanKind.MODEL_CALL:
            found.append((span.start_ns, f"{span.name} #{span.integer(sc.CALL_INDEX) or '?'}"))
        elif span.attributes.get(sc.GEN_AI_OPERATION) == "execute_tool":
            found.append((span.start_ns, f"{span.name} {span.text(sc.GEN_AI_TOOL_ARGUMENTS)}"))
        if span.failed:
            found.append((span.end_ns or span.start_ns, f"error: {span.name}: {span.status_message}"))
    return [
        CastEvent(max(time_ns - origin_ns, 0) / 1e9, "m", safe(label.strip(), max_chars=_LABEL_CHARS, newlines=False))
        for time_ns, label in sorted(found)
    ]
