"""A stored run to a null receiver and to files, beside the official BatchSpanProcessor with the official exporters.

The receiver is a process of its own that reads and answers and does nothing else: CPU times are the exporter's only.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks._timing import PYTHON, percentile, row
from cabtrace.store.reader import RunView

if TYPE_CHECKING:
    from cabtrace.model.span import SpanRecord

COUNT = 20_000
FILE_SPANS = 200_001
MANY_SPANS = 1_000_000
ROUNDS = 3

NULL_RECEIVER = r"""
import sys, threading, struct
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from concurrent.futures import ThreadPoolExecutor
import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest as Request
count = 0
def take(body):
    global count
    count += sum(len(s.spans) for r in Request.FromString(body).resource_spans for s in r.scope_spans)
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        take(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200); self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0"); self.end_headers()
    def do_GET(self):
        global count
        body, count = str(count).encode(), 0
        self.send_response(200); self.send_header("content-length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *a): pass
def answer(body, context):
    take(body)
    return b""
handler = grpc.method_handlers_generic_handler("opentelemetry.proto.collector.trace.v1.TraceService",
    {"Export": grpc.unary_unary_rpc_method_handler(answer)})
server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
server.add_generic_rpc_handlers((handler,))
port = server.add_insecure_port("127.0.0.1:0"); server.start()
http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(http.server_address[1], port, flush=True)
http.serve_forever()
"""


def taken(port: int) -> int:
    """Spans that the receiver got since it was asked last."""
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/") as answer:
        return int(answer.read())


def official(protocol: str, url: str) -> Callable[[], object]:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return lambda: GrpcExporter(endpoint=url, insecure=True)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return lambda: HttpExporter(endpoint=f"{url}/v1/traces")


def readable(records: Iterable[SpanRecord]) -> list[object]:
    """The run's spans as the SDK has them."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

    def context(trace_id: str, span_id: str) -> SpanContext:
        return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))

    shared = Resource({"service.name": "cabtrace"})
    scope = InstrumentationScope("cabtrace", "0.1.0")
    return [
        ReadableSpan(
            name=s.name, context=context(s.trace_id, s.span_id), parent=context(s.trace_id, s.parent_id) if s.parent_id else None,
            resource=shared, attributes=dict(s.attributes),
            events=[Event(e.name, dict(e.attributes), e.time_ns) for e in s.events],
            links=[Link(context(x.trace_id, x.span_id), dict(x.attributes)) for x in s.links], kind=SpanKind(s.kind - 1),
            status=Status(StatusCode(s.status_code), s.status_message or None if s.status_code == 2 else None),
            start_time=s.start_ns, end_time=s.end_ns, instrumentation_scope=scope,
        )
        for s in records
    ]  # fmt: skip


def through_batch_processor(make: Callable[[], object], spans: list[object], queue: int) -> None:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    processor = BatchSpanProcessor(make(), max_queue_size=queue)  # type: ignore[arg-type]  # an exporter
    for span in spans:
        processor.on_end(span)  # type: ignore[arg-type]  # a ReadableSpan
    processor.shutdown()  # type: ignore[no-untyped-call]  # the SDK's has no annotation


def delivery(folder: Path, http: int, grpc: int, count: int) -> None:
    from exporters.otlp.export import Options, export_run
    from exporters.otlp.settings import resolve
    from exporters.source import span_source
    from tests.support.export_runs import many_spans, run_of

    run = run_of(folder, many_spans(count))
    for protocol, url in (("http/protobuf", f"http://127.0.0.1:{http}"), ("grpc", f"http://127.0.0.1:{grpc}")):
        ours, ready, stored, lost = [], [], [], []
        for _ in range(ROUNDS):  # in turn, so that a drifting machine harms both alike
            gc.collect()
            begin = time.process_time()
            report = export_run(run, Options(resolve({}, protocol=protocol, endpoint=url), store=folder))
            ours.append(count / (time.process_time() - begin))
            assert report.delivered == taken(http) == count
            gc.collect()
            start = time.process_time()
            spans = readable(span_source(run).records())
            begin = time.process_time()
            through_batch_processor(official(protocol, url), spans, count + 1)
            assert taken(http) == count
            ready.append(count / (time.process_time() - begin))
            stored.append(count / (time.process_time() - start))
            through_batch_processor(official(protocol, url), spans, 2_048)
            lost.append(count - taken(http))
        ratio = percentile([a / b for a, b in zip(ours, stored, strict=True)], 0.5)
        row(f"cabtrace, stored run, {protocol}", f"{percentile(ours, 0.5):,.0f} spans/CPU s", "0 lost")
        row(f"official, stored run, a queue for all, {protocol}", f"{percentile(stored, 0.5):,.0f} spans/CPU s", "0 lost")
        row("  the same, its spans ready made", f"{percentile(ready, 0.5):,.0f} spans/CPU s")
        row("  the same, with the queue that it has by default", f"{percentile(lost, 0.5):,.0f} lost", f"of {count:,}")
        row(f"ratio, stored run, {protocol}", f"{ratio:.1f} x", "goal >= 3 x")


def real_jaeger(folder: Path, count: int) -> None:
    """The same to a real Jaeger, read back from it; its own CPU time is not counted."""
    from exporters.otlp.export import Options, export_run
    from exporters.otlp.settings import resolve
    from exporters.source import span_source
    from tests.backends import configs
    from tests.backends.programs import Backend, kept, server, where
    from tests.support.export_runs import many_spans, run_of, with_trace

    if where("jaeger") is None:
        row("a real Jaeger", "not built", "`.ci/backends.sh` builds it")
        return
    running, urls = server(
        "jaeger", configs.jaeger(configs.IN_MEMORY), "--config", folder, configs.JAEGER_PORTS, ready="/api/v3/services"
    )
    backend = Backend(urls["grpc"], urls["http"], urls["query"])
    number = 0x1000

    def stored() -> RunView:
        nonlocal number
        number += 1
        return run_of(folder / "runs", with_trace(list(many_spans(count)), number))

    def lost(of: int) -> int:
        return of - len({s.span_id for s in kept("jaeger", backend, f"{number:032x}", of)})

    try:
        for protocol in ("http/protobuf", "grpc"):
            ours, theirs = [], []
            for _ in range(ROUNDS):
                run = stored()
                gc.collect()
                begin = time.process_time()
                report = export_run(
                    run, Options(resolve({}, protocol=protocol, endpoint=backend.endpoint(protocol)), store=folder)
                )
                ours.append(count / (time.process_time() - begin))
                assert (report.delivered, lost(count)) == (count, 0)
                run = stored()
                gc.collect()
                begin = time.process_time()
                through_batch_processor(
                    official(protocol, backend.endpoint(protocol)), readable(span_source(run).records()), count + 1
                )
                theirs.append(count / (time.process_time() - begin))
                assert lost(count) == 0
            run = stored()
            through_batch_processor(official(protocol, backend.endpoint(protocol)), readable(span_source(run).records()), 2_048)
            missing = lost(count)
            ratio = percentile([a / b for a, b in zip(ours, theirs, strict=True)], 0.5)
            row(f"cabtrace, stored run, real Jaeger, {protocol}", f"{percentile(ours, 0.5):,.0f} spans/CPU s", "0 lost")
            row(f"official, a queue for all, real Jaeger, {protocol}", f"{percentile(theirs, 0.5):,.0f} spans/CPU s", "0 lost")
            row("  the same, with the queue that it has by default", f"{missing:,} lost", f"of {count:,}")
            row(f"ratio, stored run, real Jaeger, {protocol}", f"{ratio:.1f} x", "goal >= 3 x")
    finally:
        running.kill()


def files(folder: Path, count: int) -> None:
    from exporters.registry import find_exporter
    from tests.support.export_runs import many_spans, run_of

    run = run_of(folder, many_spans(count), "files")
    begin = time.perf_counter()
    with (folder / "out.jsonl").open("wb") as out:
        find_exporter("otlp-json").export(run, out)
    row(f"{count:,} spans to an OTLP JSON file", f"{time.perf_counter() - begin:.1f} s", "goal <= 5 s")


MEMORY_CHILD = """
import sys
from pathlib import Path
from cabtrace.store.reader import RunView
from exporters.otlp.export import Options, export_run
from exporters.otlp.settings import resolve
report = export_run(RunView(Path(sys.argv[1])), Options(resolve({}, endpoint=sys.argv[2]), store=Path(sys.argv[3])))
assert report.waiting == report.rejected == 0
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0]  # ru_maxrss would be the parent's
print(int(peak.split()[1]) / 1024)
"""


def memory(folder: Path, http: int, count: int) -> None:
    from tests.support.export_runs import many_spans, run_of

    run = run_of(folder, many_spans(count), "many")
    begin = time.perf_counter()
    argv = [PYTHON, "-c", MEMORY_CHILD, str(run.path), f"http://127.0.0.1:{http}", str(folder)]
    peak = float(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    assert taken(http) == count
    row(f"{count:,} spans, peak memory", f"{peak:.0f} MiB", "goal <= 250 MiB")
    row(f"{count:,} spans, wall", f"{time.perf_counter() - begin:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT, help="spans sent")
    parser.add_argument("--file-spans", type=int, default=FILE_SPANS, help="spans written to a file")
    parser.add_argument("--many", type=int, default=MANY_SPANS, help="spans of the memory test")
    options = parser.parse_args()
    for name in [n for n in os.environ if n.startswith("OTEL_")]:
        del os.environ[name]
    receiver = subprocess.Popen([sys.executable, "-c", NULL_RECEIVER], stdout=subprocess.PIPE, text=True)
    try:
        assert receiver.stdout is not None
        http, grpc = map(int, receiver.stdout.readline().split())
        with tempfile.TemporaryDirectory() as name:
            delivery(Path(name), http, grpc, options.count)
            real_jaeger(Path(name), options.count)
            files(Path(name), options.file_spans)
            memory(Path(name), http, options.many)
    finally:
        receiver.kill()
        receiver.wait()


if __name__ == "__main__":
    main()
