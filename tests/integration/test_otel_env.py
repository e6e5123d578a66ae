"""OpenTelemetry's own environment variables: our exporter in anyone's program, resource and live export in our cells."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from cabtrace.model.run import RunHeader
from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import CommandLine, Done, make_task

EXPORTERS = {"OTEL_TRACES_EXPORTER": "cabtrace", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
SECRET = "sk-" + "ant-api03-" + "aB3d" * 24
# Loads exporters as `opentelemetry-instrument` does: by the SDK's own configuration, from the environment.
LOAD = """
from opentelemetry.sdk._configuration import _initialize_components
_initialize_components(auto_instrumentation_version=None)
"""
PROGRAM = f"""
{LOAD}
from opentelemetry import trace
tracer = trace.get_tracer("my.program", "1.2")
with tracer.start_as_current_span("outer", attributes={{"answer": 42, "key": "{SECRET}"}}) as outer:
    outer.add_event("halfway", {{"n": 1}})
    with tracer.start_as_current_span("inner") as inner:
        inner.set_status(trace.Status(trace.StatusCode.ERROR, "failed with {SECRET}"))
"""


def run_program(cabtrace: CommandLine, program: str, **env: str) -> Done:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=cabtrace.environment({**EXPORTERS, **env}),
        cwd=cabtrace.folder,
        capture_output=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def only_run(cabtrace: CommandLine) -> tuple[Path, RunHeader]:
    [summary] = list_runs(cabtrace.store)
    assert summary.header is not None
    return summary.path, summary.header


def no_secret(folder: Path) -> bool:
    return not any(SECRET.encode() in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_programs_spans_become_a_run(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)

    done = run_program(
        cabtrace, PROGRAM, OTEL_SERVICE_NAME="my-program", OTEL_RESOURCE_ATTRIBUTES="team=green,deployment.environment=ci"
    )

    assert (done.code, done.err) == (0, "")
    path, header = only_run(cabtrace)
    assert (header.status, header.agent.name) == ("finished", "my-program")
    assert header.duration_s is not None
    spans = {span.name: span for span in RunView(path).spans()}
    assert set(spans) == {"outer", "inner"}
    assert spans["inner"].parent_id == spans["outer"].span_id
    assert spans["outer"].attributes["answer"] == 42
    assert [event.name for event in spans["outer"].events] == ["halfway"]
    assert spans["inner"].failed
    assert spans["outer"].resource["team"] == "green"
    assert spans["outer"].resource["service.name"] == "my-program"
    assert (spans["outer"].scope, spans["outer"].scope_version) == ("my.program", "1.2")
    assert verify_run(path).problems == ()
    assert no_secret(cabtrace.store)
    for command in ("show", "replay"):
        shown = cabtrace.run(command, "@last", *(["--plain"] if command == "replay" else []))
        assert shown.code == 0, shown.err
        assert "outer" in shown.out


def test_a_program_that_makes_no_span_makes_no_run(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)

    assert run_program(cabtrace, LOAD).code == 0
    assert list_runs(cabtrace.store) == []


def test_a_store_that_cannot_be_written_does_not_break_the_program(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)

    done = run_program(cabtrace, PROGRAM + "print('done all the same')", CABTRACE_STORE="/dev/null/store")

    assert (done.code, done.out) == (0, "done all the same\n")
    assert "Traceback" not in done.err


def test_a_forked_child_does_not_spoil_its_parents_run(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    fork = """
import os
pid = os.fork()
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
with tracer.start_as_current_span("after"):
    pass
"""

    done = run_program(cabtrace, PROGRAM + fork)

    assert done.code == 0, done.err
    path, header = only_run(cabtrace)
    assert header.status == "finished"
    assert {span.name for span in RunView(path).spans()} == {"outer", "inner", "after"}


def test_resource_and_service_name_of_a_cell(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    env = {"OTEL_SERVICE_NAME": "nightly", "OTEL_RESOURCE_ATTRIBUTES": f"team=green,note={SECRET},service.namespace=bench"}

    done = cabtrace.cell(make_task(tmp_path / "task"), "--agent", "nop", env=env)

    assert done.code == 0, done.err
    path, header = only_run(cabtrace)
    resources = [span.resource for span in RunView(path).spans()]
    assert {r["service.name"] for r in resources} == {"nightly"}
    assert {r["team"] for r in resources} == {"green"}
    assert {r["service.namespace"] for r in resources} == {"bench"}
    assert {r["cabtrace.run.id"] for r in resources} == {header.run_id}
    assert no_secret(cabtrace.store)


def test_limits_of_the_environment_do_not_cut_our_record(tmp_path: Path) -> None:
    """OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT drops the oldest attributes first, which are who the cell is."""
    cabtrace = CommandLine(tmp_path)
    env = {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3", "OTEL_TRACES_SAMPLER": "always_off"}

    cabtrace.cell(make_task(tmp_path / "task"), "--agent", "nop", env=env)

    path, header = only_run(cabtrace)
    [root] = [span for span in RunView(path).spans() if span.parent_id is None]
    assert root.attributes["cabtrace.cell.id"] == header.cell_id
    assert header.completeness.dropped_attributes == 0


class Collector:
    """An OTLP/HTTP receiver that keeps what it was sent."""

    def __init__(self, status: int = 200, delay_s: float = 0) -> None:
        bodies: list[tuple[str, bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                time.sleep(delay_s)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.bodies = bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Collector:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for _, body in self.bodies]
        return [s for r in requests for rs in r.resource_spans for ss in rs.scope_spans for s in ss.spans]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as running:
        yield running


def secret_cell(cabtrace: CommandLine, **env: str) -> Done:
    task = make_task(cabtrace.folder / "task", instruction=f"Use {SECRET}.")
    return cabtrace.cell(
        task, "--agent", "command", "--", "echo", "hello", SECRET, env={"OTEL_EXPORTER_OTLP_COMPRESSION": "none", **env}
    )


def test_live_export_beside_the_store(tmp_path: Path, collector: Collector) -> None:
    cabtrace = CommandLine(tmp_path)

    done = secret_cell(cabtrace, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_RESOURCE_ATTRIBUTES=f"note={SECRET}")

    assert done.code == 0, done.err
    path, _ = only_run(cabtrace)
    stored, sent = RunView(path).spans(), collector.spans()
    assert {path for path, _ in collector.bodies} == {"/v1/traces"}
    assert {s.span_id.hex() for s in sent} == {s.span_id for s in stored}
    assert len(sent) == len(stored)
    assert {s.name for s in sent} == {s.name for s in stored}
    assert {s.trace_id.hex() for s in sent} == {stored[0].trace_id}
    leaked = [body for _, body in collector.bodies if SECRET.encode() in body]
    assert leaked == []
    assert any(b"[redacted:anthropic]" in body for _, body in collector.bodies)
    assert no_secret(cabtrace.store)


def test_none_switches_live_export_off(tmp_path: Path, collector: Collector) -> None:
    done = secret_cell(CommandLine(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_TRACES_EXPORTER="none")

    assert done.code == 0
    assert collector.bodies == []


@pytest.mark.parametrize("how", ["nothing listens", "503", "never answers", "no such host"])
def test_a_dead_collector_neither_breaks_nor_holds_up_the_cell(how: str, tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    collector = Collector(503) if how == "503" else Collector(delay_s=120)
    url = {"nothing listens": "http://127.0.0.1:9", "no such host": "http://collector.invalid:4318"}.get(how, collector.url)

    with collector:
        began = time.monotonic()
        process = cabtrace.start(
            "run", "--task", str(make_task(tmp_path / "task")), "--sandbox", "local", "--agent", "nop",
            env={"OTEL_EXPORTER_OTLP_ENDPOINT": url},
        )  # fmt: skip
        out, err = process.communicate(timeout=100)
        took_s = time.monotonic() - began
        # the handler's thread is left sleeping; it ends with the test process

    assert process.returncode == 0, err
    assert b"Traceback" not in err + out
    path, header = only_run(cabtrace)
    assert header.status == "finished"
    assert any("Live export" in warning for warning in header.warnings)
    assert "note: Live export" in out.decode()
    assert verify_run(path).problems == ()
    assert took_s < 30  # seconds of waiting for the collector, whatever it does; the rest is this machine
