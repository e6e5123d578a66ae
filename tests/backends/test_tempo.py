"""Runs sent to a real Tempo with its default limits and read back span by span; what it cuts and drops is known and named."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cabtrace.cli.main import cli
from cabtrace.model.span import SpanRecord
from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, Report, export_run
from exporters.otlp.outgoing import Shape, outgoing
from exporters.otlp.settings import PRESETS, resolve
from exporters.readback.fidelity import Fidelity, compare
from exporters.source import span_source
from tests.backends.programs import Backend, kept
from tests.support.export_runs import many_spans, run_of, with_trace
from tests.support.sample_run import build_sample_run

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("backends")]
PROTOCOLS = ("grpc", "http/protobuf", "http/json")
AS_PRESET = Shape(value_bytes=PRESETS["tempo"].value_bytes)


def sent(tempo: Backend, run: RunView, shape: Shape, protocol: str = "grpc") -> Report:
    return export_run(run, Options(resolve({}, protocol=protocol, endpoint=tempo.endpoint(protocol)), shape, preset="tempo"))


def read_back(tempo: Backend, run: RunView, shape: Shape, count: int) -> Fidelity:
    source = span_source(run)
    return compare(outgoing(run, source.records(), shape), kept("tempo", tempo, next(iter(source.trace_ids)), count))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("content", [False, True])
def test_tempo_keeps_every_field_of_a_cell(tempo: Backend, tmp_path: Path, protocol: str, content: bool) -> None:
    view = RunView(build_sample_run(tmp_path))
    run = run_of(tmp_path / "runs", with_trace(list(view.spans()), 0xA000 + 2 * PROTOCOLS.index(protocol) + content))

    report = sent(tempo, run, replace(AS_PRESET, content=content), protocol)
    result = read_back(tempo, run, Shape(content), report.spans)

    assert (report.delivered, report.rejected, report.waiting) == (len(view.spans()), 0, 0)
    assert result.losses == []
    assert not result.lossy
    assert result.duplicates == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tempo_keeps_ten_thousand_spans(tempo: Backend, tmp_path: Path, protocol: str) -> None:
    run = run_of(tmp_path, with_trace(list(many_spans(10_000)), 0xB000 + PROTOCOLS.index(protocol)))

    report = sent(tempo, run, AS_PRESET, protocol)
    result = read_back(tempo, run, Shape(), 10_000)

    assert (report.delivered, report.rejected, report.waiting, report.note) == (10_000, 0, 0, "")
    assert result.lost_spans == []
    assert result.losses == []


def test_tempo_takes_poison_made_safe(tempo: Backend, tmp_path: Path) -> None:
    spans = with_trace(list(many_spans(512)), 0xC000)
    odd = {
        "huge": 2**70,
        "surrogate": "\ud800",
        "nan": float("nan"),
        "inf": float("-inf"),
        "bytes": b"\x00\xff",
        "list": [1, "x", None],
    }
    spans[100] = replace(spans[100], attributes=odd)
    run = run_of(tmp_path, spans)

    report = sent(tempo, run, AS_PRESET)
    result = read_back(tempo, run, Shape(), 512)

    assert (report.delivered, report.rejected, report.waiting) == (512, 0, 0)
    assert result.losses == []


def long_values(number: int) -> list[SpanRecord]:
    """Three spans, one with values over Tempo's limit wherever a value can stand."""
    spans = with_trace(list(many_spans(5)), number)
    event = replace(spans[3].events[0], attributes={"said": "ö" * 3_000})
    spans[3] = replace(
        spans[3],
        attributes={"cabtrace.note": "ä" * 10_000},
        events=(event,),
        resource={**spans[3].resource, "about": "z" * 5_000},
    )
    return spans


def test_what_tempo_cuts_is_named(tempo: Backend, tmp_path: Path) -> None:
    run = run_of(tmp_path, long_values(0xD000))

    report = sent(tempo, run, Shape())
    result = read_back(tempo, run, Shape(), 5)

    assert (report.delivered, report.rejected) == (5, 0)  # it says nothing of it
    assert {f.name for f in result.fields if f.sent != f.kept} == {"attributes", "event attributes", "resource"}
    assert len(result.losses) == 3
    assert "cabtrace.note" in result.losses[0]


def test_the_preset_splits_what_tempo_would_cut(tempo: Backend, tmp_path: Path) -> None:
    run = run_of(tmp_path, long_values(0xD001))

    sent(tempo, run, AS_PRESET)

    assert read_back(tempo, run, Shape(), 5).losses == []


def test_a_trace_over_tempos_limit_is_found_out(tempo: Backend, tmp_path: Path) -> None:
    """Tempo takes spans over 5 MB of one trace with thanks and drops them: only reading back tells."""
    spans = [replace(s, attributes={"padding": "x" * 2_000}) for s in with_trace(list(many_spans(4_000)), 0xE000)]
    run = run_of(tmp_path, spans)

    report = sent(tempo, run, AS_PRESET)
    result = read_back(tempo, run, Shape(), 1)

    assert report.delivered == 4_000
    assert "drops what is over 5 MB of a trace" in report.note
    assert 0 < len(result.lost_spans) < 4_000
    assert result.lossy


def test_the_commands_say_what_arrived(tempo: Backend, tmp_path: Path) -> None:
    run_of(tmp_path, with_trace(list(many_spans(200)), 0xF000))
    store = ["--store", str(tmp_path)]

    exported = CliRunner().invoke(
        cli, ["export", "otlp", "@last", *store, "--preset", "tempo", "--endpoint", tempo.grpc], standalone_mode=False
    )
    kept("tempo", tempo, f"{0xF000:032x}", 200)
    checked = CliRunner().invoke(
        cli, ["export", "verify", "@last", *store, "--backend", "tempo", "--url", tempo.query, "--json"], standalone_mode=False
    )

    assert exported.return_value == 0, exported.output
    assert "200 delivered, 0 rejected, 0 waiting" in exported.output
    link = next(word for word in exported.output.split() if "/explore?" in word)
    panes = json.loads(urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["panes"][0])
    (query,) = next(iter(panes.values()))["queries"]
    assert query["query"] == f"{0xF000:032x}"  # what Grafana asks Tempo for
    assert checked.return_value == 0, checked.output
    assert json.loads(checked.output)["lost_spans"] == []
