"""A run sent to a real Jaeger or Tempo, imported from there, is the run that it was."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cabtrace.cli.main import cli
from cabtrace.model.span import SpanRecord
from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, export_run
from exporters.otlp.outgoing import Shape
from exporters.otlp.settings import PRESETS, resolve
from tests.backends.programs import Backend, kept
from tests.support.export_runs import many_spans, run_of, with_trace
from tests.support.sample_run import build_sample_run

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("backends")]


@pytest.fixture(params=["jaeger", "tempo"])
def backend(request: pytest.FixtureRequest) -> tuple[str, Backend]:
    return request.param, request.getfixturevalue(request.param)


def there_and_back(name: str, backend: Backend, run: RunView, shape: Shape, store: Path) -> tuple[RunView, dict[str, Any]]:
    report = export_run(run, Options(resolve({}, protocol="grpc", endpoint=backend.grpc), shape))
    assert (report.rejected, report.waiting) == (0, 0)
    kept(name, backend, report.trace_id, report.spans)
    argv = [
        "import",
        "otlp",
        "--from",
        name,
        "--trace",
        report.trace_id,
        "--endpoint",
        backend.query,
        "--store",
        str(store),
        "--json",
    ]
    done = CliRunner().invoke(cli, argv, standalone_mode=False, catch_exceptions=False)
    assert done.return_value == 0, done.output
    (made,) = json.loads(done.stdout)
    return RunView(Path(made["path"])), made


def comparable(spans: Sequence[SpanRecord]) -> dict[str, SpanRecord]:
    """By id; receivers may sort attributes, events and links, and Tempo keeps no flags once it wrote a trace to its disk."""
    return {
        s.span_id: replace(
            s,
            attributes=dict(sorted(s.attributes.items())),
            events=tuple(sorted(s.events, key=lambda e: (e.time_ns, e.name))),
            links=tuple(sorted(s.links, key=lambda x: x.span_id)),
            resource=dict(sorted(s.resource.items())),
            flags=0,
        )
        for s in spans
    }


@pytest.mark.parametrize("content", [False, True], ids=["without-content", "with-content"])
def test_a_cell_comes_back(backend: tuple[str, Backend], tmp_path: Path, content: bool) -> None:
    name, server = backend
    sample = RunView(build_sample_run(tmp_path))
    if not content:  # under a trace id of its own; with content as it is, whose bodies are kept under the ids of its spans
        sample = run_of(tmp_path / "other", with_trace(list(sample.spans()), 0xF001))
    shape = Shape(content, timeshift_ns=10**12, value_bytes=PRESETS["tempo"].value_bytes)

    run, made = there_and_back(name, server, sample, shape, tmp_path / "back")

    before, after = comparable(sample.spans()), comparable(run.spans())
    assert {i: (s.start_ns, s.end_ns, s.parent_id, s.kind, s.status_code) for i, s in after.items()} == {
        i: (s.start_ns, s.end_ns, s.parent_id, s.kind, s.status_code) for i, s in before.items()
    }
    assert [(c.index, c.usage, c.finish_reasons) for c in run.calls()] == [
        (c.index, c.usage, c.finish_reasons) for c in sample.calls()
    ]
    assert made["verdict"] == "failed"
    if content:
        assert after == before
        for call in sample.calls():
            assert run.call_body(call.call_id).input_messages == sample.call_body(call.call_id).input_messages
            assert run.call_body(call.call_id).output_messages == sample.call_body(call.call_id).output_messages


def test_everything_that_a_span_can_have_comes_back(backend: tuple[str, Backend], tmp_path: Path) -> None:
    name, server = backend
    sample = run_of(tmp_path, with_trace(list(many_spans(500)), 0xF002))

    run, _ = there_and_back(name, server, sample, Shape(), tmp_path / "back")

    assert comparable(run.spans()) == comparable(sample.spans())


def test_what_jaegers_page_downloads_can_be_imported(jaeger: Backend, tmp_path: Path) -> None:
    sample = run_of(tmp_path, with_trace(list(many_spans(200)), 0xF003))
    report = export_run(sample, Options(resolve({}, protocol="grpc", endpoint=jaeger.grpc)))
    kept("jaeger", jaeger, report.trace_id, report.spans)
    with urllib.request.urlopen(f"{jaeger.query}/api/traces/{report.trace_id}", timeout=20) as answer:
        (tmp_path / "download.json").write_bytes(answer.read())

    argv = ["import", "otlp", str(tmp_path / "download.json"), "--store", str(tmp_path / "back"), "--json"]
    done = CliRunner().invoke(cli, argv, standalone_mode=False, catch_exceptions=False)
    (made,) = json.loads(done.stdout)
    before, after = comparable(sample.spans()), comparable(RunView(Path(made["path"])).spans())

    assert done.return_value == 0
    assert after.keys() == before.keys()
    for span_id, span in before.items():
        found = after[span_id]
        assert (found.parent_id, found.name, found.kind, found.status_code) == (
            span.parent_id,
            span.name,
            span.kind,
            span.status_code,
        )
        assert abs(found.start_ns - span.start_ns) < 1_000
        assert [e.name for e in found.events] == [e.name for e in span.events]
        assert {k: v for k, v in found.attributes.items() if k in ("flag", "umlaut", "cabtrace.call.index")} == {
            k: v for k, v in span.attributes.items() if k in ("flag", "umlaut", "cabtrace.call.index")
        }
    assert "times finer than a microsecond" in made["imported"]["missing"]
