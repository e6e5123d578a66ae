"""What a durable span costs, and spans persisted per CPU second beside OpenTelemetry's own JSON file exporter."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.json.file.trace_exporter import FileSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from benchmarks._timing import percentile, row
from cabtrace.model import semconv as sc
from cabtrace.otel.exporter import CabtraceSpanExporter
from tests.support.recording import new_recorder

COUNT = 20_000
ROUNDS = 5


def attributes(number: int) -> dict[str, Any]:
    return {"gen_ai.operation.name": "chat", "gen_ai.request.model": "vendor/model", "number": number, "ratio": 0.5}


def ready_spans(count: int) -> list[ReadableSpan]:
    kept: list[ReadableSpan] = []

    class Keep(SpanExporter):
        def export(self, spans: Any) -> Any:
            kept.extend(spans)

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Keep()))
    tracer = provider.get_tracer("benchmark")
    for number in range(count):
        with tracer.start_as_current_span("chat vendor/model", attributes=attributes(number)):
            pass
    return kept


def export_rate(exporter: SpanExporter, spans: list[ReadableSpan], batch: int) -> float:
    begin = time.process_time()
    for start in range(0, len(spans), batch):
        exporter.export(spans[start : start + batch])
    return len(spans) / (time.process_time() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recorder = new_recorder(Path(folder))
        root = recorder.start("cell", sc.SpanKind.CELL, parent=None)
        times = []
        for number in range(2_000):
            begin = time.perf_counter_ns()
            span = recorder.start("chat vendor/model", sc.SpanKind.MODEL_CALL, parent=root, attributes=attributes(number))
            recorder.end(span)
            times.append((time.perf_counter_ns() - begin) / 1e6)
        row("durable span, start + end (fdatasync), p50", f"{percentile(times, 0.5):.3f} ms", "goal <= 1 ms")
        row("durable span, start + end (fdatasync), p99", f"{percentile(times, 0.99):.3f} ms", "goal <= 15 ms")
        spans = ready_spans(options.count)
        for batch in (1, 512):
            ours, theirs = [], []
            for turn in range(ROUNDS):  # in turn, so that a drifting machine harms both alike
                exporter = CabtraceSpanExporter(Path(folder) / f"store-{batch}-{turn}")
                ours.append(export_rate(exporter, spans, batch))
                exporter.shutdown()
                official = FileSpanExporter(str(Path(folder) / f"official-{batch}-{turn}.jsonl"))
                theirs.append(export_rate(official, spans, batch))
                official.shutdown()
            ratio = percentile([a / b for a, b in zip(ours, theirs, strict=True)], 0.5)
            row(f"cabtrace exporter, batches of {batch}", f"{percentile(ours, 0.5):,.0f} spans/CPU s")
            row(f"official JSON file exporter, batches of {batch}", f"{percentile(theirs, 0.5):,.0f} spans/CPU s")
            row(f"ratio, batches of {batch}", f"{ratio:.1f} x", "goal >= 4 x")


if __name__ == "__main__":
    main()
