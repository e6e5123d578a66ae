"""The queries of examples/backends' dashboard, asked of a real Tempo that holds a cell: every panel has something to draw."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, export_run
from exporters.otlp.outgoing import Shape
from exporters.otlp.settings import PRESETS, resolve
from exporters.source import span_source
from tests.backends.programs import Backend
from tests.support.export_runs import run_of, with_trace
from tests.support.sample_run import build_sample_run

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("backends")]
DASHBOARD = Path(__file__).parents[2] / "examples/backends/grafana/dashboards/cells.json"
QUERIES = {p["title"]: t["query"] for p in json.loads(DASHBOARD.read_bytes())["panels"] for t in p.get("targets", ())}


@pytest.fixture(scope="module")
def cell(tempo: Backend, tmp_path_factory: pytest.TempPathFactory) -> RunView:
    """A cell that has just ended, in Tempo."""
    store = tmp_path_factory.mktemp("store")
    view = RunView(build_sample_run(store))
    passing = RunView(build_sample_run(store, failing=False))  # a pass rate of 0 is what Tempo leaves out
    shape = Shape(timeshift_ns=time.time_ns() - span_source(view).latest_ns, value_bytes=PRESETS["tempo"].value_bytes)
    for run in (view, run_of(store / "passing", with_trace(list(passing.spans()), 0xDA5B))):
        assert export_run(run, Options(resolve({}, protocol="grpc", endpoint=tempo.grpc), shape)).waiting == 0
    return view


def asked(tempo: Backend, query: str) -> list[Mapping[str, Any]]:
    """Tempo's traces, or its series for a query of metrics."""
    now_s = int(time.time())
    times = {"start": now_s - 1800, "end": now_s + 60, "step": "60s"}
    path = "/api/metrics/query_range" if "_over_time" in query else "/api/search"
    with urllib.request.urlopen(f"{tempo.query}{path}?{urllib.parse.urlencode({'q': query, **times})}", timeout=20) as answer:
        value = json.load(answer)
    found: list[Mapping[str, Any]] = value.get("series") or value.get("traces") or []
    return found


def drawn(found: list[Mapping[str, Any]]) -> bool:
    """Whether there is a trace to list, or a number to draw."""
    return any("traceID" in one or any(sample.get("value") for sample in one["samples"]) for one in found)


@pytest.mark.parametrize("title", sorted(QUERIES))
def test_every_panel_finds_the_cell(tempo: Backend, cell: RunView, title: str) -> None:
    assert cell.header.trace_id
    found: list[Mapping[str, Any]] = []
    for _ in range(60):
        found = asked(tempo, QUERIES[title])
        if drawn(found):
            break
        time.sleep(0.5)

    assert drawn(found), found
    if "traceID" in found[0]:
        assert cell.header.trace_id in {trace["traceID"].rjust(32, "0") for trace in found}
