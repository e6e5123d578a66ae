"""Delivery to receivers that misbehave: at the end every span is delivered, rejected in the receiver's words, or waiting."""

from __future__ import annotations

import errno
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cabtrace.store.files import Files
from cabtrace.store.reader import RunView
from exporters.otlp import outbox
from exporters.otlp.export import Options, Report, export_run
from exporters.otlp.retry import Patience, Waiting
from exporters.otlp.settings import resolve
from tests.support.export_runs import TRACE_ID, many_spans, run_of
from tests.support.otlp_receiver import OK, GrpcReceiver, Misbehaviour, Receiver, attributes_of

SPANS = 3_000  # two requests at least
EXPECTED = {f"{n:016x}" for n in range(1, SPANS + 1)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunView:
    return run_of(tmp_path_factory.mktemp("runs"), many_spans(SPANS))


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def waiting(self, patience: Patience) -> Waiting:
        return Waiting(patience, clock=lambda: self.now, sleep=self.sleep)


def send(run: RunView, url: str, store: Path, clock: Clock | None = None, *, protocol: str = "http/protobuf", environ: dict[str, str] | None = None,
         resumed: outbox.Pending | None = None) -> Report:  # fmt: skip
    target = resolve(environ or {}, protocol=protocol, endpoint=url)
    options = Options(target, store=store, waiting=(clock or Clock()).waiting)
    return export_run(run, options, resumed=resumed)


def counts(report: Report) -> tuple[int, int, int]:
    assert report.delivered + report.rejected + report.waiting == report.spans
    return report.delivered, report.rejected, report.waiting


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_every_span_arrives_once(run: RunView, tmp_path: Path, protocol: str, compression: str) -> None:
    with Receiver() as receiver:
        report = send(run, receiver.url, tmp_path, protocol=protocol, environ={"OTEL_EXPORTER_OTLP_COMPRESSION": compression})

    assert counts(report) == (SPANS, 0, 0)
    assert set(receiver.span_ids) == EXPECTED
    assert set(receiver.span_ids.values()) == {1}
    assert {s.trace_id.hex() for s in receiver.spans} == {TRACE_ID}
    assert attributes_of(receiver.resources[0].attributes)["list"] == ["a", "b"]
    assert receiver.headers[0]["user-agent"].startswith("OTel-OTLP-Exporter-Python/")
    assert outbox.pending(tmp_path) == []


def test_every_span_arrives_once_over_grpc(run: RunView, tmp_path: Path) -> None:
    with GrpcReceiver() as receiver:
        report = send(run, receiver.endpoint, tmp_path, protocol="grpc", environ={"OTEL_EXPORTER_OTLP_HEADERS": "x-project=7"})

    assert counts(report) == (SPANS, 0, 0)
    assert set(receiver.span_ids) == EXPECTED
    assert receiver.metadata[0]["x-project"] == "7"


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_unavailable_is_tried_again_when_it_asks_for(run: RunView, tmp_path: Path, status: int) -> None:
    clock = Clock()
    with Receiver(lambda n, *_: Misbehaviour(status, {"Retry-After": "3"}) if n <= 2 else OK) as receiver:
        report = send(run, receiver.url, tmp_path, clock)

    assert counts(report) == (SPANS, 0, 0)
    assert report.retries == 2
    assert all(3 <= s <= 3.4 for s in clock.slept)
    assert set(receiver.span_ids) == EXPECTED


def test_patience_ends_and_what_is_left_waits_then_resumes(run: RunView, tmp_path: Path) -> None:
    clock = Clock()
    with Receiver(lambda n, *_: OK if n == 1 else Misbehaviour(503, body=b"overloaded")) as receiver:
        report = send(run, receiver.url, tmp_path, clock)
        arrived = set(receiver.span_ids)

    delivered, rejected, waiting = counts(report)
    assert delivered == len(arrived) > 0
    assert (rejected, waiting) == (0, SPANS - delivered)
    assert "overloaded" in report.reason
    assert clock.now <= 60
    (job,) = outbox.pending(tmp_path)
    assert (job.waiting, job.busy) == (waiting, False)

    with Receiver() as receiver:
        again = send(run, receiver.url, tmp_path, resumed=job)

    assert counts(again) == (SPANS, 0, 0)
    assert set(receiver.span_ids) == EXPECTED - arrived
    assert outbox.pending(tmp_path) == []


def test_a_retry_after_beyond_patience_goes_to_the_outbox_at_once(run: RunView, tmp_path: Path) -> None:
    clock = Clock()
    with Receiver(lambda *_: Misbehaviour(429, {"Retry-After": "3600"})) as receiver:
        report = send(run, receiver.url, tmp_path, clock)

    assert counts(report) == (0, 0, SPANS)
    assert clock.slept == []
    assert receiver.requests == 1


def test_no_receiver_at_all(run: RunView, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    report = send(run, url, tmp_path)

    assert counts(report) == (0, 0, SPANS)
    assert "refused" in report.reason


def test_too_large_is_halved_until_it_fits(run: RunView, tmp_path: Path) -> None:
    limit = 60_000
    with Receiver(lambda _n, _r, body: Misbehaviour(413) if len(body) > limit else OK) as receiver:
        report = send(run, receiver.url, tmp_path)

    assert counts(report) == (SPANS, 0, 0)
    assert set(receiver.span_ids) == EXPECTED
    assert all(len(b) <= limit for b in receiver.bodies)


def test_one_poison_span_is_rejected_alone(run: RunView, tmp_path: Path) -> None:
    poison = bytes.fromhex(f"{777:016x}")

    def script(_n: int, request: Any, _b: bytes) -> Misbehaviour:
        ids = {s.span_id for r in request.resource_spans for scope in r.scope_spans for s in scope.spans}
        return Misbehaviour(400, {"Content-Type": "text/plain"}, b"bad span \x1b[31m") if poison in ids else OK

    with Receiver(script) as receiver:
        report = send(run, receiver.url, tmp_path)

    assert counts(report) == (SPANS - 1, 1, 0)
    assert set(receiver.span_ids) == EXPECTED - {poison.hex()}
    ((words, count),) = report.words.items()
    assert count == 1
    assert "bad span" in words
    assert "\x1b" not in words


def test_a_receiver_that_breaks_on_everything_keeps_spans_waiting(run: RunView, tmp_path: Path) -> None:
    with Receiver(lambda *_: Misbehaviour(500, body=b"boom")) as receiver:
        report = send(run, receiver.url, tmp_path)

    assert counts(report) == (0, 0, SPANS)
    assert receiver.requests < 150


@pytest.mark.parametrize("status", [301, 401, 403, 404, 415])
def test_a_wrong_address_or_key_stops_at_once_and_loses_nothing(run: RunView, tmp_path: Path, status: int) -> None:
    with Receiver(lambda *_: Misbehaviour(status, {"Location": "https://elsewhere"})) as receiver:
        report = send(run, receiver.url, tmp_path)

    assert counts(report) == (0, 0, SPANS)
    assert receiver.requests == 1
    assert str(status) in report.reason


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_partial_success_is_counted_and_not_sent_again(run: RunView, tmp_path: Path, protocol: str) -> None:
    with Receiver(lambda n, *_: Misbehaviour(rejected=3, message="3 spans too old") if n == 1 else OK) as receiver:
        report = send(run, receiver.url, tmp_path, protocol=protocol)

    assert counts(report) == (SPANS - 3, 3, 0)
    assert report.words == {"3 spans too old": 3}
    assert set(receiver.span_ids.values()) == {1}


@pytest.mark.parametrize("act", ["reset", "hang"])
def test_a_lost_connection_or_a_hang_is_tried_again(run: RunView, tmp_path: Path, act: str) -> None:
    with Receiver(lambda n, *_: Misbehaviour(act=act) if n in (1, 3) else OK) as receiver:
        report = send(run, receiver.url, tmp_path, environ={"OTEL_EXPORTER_OTLP_TIMEOUT": "300"})

    assert counts(report) == (SPANS, 0, 0)
    assert set(receiver.span_ids) == EXPECTED


def test_partial_success_over_grpc(run: RunView, tmp_path: Path) -> None:
    with GrpcReceiver() as receiver:
        receiver.partial = (2, "two were odd")
        report = send(run, receiver.endpoint, tmp_path, protocol="grpc")

    assert report.rejected == 2 * report.requests
    assert report.words == {"two were odd": report.rejected}


def aborting(
    code: str, details: str, *, times: int, trailing: tuple[tuple[str, bytes], ...] = ()
) -> Callable[[int, Any, Any], None]:
    def script(number: int, _request: Any, context: Any) -> None:
        import grpc

        if number <= times:
            context.set_trailing_metadata(trailing)
            context.abort(getattr(grpc.StatusCode, code), details)

    return script


def test_grpc_statuses_follow_the_specification(run: RunView, tmp_path: Path) -> None:
    from google.protobuf.any_pb2 import Any as AnyMessage
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    info, detail = RetryInfo(), AnyMessage()
    info.retry_delay.seconds = 2
    detail.Pack(info)
    retry = (("grpc-status-details-bin", Status(code=8, message="slow down", details=[detail]).SerializeToString()),)

    clock = Clock()
    with GrpcReceiver(aborting("RESOURCE_EXHAUSTED", "slow down", times=1, trailing=retry)) as receiver:
        assert counts(send(run, receiver.endpoint, tmp_path, clock, protocol="grpc")) == (SPANS, 0, 0)
    assert all(2 <= s <= 2.3 for s in clock.slept)
    assert len(clock.slept) == 1

    with GrpcReceiver(
        aborting("RESOURCE_EXHAUSTED", "quota", times=9)
    ) as receiver:  # without RetryInfo it must not be tried again
        assert counts(send(run, receiver.endpoint, tmp_path, protocol="grpc")) == (0, 0, SPANS)
        assert receiver.requests == 1

    with GrpcReceiver(aborting("UNAVAILABLE", "later", times=2)) as receiver:
        report = send(run, receiver.endpoint, tmp_path, protocol="grpc")
    assert (counts(report), report.retries) == ((SPANS, 0, 0), 2)

    with GrpcReceiver(aborting("UNAUTHENTICATED", "who are you", times=9)) as receiver:
        report = send(run, receiver.endpoint, tmp_path, protocol="grpc")
    assert counts(report) == (0, 0, SPANS)
    assert "who are you" in report.reason


def test_grpc_messages_over_the_receivers_limit_are_halved(run: RunView, tmp_path: Path) -> None:
    def script(_n: int, request: Any, context: Any) -> None:
        import grpc

        if request.ByteSize() > 100_000:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "grpc: received message larger than max (200000 vs. 100000)")

    with GrpcReceiver(script) as receiver:
        report = send(run, receiver.endpoint, tmp_path, protocol="grpc")

    assert counts(report) == (SPANS, 0, 0)
    assert set(receiver.span_ids) == EXPECTED


class FullDisk(Files):
    """Has room for so many writes."""

    def __init__(self, writes: int) -> None:
        self.left = writes

    def write(self, fd: int, data: bytes) -> int:
        if self.left <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1
        return super().write(fd, data)


@pytest.mark.parametrize("writes", [0, 1])
def test_a_full_disk_stops_the_outbox_but_not_the_export(
    run: RunView, tmp_path: Path, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = outbox.create
    monkeypatch.setattr("exporters.otlp.export.create", lambda store, job: real(store, job, FullDisk(writes)))
    with Receiver() as receiver:
        report = send(run, receiver.url, tmp_path)

    assert counts(report) == (SPANS, 0, 0)
    assert set(receiver.span_ids) == EXPECTED
    assert outbox.pending(tmp_path) == []


def test_a_full_disk_is_said_where_spans_wait(run: RunView, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = outbox.create
    monkeypatch.setattr("exporters.otlp.export.create", lambda store, job: real(store, job, FullDisk(0)))
    with Receiver(lambda *_: Misbehaviour(403)) as receiver:
        report = send(run, receiver.url, tmp_path)

    assert counts(report) == (0, 0, SPANS)
    assert report.outbox_problem == os.strerror(errno.ENOSPC)


def test_a_run_that_changed_since_is_sent_whole(run: RunView, tmp_path: Path) -> None:
    mine = run_of(tmp_path / "runs", many_spans(100))
    with Receiver(lambda *_: Misbehaviour(503)) as receiver:
        send(mine, receiver.url, tmp_path)
    (job,) = outbox.pending(tmp_path)
    with (mine.path / "trace.jsonl").open("ab") as handle:
        handle.write((run.path / "trace.jsonl").read_bytes().splitlines(keepends=True)[500])

    with Receiver() as receiver:
        report = send(mine, receiver.url, tmp_path, resumed=job)

    assert counts(report) == (101, 0, 0)
    assert len(receiver.span_ids) == 101


CHILD = """
import sys
from pathlib import Path
from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, export_run
from exporters.otlp.settings import resolve
import exporters.otlp.batches as batches
batches.batches.__defaults__ = (40,)
export_run(RunView(Path(sys.argv[1])), Options(resolve({}, endpoint=sys.argv[2]), store=Path(sys.argv[3])))
"""


def test_an_exporter_killed_at_random_moments_loses_nothing(run: RunView, tmp_path: Path) -> None:
    """Killed after so many requests; then resumed. Every span arrives, with the same ids."""
    chance = random.Random(5)
    for number in range(20 if os.environ.get("CABTRACE_SOAK") else 6):
        store = tmp_path / str(number)
        moment = chance.randrange(1, SPANS // 40)
        reached = threading.Event()

        def script(n: int, *_: Any, moment: int = moment, reached: threading.Event = reached) -> Misbehaviour:
            if n >= moment:
                reached.set()
            return OK

        with Receiver(script) as receiver:
            child = subprocess.Popen([sys.executable, "-c", CHILD, str(run.path), receiver.url, str(store)])
            while not reached.wait(0.01) and child.poll() is None:
                pass
            child.send_signal(signal.SIGKILL)
            child.wait()
            jobs = outbox.pending(store)
            for job in jobs:
                assert not job.busy
                report = send(run, receiver.url, store, resumed=job)
                assert counts(report) == (SPANS, 0, 0)

        assert set(receiver.span_ids) == EXPECTED
        assert outbox.pending(store) == []


def test_a_receiver_that_restarts_mid_export(run: RunView, tmp_path: Path) -> None:
    """Down between two requests for as long as the third attempt: what it had taken and what comes after is everything."""
    first = Receiver(lambda n, *_: OK if n == 1 else Misbehaviour(act="reset"))
    port, second = first.port, list[Receiver]()

    class Restarting(Clock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.slept) == 2:
                first.close()
            if len(self.slept) == 4:
                for _ in range(50):
                    try:
                        second.append(Receiver(port=port))
                        return
                    except OSError:
                        time.sleep(0.02)

    report = send(run, first.url, tmp_path, Restarting(), environ={"OTEL_EXPORTER_OTLP_TIMEOUT": "500"})
    second[0].close()

    assert counts(report) == (SPANS, 0, 0)
    assert set(first.span_ids) | set(second[0].span_ids) == EXPECTED


@pytest.mark.parametrize(
    ("count", "preset", "noted"), [(3_000, "tempo", True), (1_000, "tempo", False), (3_000, "jaeger", False)]
)
def test_what_a_backend_drops_unsaid_is_said_before(tmp_path: Path, count: int, preset: str, noted: bool) -> None:
    big = [replace(s, attributes={"padding": "x" * 2_000}) for s in many_spans(count)]
    with Receiver() as receiver:
        options = Options(resolve({}, endpoint=receiver.url), preset=preset)
        report = export_run(run_of(tmp_path, big), options)

    assert report.delivered == count
    assert bool(report.note) is noted
