"""Chrome's trace format, which ui.perfetto.dev opens. Slices of a track must nest: overlapping spans get tracks of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.model import semconv as sc
from cabtrace.model.otlp import clean_text
from cabtrace.model.span import SpanRecord

if TYPE_CHECKING:
    from typing import BinaryIO

    from cabtrace.store.reader import RunView

_PROCESS_ID = 1
_BATCH = 512


class ChromeTraceExporter:
    """One process, a track a lane; times are microseconds since the run's start, to the nanosecond."""

    name = "chrome-trace"
    suffix = ".json"

    def export(self, run: RunView, out: BinaryIO) -> None:
        spans = sorted(run.spans(), key=lambda s: (s.start_ns, -(s.end_ns or s.start_ns)))
        origin_ns, end_ns = run.start_ns, run.end_ns
        lanes = assign_lanes(spans, end_ns)
        other = {
            "cell": clean_text(run.header.marked(run.header.cell_id)),
            "run_id": run.header.run_id,
            "trace_id": run.header.trace_id,
            "started_unix_ns": str(origin_ns),
        }
        out.write(b'{"displayTimeUnit":"ms","otherData":%b,"traceEvents":[\n' % orjson.dumps(other))
        events = _events(run, spans, lanes, origin_ns, end_ns)
        out.write(next(events))
        batch: list[bytes] = []
        for event in events:
            batch.append(event)
            if len(batch) >= _BATCH:
                out.write(b",\n" + b",\n".join(batch))
                batch.clear()
        if batch:
            out.write(b",\n" + b",\n".join(batch))
        out.write(b"\n]}\n")


def assign_lanes(spans: Sequence[SpanRecord], end_ns: int) -> Sequence[int]:
    """A lane for each span, from 1, such that the slices of a lane nest. Spans come by start, longer ones first.

    A span goes onto its parent's lane where it fits there, else onto the first lane that has room.
    """
    stacks: list[list[int]] = []  # by lane, the ends of the slices that are open
    lane_of: dict[str, int] = {}
    lanes: list[int] = []
    for span in spans:
        ends = span.end_ns if span.end_ns is not None else end_ns
        wanted = lane_of.get(span.parent_id or "")
        candidates = [wanted] if wanted is not None else []
        lane = next((n for n in (*candidates, *range(len(stacks))) if _fits(stacks[n], span.start_ns, ends)), None)
        if lane is None:
            lane = len(stacks)
            stacks.append([])
        stacks[lane].append(ends)
        lane_of[span.span_id] = lane
        lanes.append(lane + 1)
    return lanes


def _fits(stack: list[int], start_ns: int, end_ns: int) -> bool:
    while stack and stack[-1] <= start_ns:
        stack.pop()
    return not stack or stack[-1] >= end_ns


def _events(run: RunView, spans: Sequence[SpanRecord], lanes: Sequence[int], origin_ns: int, end_ns: int) -> Iterator[bytes]:
    yield _metadata("process_name", 0, run.header.title)
    for lane in range(1, max(lanes, default=0) + 1):
        yield _metadata("thread_name", lane, "run" if lane == 1 else f"in parallel {lane - 1}")
    for span, lane in zip(spans, lanes, strict=True):
        ends = max(span.end_ns if span.end_ns is not None else end_ns, span.start_ns)
        arguments = _arguments(span.attributes.items())
        arguments["span_id"], arguments["state"] = span.span_id, str(span.state)
        if span.failed:
            arguments["error"] = clean_text(span.status_message) or "error"
        yield _event("X", lane, span.name, span.start_ns - origin_ns, str(span.attributes.get(sc.SPAN_KIND, "span")), arguments,
                     b',"dur":' + microseconds(ends - span.start_ns))  # fmt: skip
        for event in span.events:
            yield _event(
                "i", lane, event.name, event.time_ns - origin_ns, "event", _arguments(event.attributes.items()), b',"s":"t"'
            )


def _metadata(name: str, lane: int, value: str) -> bytes:
    return orjson.dumps({"name": name, "ph": "M", "pid": _PROCESS_ID, "tid": lane, "args": {"name": clean_text(value)}})


def _event(phase: str, lane: int, name: str, offset_ns: int, category: str, arguments: Mapping[str, Any], rest: bytes) -> bytes:
    head = orjson.dumps({"ph": phase, "pid": _PROCESS_ID, "tid": lane, "name": clean_text(name), "cat": clean_text(category)})
    return head[:-1] + b',"ts":' + microseconds(offset_ns) + rest + b',"args":' + orjson.dumps(arguments) + b"}"


def microseconds(time_ns: int) -> bytes:
    """Nanoseconds as a JSON number of microseconds, exactly."""
    sign, value = ("-", -time_ns) if time_ns < 0 else ("", time_ns)
    return f"{sign}{value // 1000}.{value % 1000:03d}".encode()


def _arguments(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {clean_text(key): _plain(value) for key, value in items}


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int):
        return value if -(2**53) < value < 2**53 else str(value)  # readers hold numbers as doubles
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return _arguments((str(k), v) for k, v in value.items())
    return [_plain(v) for v in value]
