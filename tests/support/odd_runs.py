"""Runs of any size whose spans stand in an unusual relation, written line by line as fast as a disk takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from cabtrace.model.ids import CellId
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.store.writer import RunWriter, allocate_attempt
from tests.support.sample_run import START_NS, TRACE_ID, _header

ROOT_ID, HUB_ID = 1, 2
_FIRST_ID = 0x1000
_STEP_NS = 1_000_000
_EVERY_FAILED = 997
_LINE = (
    '{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"agent"},"spans":[{"traceId":"' + TRACE_ID + '","spanId":"%016x",%s'
    '"name":"%s","kind":1,"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":[%s],"status":{"code":%d}}]}]}]}\n'
)
_KIND = '{"key":"cabtrace.span.kind","value":{"stringValue":"%s"}}'

Lines = Iterator[str]


def span_line(number: int, parent: int | None, name: str, times: tuple[int, int], kind: str = "tool_call", code: int = 1) -> str:
    """One line of trace.jsonl; times are ns from the start of the run."""
    above = "" if parent is None else f'"parentSpanId":"{parent:016x}",'
    return _LINE % (number, above, name, START_NS + times[0], START_NS + times[1], _KIND % kind if kind else "", code)


def _each(count: int, parent: Callable[[int], int | None], *, ends: int = _STEP_NS, kind: str = "tool_call") -> Lines:
    """Spans one after the other, number `i` under `parent(i)`; some have failed."""
    for i in range(count):
        times = i * _STEP_NS, i * _STEP_NS + ends
        yield span_line(_FIRST_ID + i, parent(i), f"step {i}", times, kind, 2 if i % _EVERY_FAILED == 5 else 1)


def _wide(count: int) -> Lines:
    yield from _each(count, lambda i: HUB_ID)
    yield span_line(HUB_ID, ROOT_ID, "hub", (0, count * _STEP_NS), "container")


def _quiet(count: int) -> Lines:
    """As wide, but of spans that are folded into one row."""
    for i in range(count):
        yield span_line(_FIRST_ID + i, HUB_ID, f"step {i % 1000}", (i * _STEP_NS, (i + 1) * _STEP_NS), "")
    yield span_line(HUB_ID, ROOT_ID, "hub", (0, count * _STEP_NS), "container")


def _deep(count: int) -> Lines:
    """Each below the one before, and within it."""
    for i in range(count):
        times = i * _STEP_NS, (2 * count - i) * _STEP_NS
        yield span_line(_FIRST_ID + i, _FIRST_ID + i - 1 if i else ROOT_ID, f"step {i}", times, "tool_call", 1 + (i % 997 == 5))


def _circle(count: int) -> Lines:
    return _each(count, lambda i: _FIRST_ID + (i - 1) % count)


def _orphans(count: int) -> Lines:
    return _each(count, lambda i: 0xDEAD0000 + i)


def _twice(count: int) -> Lines:
    """Each id once more, with another name and end."""
    yield from _each(count, lambda i: ROOT_ID)
    for i in range(count):
        yield span_line(_FIRST_ID + i, ROOT_ID, f"again {i}", (i * _STEP_NS, i * _STEP_NS + 1))


def _backwards(count: int) -> Lines:
    return _each(count, lambda i: ROOT_ID, ends=-5 * _STEP_NS)


SHAPES: Mapping[str, Callable[[int], Lines]] = {
    "wide": _wide,
    "quiet": _quiet,
    "deep": _deep,
    "circle": _circle,
    "orphans": _orphans,
    "twice": _twice,
    "backwards": _backwards,
}


def build_odd_run(store: Path, shape: str, count: int) -> Path:
    """A run of `count` spans of one of `SHAPES`, and the cell's own."""
    cell = CellId("odd", "agent", "model", f"{shape}-{count}")
    path, attempt = allocate_attempt(store, cell)
    writer = RunWriter(path, _header(cell, attempt))
    with (path / "trace.jsonl").open("w") as out:
        out.writelines(SHAPES[shape](count))
        out.write(span_line(ROOT_ID, None, "cell", (0, 2 * count * _STEP_NS), "cell"))
    writer.close(status="finished", verdict=Verdict.FAILED, cause=Cause.TESTS_FAILED)
    return path
