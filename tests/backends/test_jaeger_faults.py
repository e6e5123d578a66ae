"""A real Jaeger that dies, stays away and comes back, and an exporter that is killed: in the end every span is there.

Jaeger keeps spans on disk here, so that what it has answered for outlives its death. CABTRACE_SOAK=1 runs all twenty moments
and the whole half minute; CI some of them.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from cabtrace.store.reader import RunView
from exporters.otlp import outbox
from exporters.otlp.batches import batches
from exporters.otlp.export import Options, Report, export_run
from exporters.otlp.outgoing import Shape, outgoing
from exporters.otlp.retry import Patience
from exporters.otlp.settings import resolve
from exporters.readback.fidelity import compare
from exporters.source import span_source
from tests.backends import configs
from tests.backends.programs import Backend, Server, kept, server
from tests.support.export_runs import many_spans, run_of, with_trace

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("backends"), pytest.mark.slow]
SOAK = bool(os.environ.get("CABTRACE_SOAK"))
MOMENTS = 20 if SOAK else 3
AWAY_S = 30.0 if SOAK else 3.0
SPANS, PER_REQUEST = 3_000, 40
PATIENCE = Patience(total_s=60, first_s=0.05, most_s=0.5)
CHANGED_ON_DISK = {"attributes", "resource", "link attributes"}  # its storage on disk has no lists, and links have no attributes
PROTOCOLS = ("grpc", "http/protobuf", "http/json")


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Backend]]:
    folder = tmp_path_factory.mktemp("jaeger-on-disk")
    running, urls = server(
        "jaeger", configs.jaeger(configs.ON_DISK), "--config", folder, configs.JAEGER_PORTS, ready="/api/v3/services"
    )
    yield running, Backend(urls["grpc"], urls["http"], urls["query"])
    running.kill()


@pytest.fixture(autouse=True)
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporters.otlp.export.batches", partial(batches, most_spans=PER_REQUEST))


def run_with(tmp_path: Path, number: int) -> RunView:
    return run_of(tmp_path, with_trace(list(many_spans(SPANS)), number))


def assert_all_there(backend: Backend, run: RunView) -> None:
    """Every span under its own id; some may be there twice."""
    source = span_source(run)
    spans = kept("jaeger", backend, next(iter(source.trace_ids)), SPANS)
    result = compare(outgoing(run, source.records(), Shape()), spans)
    assert result.lost_spans == []
    assert {f.name for f in result.fields if f.sent != f.kept} == CHANGED_ON_DISK


def assert_counted(report: Report, expected: tuple[int, int, int]) -> None:
    assert (report.delivered, report.rejected, report.waiting) == expected, report.reason


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_jaeger_killed_and_restarted_mid_export(jaeger: tuple[Server, Backend], tmp_path: Path, moment: int) -> None:
    process, backend = jaeger
    chance = random.Random(moment)
    protocol = PROTOCOLS[moment % 3]
    run = run_with(tmp_path, 0xF000 + moment)
    after, delay_s, away_s = chance.randrange(SPANS - PER_REQUEST), chance.uniform(0, 0.02), chance.uniform(0, 0.5)
    reached = threading.Event()

    def die() -> None:
        reached.wait(60)
        time.sleep(delay_s)
        process.kill()
        time.sleep(away_s)
        process.start()

    killer = threading.Thread(target=die)
    killer.start()
    options = Options(resolve({}, protocol=protocol, endpoint=backend.endpoint(protocol)), patience=PATIENCE, store=tmp_path)
    report = export_run(run, options, progress=lambda done, _: reached.set() if done >= after else None)
    reached.set()
    killer.join()

    assert_counted(report, (SPANS, 0, 0))
    assert_all_there(backend, run)
    assert outbox.pending(tmp_path) == []


CHILD = """
import sys
from functools import partial
from pathlib import Path
import exporters.otlp.export as export
from cabtrace.store.reader import RunView
from exporters.otlp.batches import batches
from exporters.otlp.retry import Patience
from exporters.otlp.settings import resolve
export.batches = partial(batches, most_spans=int(sys.argv[5]))
target = resolve({}, protocol=sys.argv[2], endpoint=sys.argv[3])
options = export.Options(target, patience=Patience(total_s=120, first_s=0.05, most_s=0.5), store=Path(sys.argv[4]))
report = export.export_run(RunView(Path(sys.argv[1])), options, progress=lambda done, _: print(done, flush=True))
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(report.delivered, report.rejected, report.waiting, int(peak.split()[1]))
"""


def child(run: RunView, protocol: str, backend: Backend, store: Path) -> subprocess.Popen[str]:
    """An exporter of its own process, which prints how far it is."""
    argv = [sys.executable, "-c", CHILD, str(run.path), protocol, backend.endpoint(protocol), str(store), str(PER_REQUEST)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_jaeger_away_for_half_a_minute(jaeger: tuple[Server, Backend], tmp_path: Path) -> None:
    """It goes mid-export and comes back: everything arrives, in at most 50 MB more than an export that nothing disturbs."""
    process, backend = jaeger
    calm, disturbed = (run_with(tmp_path / name, 0xE000 + n) for n, name in enumerate(("calm", "disturbed")))
    undisturbed = child(calm, "grpc", backend, tmp_path)
    *_, last = undisturbed.communicate(timeout=120)[0].splitlines()

    exporter = child(disturbed, "grpc", backend, tmp_path)
    assert exporter.stdout is not None
    for line in exporter.stdout:
        if int(line) >= SPANS // 2:
            break
    process.kill()
    time.sleep(AWAY_S)
    assert exporter.poll() is None
    process.start()
    *_, after = exporter.communicate(timeout=180)[0].splitlines()

    assert after.split()[:3] == last.split()[:3] == [str(SPANS), "0", "0"]
    assert int(after.split()[3]) - int(last.split()[3]) <= 50 * 1024
    assert_all_there(backend, disturbed)


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_the_exporter_killed_and_resumed(jaeger: tuple[Server, Backend], tmp_path: Path, moment: int) -> None:
    _, backend = jaeger
    chance = random.Random(100 + moment)
    protocol = PROTOCOLS[moment % 3]
    run = run_with(tmp_path, 0xD000 + moment)
    after, delay_s = chance.randrange(SPANS - PER_REQUEST), chance.uniform(0, 0.01)

    exporter = child(run, protocol, backend, tmp_path)
    assert exporter.stdout is not None
    for line in exporter.stdout:
        if int(line.split()[0]) >= after:
            break
    time.sleep(delay_s)
    exporter.send_signal(signal.SIGKILL)
    exporter.communicate()
    resumed = subprocess.run(
        [sys.executable, "-m", "cabtrace", "export", "--resume", "--store", str(tmp_path)],
        capture_output=True,
        check=False,
    )

    assert resumed.returncode == 0, resumed.stderr
    assert b"3,000 delivered, 0 rejected, 0 waiting" in resumed.stdout or b"empty" in resumed.stdout  # it may have been done
    assert_all_there(backend, run)
    assert outbox.pending(tmp_path) == []


def test_the_command_says_what_waits_while_jaeger_is_away(jaeger: tuple[Server, Backend], tmp_path: Path) -> None:
    """Patience ends before it is back: the outbox keeps the export, and a later process brings it to its end."""
    process, backend = jaeger
    run = run_with(tmp_path, 0xC000)
    process.kill()
    target = resolve({}, protocol="grpc", endpoint=backend.grpc)
    report = export_run(run, Options(target, patience=Patience(0.2, 0.05, 0.1), store=tmp_path))
    process.start()

    assert_counted(report, (0, 0, SPANS))
    assert "UNAVAILABLE" in report.reason
    (job,) = outbox.pending(tmp_path)
    assert_counted(export_run(run, Options(target, patience=PATIENCE, store=tmp_path), resumed=job), (SPANS, 0, 0))
    assert_all_there(backend, run)
