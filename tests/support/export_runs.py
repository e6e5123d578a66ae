"""Runs made for exporting: any number of spans, by the real writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId
from cabtrace.model.otlp_lines import span_line
from cabtrace.model.run import AgentInfo, Clock, RunHeader, TaskInfo
from cabtrace.model.span import KIND_CLIENT, STATUS_ERROR, SpanEvent, SpanLink, SpanRecord
from cabtrace.store.reader import RunView
from cabtrace.store.writer import RunWriter, allocate_attempt

TRACE_ID = "5b8efff798038103d269b633813fc60c"
START_NS = 1_781_663_488_314_919_001
INSTRUCTION = "Rename the function in the module and keep the tests green."
RESOURCE = {sc.SERVICE_NAME: "cabtrace", sc.SERVICE_VERSION: "0.1.0", "list": ("a", "b")}


def run_of(store: Path, spans: Iterable[SpanRecord], task: str = "t") -> RunView:
    """A closed run with these spans."""
    cell = CellId("exports", "reference", "m", task)
    path, attempt = allocate_attempt(store, cell)
    header = RunHeader(
        run_id=f"{attempt:032x}",
        cell_id=str(cell),
        sweep_id="exports",
        attempt=attempt,
        task=TaskInfo(id=task, instruction=INSTRUCTION),
        agent=AgentInfo(name="reference"),
        model="m",
        trace_id=TRACE_ID,
        started_at="2026-11-22T15:09:07Z",
        clock=Clock(wall_ns=START_NS, monotonic_ns=0),
    )
    writer = RunWriter(path, header)
    for span in spans:
        writer.append("trace", span_line(span))
    writer.close(status="finished", ended_at="2026-11-22T15:09:08Z")
    return RunView(path)


def many_spans(count: int) -> Iterator[SpanRecord]:
    """`count` spans below one root, with everything that a span can have here and there."""
    root = f"{1:016x}"
    for number in range(2, count + 1):
        model = number % 2 == 0
        failed = number % 50 == 0
        start_ns = START_NS + number * 1_000_003
        yield SpanRecord(
            TRACE_ID,
            f"{number:016x}",
            root,
            "chat m" if model else "execute_tool shell",
            start_ns,
            start_ns + 900_001,
            KIND_CLIENT if model else 1,
            STATUS_ERROR if failed else 0,
            "it broke" if failed else "",
            {
                sc.SPAN_KIND: "model_call" if model else "tool_call",
                sc.GEN_AI_OPERATION: "chat" if model else "execute_tool",
                sc.CALL_INDEX: number,
                "flag": True,
                "ratio": number / 7,
                "names": ("x", "y"),
                "umlaut": "Grüße 🎈",
            },
            (SpanEvent("happened", start_ns + 5, {"n": number}),) if number % 5 == 0 else (),
            (SpanLink(TRACE_ID, root, {"why": "because"}),) if number % 7 == 0 else (),
            scope="cabtrace",
            scope_version="0.1.0",
            resource=RESOURCE,
            flags=257,
        )
    yield SpanRecord(
        TRACE_ID, root, None, "cell", START_NS, START_NS + (count + 5) * 1_000_003, attributes={sc.SPAN_KIND: "cell"},
        scope="cabtrace", scope_version="0.1.0", resource=RESOURCE, flags=257,
    )  # fmt: skip


def with_trace(spans: Sequence[SpanRecord], number: int) -> list[SpanRecord]:
    """The same spans under a trace id of their own: backends live as long as the session."""
    trace_id = f"{number:032x}"
    links = {s.span_id: tuple(replace(x, trace_id=trace_id) for x in s.links) for s in spans}
    return [replace(s, trace_id=trace_id, links=links[s.span_id]) for s in spans]
