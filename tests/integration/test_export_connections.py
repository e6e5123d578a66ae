"""Connections that break within a request, and receivers that never answer: every span arrives, some perhaps twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from cabtrace.store.reader import RunView
from exporters.otlp import outbox
from exporters.otlp.export import Options, Report, export_run
from exporters.otlp.retry import Patience
from exporters.otlp.settings import resolve
from tests.support.export_runs import many_spans, run_of
from tests.support.otlp_receiver import GrpcReceiver, Receiver
from tests.support.tcp_proxy import CuttingProxy

SPANS = 3_000
EXPECTED = {f"{n:016x}" for n in range(1, SPANS + 1)}
PATIENCE = Patience(total_s=60, first_s=0.02, most_s=0.2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_of(tmp_path_factory.mktemp("runs"), many_spans(SPANS))


def send(run: RunView, url: str, protocol: str, store: Path, timeout_ms: int = 10_000) -> Report:
    target = resolve({"OTEL_EXPORTER_OTLP_TIMEOUT": str(timeout_ms)}, protocol=protocol, endpoint=url)
    return export_run(run, Options(target, patience=PATIENCE, store=store))


def receiver_of(protocol: str) -> Receiver | GrpcReceiver:
    return GrpcReceiver() if protocol == "grpc" else Receiver()


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
@pytest.mark.parametrize("cuts", [(1,), (20_000, 300_000), (5_000, 50_000, 100, 200_000)], ids=str)
def test_a_connection_reset_within_a_request(run: RunView, tmp_path: Path, protocol: str, cuts: tuple[int, ...]) -> None:
    with receiver_of(protocol) as receiver, CuttingProxy(receiver.port, cuts) as proxy:
        report = send(run, f"http://127.0.0.1:{proxy.port}", protocol, tmp_path)

    assert (report.delivered, report.rejected, report.waiting) == (SPANS, 0, 0), report.reason
    assert proxy.cut == len(cuts)
    assert set(receiver.span_ids) == EXPECTED
    assert outbox.pending(tmp_path) == []


def test_a_grpc_receiver_that_hangs_is_tried_again(run: RunView, tmp_path: Path) -> None:
    def script(number: int, _request: Any, context: Any) -> None:
        if number in (1, 3):
            time.sleep(1.0)

    with GrpcReceiver(script) as receiver:
        report = send(run, receiver.endpoint, "grpc", tmp_path, timeout_ms=400)

    assert (report.delivered, report.rejected, report.waiting) == (SPANS, 0, 0), report.reason
    assert report.retries >= 2
    assert set(receiver.span_ids) == EXPECTED
