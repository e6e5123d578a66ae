"""Finding file exporters: the built-in ones and those that other packages bring."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Final, cast

from cabtrace.errors import UsageError
from cabtrace.protocols import Exporter

GROUP: Final = "cabtrace.exporters"
PLUGINS_VARIABLE: Final = "CABTRACE_PLUGINS"
# Also there where the package was not installed but is merely importable.
BUILT_IN: Final[Mapping[str, str]] = {
    "otlp-json": "exporters.files.otlp_json:OtlpJsonExporter",
    "chrome-trace": "exporters.files.chrome_trace:ChromeTraceExporter",
    "asciicast": "exporters.files.asciicast:AsciicastExporter",
    "asciicast-v3": "exporters.files.asciicast:Asciicast3Exporter",
    "markdown": "exporters.files.markdown:MarkdownExporter",
    "junit": "exporters.files.junit:JunitExporter",
    "atif": "exporters.files.atif:AtifExporter",
}
HELP: Final[Mapping[str, str]] = {
    "otlp-json": "Strict OTLP JSON lines: opens in Jaeger's upload and in the Collector.",
    "chrome-trace": "Chrome's trace format: opens in ui.perfetto.dev.",
    "asciicast": "The terminal as asciicast v2, with markers at model calls, tool calls and errors.",
    "asciicast-v3": "Likewise as asciicast v3 (asciinema 3).",
    "markdown": "A transcript to paste into an issue.",
    "junit": "JUnit XML for CI.",
    "atif": "ATIF v1.8, the Agent Trajectory Interchange Format.",
}


def exporter_names(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """All formats: the built-in ones first, then others in alphabetical order. Loads none of them."""
    return (*BUILT_IN, *sorted(set(_entry_points(environ)) - set(BUILT_IN)))


def find_exporter(name: str, environ: Mapping[str, str] = os.environ) -> Exporter:
    """The exporter of that format. Raises UsageError where there is none, or a plug-in cannot be loaded.

    `CABTRACE_PLUGINS` (names, separated by commas; may be empty) restricts which exporters of other packages are loaded.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        return cast("Exporter", getattr(import_module(module), attribute)())
    found = _entry_points(environ).get(name)
    if found is None:
        known = exporter_names(environ)
        near = difflib.get_close_matches(name, known, n=1)
        meant = f"Did you mean {near[0]}? " if near else ""
        raise UsageError(f"There is no export format {name!r}.", hint=f"{meant}Known are: {', '.join(known)}.")
    try:
        return cast("Exporter", found.load()())
    except Exception as error:  # a plug-in may raise anything
        raise UsageError(
            f"The exporter {name!r} of {_origin(found)} cannot be loaded: {type(error).__name__}: {error}.",
            hint=f"Repair or remove that package, or leave it out with {PLUGINS_VARIABLE}.",
        ) from error


def _entry_points(environ: Mapping[str, str]) -> dict[str, EntryPoint]:
    allowed = environ.get(PLUGINS_VARIABLE)
    names = None if allowed is None else {part.strip() for part in allowed.split(",")}
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        if names is None or entry.name in names or _origin(entry) == "cabtrace":
            found.setdefault(entry.name, entry)
    return found


def _origin(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value
