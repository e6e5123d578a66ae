"""Runs sent to real backends and read back span by span: nothing is lost, and what a backend changes is known."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from cabtrace.cli.main import cli
from cabtrace.model.otlp import spans_from_line
from cabtrace.model.span import SpanRecord
from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, export_run
from exporters.otlp.outgoing import Shape, outgoing
from exporters.otlp.settings import resolve
from exporters.readback.fidelity import Fidelity, compare
from exporters.registry import find_exporter
from exporters.source import span_source
from tests.backends import configs
from tests.backends.programs import Backend, kept, program, server
from tests.support.export_runs import many_spans, run_of, with_trace
from tests.support.sample_run import build_sample_run

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("backends")]
PROTOCOLS = ("grpc", "http/protobuf", "http/json")


def kept_by(backend: Backend, run: RunView, count: int) -> Sequence[SpanRecord]:
    """The trace as Jaeger has it, once it has so many spans or some time went by."""
    return kept("jaeger", backend, next(iter(span_source(run).trace_ids)), count)


def fidelity(run: RunView, kept: Sequence[SpanRecord], shape: Shape) -> Fidelity:
    return compare(outgoing(run, span_source(run).records(), shape), kept)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("content", [False, True])
def test_jaeger_keeps_every_field_of_a_cell(jaeger: Backend, tmp_path: Path, protocol: str, content: bool) -> None:
    view = RunView(build_sample_run(tmp_path))
    number = 0xA000 + 2 * PROTOCOLS.index(protocol) + content
    run = run_of(tmp_path / "runs", with_trace(list(view.spans()), number))
    shape = Shape(content)

    report = export_run(run, Options(resolve({}, protocol=protocol, endpoint=jaeger.endpoint(protocol)), shape, store=tmp_path))
    result = fidelity(run, kept_by(jaeger, run, report.spans), shape)

    assert (report.delivered, report.rejected, report.waiting) == (len(view.spans()), 0, 0)
    assert result.losses == []
    assert not result.lossy


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_jaeger_keeps_ten_thousand_spans(jaeger: Backend, tmp_path: Path, protocol: str) -> None:
    run = run_of(tmp_path, with_trace(list(many_spans(10_000)), 0xB000 + PROTOCOLS.index(protocol)))

    report = export_run(run, Options(resolve({}, protocol=protocol, endpoint=jaeger.endpoint(protocol)), store=tmp_path))
    result = fidelity(run, kept_by(jaeger, run, 10_000), Shape())

    assert (report.delivered, report.rejected, report.waiting) == (10_000, 0, 0)
    assert result.lost_spans == []
    assert result.losses == []


def test_jaeger_takes_poison_made_safe(jaeger: Backend, tmp_path: Path) -> None:
    from dataclasses import replace

    spans = with_trace(list(many_spans(512)), 0xC000)
    odd = {"huge": 2**70, "surrogate": "\ud800", "nan": float("nan"), "bytes": b"\x00\xff", "long": "x" * 2_000_000}
    spans[100] = replace(spans[100], attributes=odd)
    run = run_of(tmp_path, spans)

    report = export_run(run, Options(resolve({}, protocol="grpc", endpoint=jaeger.grpc), store=tmp_path))
    result = fidelity(run, kept_by(jaeger, run, 512), Shape())

    assert (report.delivered, report.rejected, report.waiting) == (512, 0, 0)
    assert result.lost_spans == []
    assert result.losses == []


def test_split_values_come_back_whole(jaeger: Backend, tmp_path: Path) -> None:
    from dataclasses import replace

    spans = with_trace(list(many_spans(3)), 0xD000)
    spans[0] = replace(spans[0], attributes={"cabtrace.note": "ä" * 10_000})
    run = run_of(tmp_path, spans)
    shape = Shape(value_bytes=2_048)

    export_run(run, Options(resolve({}, protocol="http/protobuf", endpoint=jaeger.http), shape, store=tmp_path))
    spans = list(kept_by(jaeger, run, 3))

    assert max(len(str(v).encode()) for s in spans for v in s.attributes.values()) <= 2_048
    assert fidelity(run, spans, Shape()).losses == []


def test_the_commands_say_what_arrived(jaeger: Backend, tmp_path: Path) -> None:
    run = run_of(tmp_path, with_trace(list(many_spans(200)), 0xE000))
    store = ["--store", str(tmp_path)]

    sent = CliRunner().invoke(
        cli, ["export", "otlp", "@last", *store, "--preset", "jaeger", "--endpoint", jaeger.grpc, "--ui", jaeger.query],
        standalone_mode=False,
    )  # fmt: skip
    kept_by(jaeger, run, 200)
    checked = CliRunner().invoke(
        cli, ["export", "verify", "@last", *store, "--backend", "jaeger", "--url", jaeger.query, "--json"], standalone_mode=False
    )

    assert sent.return_value == 0, sent.output
    assert "200 delivered, 0 rejected, 0 waiting" in sent.output
    assert f"{jaeger.query}/trace/{0xE000:032x}" in sent.output
    assert checked.return_value == 0, checked.output
    assert json.loads(checked.output)["lost_spans"] == []


def written_by(file: Path, count: int) -> list[SpanRecord]:
    """What a Collector has written, once it has so many spans or some time went by."""
    spans: list[SpanRecord] = []
    for _ in range(40):
        lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
        spans = [s for line in lines if line.endswith(b"\n") for s in spans_from_line(orjson.loads(line))]
        if len(spans) >= count:
            break
        time.sleep(0.25)
    return spans


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_collector_writes_every_field(collector: Backend, tmp_path: Path, protocol: str) -> None:
    run = run_of(tmp_path, many_spans(5_000))

    report = export_run(run, Options(resolve({}, protocol=protocol, endpoint=collector.endpoint(protocol)), store=tmp_path))
    result = fidelity(run, written_by(collector.file, 5_000), Shape())

    assert (report.delivered, report.rejected, report.waiting) == (5_000, 0, 0)
    assert result.losses == []
    assert result.duplicates == 0


@pytest.mark.parametrize("what", ["a cell", "many spans"])
def test_the_collector_reads_our_file(tmp_path: Path, what: str) -> None:
    """The `otlp-json` file, through the Collector's own receiver for such files, and out again."""
    program("otelcol")
    run = RunView(build_sample_run(tmp_path / "store")) if what == "a cell" else run_of(tmp_path / "store", many_spans(5_000))
    source = span_source(run)
    with (tmp_path / "in.jsonl").open("wb") as out:
        find_exporter("otlp-json").export(run, out)

    running, _ = server("otelcol", configs.FILE_COLLECTOR, "--config", tmp_path, ())
    spans = written_by(tmp_path / "out.jsonl", source.spans)
    running.kill()  # nothing is to be kept
    result = compare(source.records(), spans)

    assert result.losses == []
    assert result.duplicates == 0
