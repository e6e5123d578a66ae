"""Runs as files: each read back by something that did not write it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord
from cabtrace.store.cast import CastEvent, CastReader
from cabtrace.store.reader import RunView
from exporters.files.asciicast import intervals
from exporters.files.chrome_trace import assign_lanes, microseconds
from exporters.files.fencing import code, fenced
from exporters.registry import exporter_names, find_exporter
from tests.support.export_runs import TRACE_ID, many_spans, run_of
from tests.support.otlp_receiver import request_from_json
from tests.support.sample_run import build_sample_run


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return RunView(build_sample_run(tmp_path_factory.mktemp("sample")))


def exported(name: str, run: RunView) -> bytes:
    out = BytesIO()
    find_exporter(name).export(run, out)
    return out.getvalue()


def test_otlp_json_is_strict_and_whole(sample: RunView) -> None:
    lines = exported("otlp-json", sample).splitlines()

    spans = [s for line in lines for r in request_from_json(line).resource_spans for scope in r.scope_spans for s in scope.spans]
    assert {s.span_id.hex() for s in spans} == {s.span_id for s in sample.spans()}
    for line in lines:
        value = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        assert set(value) == {"resourceSpans"}
    assert TracesData is not None


def test_otlp_json_leaves_out_what_is_no_span_and_keeps_the_later_of_two(tmp_path: Path) -> None:
    spans = list(many_spans(5))
    run = run_of(tmp_path, [*spans, replace(spans[0], name="later")])
    with (run.path / "trace.jsonl").open("ab") as handle:
        handle.write(
            b'{"no": "span"}\nnot json\n{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"x","spanId":"y"}]}]}]}\n{"torn'
        )

    lines = exported("otlp-json", RunView(run.path)).splitlines()

    names = [orjson.loads(line)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] for line in lines]
    assert len(names) == 5
    assert "later" in names


def test_a_span_that_never_ended_is_there_and_says_so(tmp_path: Path) -> None:
    spans = list(many_spans(3))
    run = run_of(tmp_path, spans[:2])
    from cabtrace.model.otlp_lines import span_line

    (run.path / "open.jsonl").write_bytes(span_line(replace(spans[2], end_ns=None)) + span_line(spans[0]))

    last = orjson.loads(exported("otlp-json", RunView(run.path)).splitlines()[-1])["resourceSpans"][0]["scopeSpans"][0]["spans"][
        0
    ]

    assert last["spanId"] == spans[2].span_id
    assert {"key": sc.ABORTED, "value": {"boolValue": True}} in last["attributes"]
    assert int(last["endTimeUnixNano"]) == max(s.end_ns or 0 for s in spans[:2])


def slices_nest(events: list[dict[str, Any]]) -> None:
    """What Perfetto asks of each track: of two slices one holds the other, or they do not touch."""
    tracks = defaultdict(list)
    for event in events:
        tracks[event["tid"]].append((round(event["ts"] * 1000), round((event["ts"] + event["dur"]) * 1000)))
    for slices in tracks.values():
        open_ends: list[int] = []
        for start, end in sorted(slices, key=lambda s: (s[0], -s[1])):
            while open_ends and open_ends[-1] <= start:
                open_ends.pop()
            assert not open_ends or open_ends[-1] >= end
            open_ends.append(end)


def test_chrome_trace_has_the_shape_that_perfetto_reads(sample: RunView) -> None:
    value = json.loads(exported("chrome-trace", sample))

    events = value["traceEvents"]
    assert {e["ph"] for e in events} <= {"X", "i", "M"}
    slices = [e for e in events if e["ph"] == "X"]
    assert len(slices) == len(sample.spans())
    for event in slices:
        assert {"name", "cat", "pid", "tid", "ts", "dur", "args"} <= set(event)
        assert event["ts"] >= 0
        assert event["dur"] >= 0
    slices_nest(slices)
    assert {e["tid"] for e in slices} <= {e["tid"] for e in events if e["ph"] == "M"}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=30))
def test_overlapping_spans_get_lanes_of_their_own(pairs: list[tuple[int, int]]) -> None:
    spans = [SpanRecord(TRACE_ID, f"{n:016x}", None, "s", start, start + length) for n, (start, length) in enumerate(pairs, 1)]
    spans.sort(key=lambda s: (s.start_ns, -(s.end_ns or 0)))

    lanes = assign_lanes(spans, 100)

    slices_nest(
        [{"tid": lane, "ts": s.start_ns, "dur": (s.end_ns or 0) - s.start_ns} for s, lane in zip(spans, lanes, strict=True)]
    )


@settings(deadline=None)
@given(st.integers(-(10**18), 10**18))
def test_microseconds_are_exact(time_ns: int) -> None:
    from decimal import Decimal

    assert Decimal(microseconds(time_ns).decode()) * 1000 == time_ns


def read_cast(data: bytes) -> tuple[CastReader, list[CastEvent]]:
    reader = CastReader()
    return reader, list(reader.feed(iter(data.splitlines())))


@pytest.mark.parametrize(("name", "version"), [("asciicast", 2), ("asciicast-v3", 3)])
def test_casts_hold_the_terminal_and_markers(sample: RunView, name: str, version: int) -> None:
    reader, events = read_cast(exported(name, sample))

    assert reader.header is not None
    assert (reader.header.version, reader.header.columns, reader.header.rows, reader.bad_lines) == (version, 100, 30, [])
    recorded = sample.terminal_events()
    output = [e for e in events if e.code == "o"]
    assert "".join(e.data for e in output) == "".join(e.data for e in recorded if e.code == "o")
    assert max(abs(a.time_s - b.time_s) for a, b in zip(output, [e for e in recorded if e.code == "o"], strict=True)) < 2e-6
    labels = [e.data for e in events if e.code == "m"]
    assert sum(label.startswith("chat ") for label in labels) == len(sample.calls())
    assert any(label.startswith("execute_tool shell") for label in labels)
    assert any(label.startswith("error: ") for label in labels)
    assert [e.time_s for e in events] == sorted(e.time_s for e in events)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 0.0000019), min_size=1, max_size=400))
def test_v3_intervals_do_not_drift(steps: list[float]) -> None:
    times, now = [], 0.0
    for step in steps:
        now += step
        times.append(now)

    lines = list(intervals([CastEvent(t, "o", "x") for t in times]))

    total_us = sum(round(json.loads(line)[0] * 1e6) for line in lines)
    assert abs(total_us - now * 1e6) <= 0.51


HOSTILE = "```\n# not a heading\n</details><script>x</script> | @everyone #1 ![x](http://evil) ````` \x1b[31mred\u202e"


def test_markdown_is_inert(sample: RunView) -> None:
    text = exported("markdown", sample).decode()

    assert "## Transcript" in text
    assert "## Patch" in text
    assert sample.header.task.instruction.splitlines()[0] in text
    assert "\x1b" not in text


@settings(deadline=None)
@given(st.text(alphabet="`~ \nab|<#", max_size=60))
def test_nothing_ends_its_fence(text: str) -> None:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt().parse(fenced(text) + "\nafter\n")

    assert [t.type for t in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content.rstrip("\n") == text.rstrip("\n")


def test_hostile_text_stays_text() -> None:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    block = parser.render(fenced(HOSTILE))
    row = parser.render(f"| a | b |\n|---|---|\n| x | {code(HOSTILE)} |\n")

    assert re.findall(r"<(\w+)", block) == ["pre", "code"]
    assert "script" not in re.findall(r"<(\w+)", row)
    assert row.count("<td>") == 2
    assert "<img" not in row
    assert "<a" not in row


def test_junit_is_xml_with_the_outcome(sample: RunView) -> None:
    root = ElementTree.fromstring(exported("junit", sample))

    suite = root.find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert suite.get("tests") == str(len(cases))
    assert suite.get("failures") == str(sum(c.find("failure") is not None for c in cases))
    failure = cases[0].find("failure")
    assert failure is not None
    assert "tests failed" in (failure.get("message") or "")


def test_atif_is_valid_by_its_own_package(sample: RunView) -> None:
    atif = pytest.importorskip("atif", reason="the PyPI package atif is not installed")

    trajectory = atif.Trajectory.model_validate(json.loads(exported("atif", sample)))

    assert trajectory.schema_version == "ATIF-v1.8"
    assert len(trajectory.steps) == 1 + len(sample.calls())
    usage = [c.usage for c in sample.calls()]
    assert trajectory.final_metrics.total_prompt_tokens == sum(u.input or 0 for u in usage)
    assert any(s.tool_calls for s in trajectory.steps)


def test_every_format_takes_a_run_with_nothing_in_it(tmp_path: Path) -> None:
    run = run_of(tmp_path, [])
    for name in exporter_names():
        if not name.startswith("asciicast"):
            assert exported(name, run) or name == "otlp-json"


def test_a_run_without_a_terminal_says_so(tmp_path: Path) -> None:
    from cabtrace.errors import UsageError

    with pytest.raises(UsageError, match="no terminal"):
        exported("asciicast", run_of(tmp_path, many_spans(3)))
