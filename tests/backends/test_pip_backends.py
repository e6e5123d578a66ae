"""Phoenix and MLflow, the real programs: every span arrives, and which fields they do not keep is known, no more and no fewer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from cabtrace.cli.main import cli
from cabtrace.model.span import SpanRecord
from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, export_run
from exporters.otlp.outgoing import Shape, outgoing
from exporters.otlp.retry import Patience
from exporters.otlp.settings import resolve
from exporters.readback.fetch import fetch_trace
from exporters.readback.fidelity import Fidelity, compare
from exporters.readback.http import BackendError
from exporters.source import span_source
from tests.backends.pip_servers import mlflow as mlflow_server
from tests.backends.pip_servers import phoenix as phoenix_server
from tests.support.export_runs import many_spans, run_of
from tests.support.sample_run import build_sample_run

pytestmark = [pytest.mark.backends, pytest.mark.slow, pytest.mark.xdist_group("pip-backends")]
HEADERS = {"phoenix": "", "mlflow": "x-mlflow-experiment-id=0"}
LOST = {
    "phoenix": {"kinds", "start (ns)", "end (ns)", "scopes", "resource", "events", "links", "link attributes"},
    "mlflow": {"kinds", "scopes", "resource"},
}
LOST_CONTENT = {"phoenix": set(), "mlflow": {"attributes"}}  # JSON as text comes back as what it says
ENOUGH_S = 60.0


@pytest.fixture(scope="module")
def phoenix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with phoenix_server(tmp_path_factory.mktemp("phoenix")) as url:
        yield url


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(params=["phoenix", "mlflow"])
def backend(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param, request.getfixturevalue(request.param)


def apart(spans: Sequence[SpanRecord], number: int) -> list[SpanRecord]:
    """The same spans under a trace id and span ids of their own: Phoenix keeps a span id once, whatever trace it is in."""
    trace_id = f"{number:032x}"

    def own(span_id: str) -> str:
        return f"{int(span_id, 16) ^ number << 40:016x}"

    return [
        replace(
            s,
            trace_id=trace_id,
            span_id=own(s.span_id),
            parent_id=own(s.parent_id) if s.parent_id else None,
            links=tuple(replace(x, trace_id=trace_id, span_id=own(x.span_id)) for x in s.links),
        )
        for s in spans
    ]


def send(name: str, url: str, run: RunView, shape: Shape, protocol: str = "http/protobuf") -> None:
    target = resolve({}, protocol=protocol, endpoint=url, headers=HEADERS[name] or None)
    report = export_run(run, Options(target, shape, Patience(total_s=ENOUGH_S)))
    assert (report.delivered, report.rejected, report.waiting) == (report.spans, 0, 0), report


def kept(name: str, url: str, run: RunView) -> Sequence[SpanRecord]:
    source = span_source(run)
    deadline = time.monotonic() + ENOUGH_S
    found: Sequence[SpanRecord] = ()
    while len(found) < source.spans and time.monotonic() < deadline:
        try:
            found = fetch_trace(name, url, next(iter(source.trace_ids)))
        except BackendError:
            found = ()
        time.sleep(0.25)
    return found


def read_back(name: str, url: str, run: RunView, shape: Shape) -> Fidelity:
    return compare(outgoing(run, span_source(run).records(), shape), kept(name, url, run))


def lossy(result: Fidelity) -> set[str]:
    return {f.name for f in result.fields if f.sent != f.kept}


def test_every_span_arrives_and_what_is_lost_is_what_the_docs_say(backend: tuple[str, str], tmp_path: Path) -> None:
    name, url = backend
    run = run_of(tmp_path, apart(list(many_spans(300)), 0xB001))

    send(name, url, run, Shape())
    result = read_back(name, url, run, Shape())

    assert result.lost_spans == []
    assert result.duplicates == 0
    assert lossy(result) == LOST[name], result.losses


@pytest.mark.parametrize("content", [False, True], ids=["without-content", "with-content"])
def test_a_cell_loses_no_more_than_that(backend: tuple[str, str], tmp_path: Path, content: bool) -> None:
    name, url = backend
    run = RunView(build_sample_run(tmp_path))  # with content as it is: what was said is kept under the ids of its spans
    if not content:
        run = run_of(tmp_path / "runs", apart(run.spans(), 0xB002))

    send(name, url, run, Shape(content))
    result = read_back(name, url, run, Shape(content))

    assert result.lost_spans == []
    assert lossy(result) <= LOST[name] | (LOST_CONTENT[name] if content else set())


def test_the_same_spans_again_are_no_more_spans(backend: tuple[str, str], tmp_path: Path) -> None:
    name, url = backend
    run = run_of(tmp_path, apart(list(many_spans(50)), 0xB010))

    send(name, url, run, Shape())
    kept(name, url, run)
    send(name, url, run, Shape())

    assert read_back(name, url, run, Shape()).duplicates == 0


def test_mlflow_takes_json(mlflow: str, tmp_path: Path) -> None:
    run = run_of(tmp_path, apart(list(many_spans(50)), 0xB020))

    send("mlflow", mlflow, run, Shape(), "http/json")

    assert read_back("mlflow", mlflow, run, Shape()).lost_spans == []


def test_the_command_prints_the_table(backend: tuple[str, str], tmp_path: Path) -> None:
    name, url = backend
    run = run_of(tmp_path, apart(list(many_spans(30)), 0xB030))
    send(name, url, run, Shape())
    kept(name, url, run)

    done = CliRunner().invoke(
        cli, ["export", "verify", "@last", "--store", str(tmp_path), "--backend", name, "--url", url], standalone_mode=False
    )

    assert done.return_value == 1
    assert "Lost or changed: kinds 30 of 30" in done.output
