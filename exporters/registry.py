"""Finding file exporters: the built-in ones and those that other packages bring."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from cabtrace.entry_points import Registry
from cabtrace.protocols import Exporter

BUILT_IN: Final[Mapping[str, str]] = {
    "otlp-json": "exporters.files.otlp_json:OtlpJsonExporter",
    "chrome-trace": "exporters.files.chrome_trace:ChromeTraceExporter",
    "asciicast": "exporters.files.asciicast:AsciicastExporter",
    "asciicast-v3": "exporters.files.asciicast:Asciicast3Exporter",
    "markdown": "exporters.files.markdown:MarkdownExporter",
    "junit": "exporters.files.junit:JunitExporter",
    "atif": "exporters.files.atif:AtifExporter",
    "parquet": "exporters.files.parquet:ParquetExporter",
}
HELP: Final[Mapping[str, str]] = {
    "otlp-json": "Strict OTLP JSON lines: opens in Jaeger's upload and in the Collector.",
    "chrome-trace": "Chrome's trace format: opens in ui.perfetto.dev.",
    "asciicast": "The terminal as asciicast v2, with markers at model calls, tool calls and errors.",
    "asciicast-v3": "Likewise as asciicast v3 (asciinema 3).",
    "markdown": "A transcript to paste into an issue.",
    "junit": "JUnit XML for CI.",
    "atif": "ATIF v1.8, the Agent Trajectory Interchange Format.",
    "parquet": "A row a span, for DuckDB and pandas; needs the extra `parquet`.",
}
EXPORTERS: Final[Registry[Exporter]] = Registry("cabtrace.exporters", "export format", BUILT_IN)


def exporter_names(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """All formats: the built-in ones first, then others in alphabetical order. Loads none of them."""
    return EXPORTERS.names(environ)


def find_exporter(name: str, environ: Mapping[str, str] = os.environ) -> Exporter:
    """The exporter of that format. Raises UsageError where there is none, or a plug-in cannot be loaded."""
    return EXPORTERS.find(name, environ)
