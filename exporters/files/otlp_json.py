"""OTLP JSON lines: what the run holds, strictly, one `{"resourceSpans":[…]}` a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.source import span_source

if TYPE_CHECKING:
    from typing import BinaryIO

    from cabtrace.store.reader import RunView

_BATCH_BYTES = 1024 * 1024


class OtlpJsonExporter:
    """Streams: memory grows with the number of spans by their ids only."""

    name = "otlp-json"
    suffix = ".jsonl"

    def export(self, run: RunView, out: BinaryIO) -> None:
        pending: list[bytes] = []
        size = 0
        for line in span_source(run).lines():
            pending.append(line)
            size += len(line)
            if size >= _BATCH_BYTES:
                out.write(b"".join(pending))
                pending.clear()
                size = 0
        out.write(b"".join(pending))
