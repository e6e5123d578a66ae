"""`cabtrace export otlp`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cabtrace.cli.options import complete_run, json_option, store_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporters.otlp.export import Report

_PRESETS = ("jaeger", "tempo", "phoenix", "collector")
_PROTOCOLS = ("grpc", "http/protobuf", "http/json")
_NANOSECONDS = 10**9


@click.command("otlp")
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_run)
@store_option
@click.option("--preset", type=click.Choice(_PRESETS), help="Defaults for a backend, and the link to the trace in it.")
@click.option("--endpoint", metavar="URL", help="The receiver's base URL [env: OTEL_EXPORTER_OTLP_ENDPOINT].")
@click.option("--protocol", type=click.Choice(_PROTOCOLS), help="[env: OTEL_EXPORTER_OTLP_PROTOCOL; default: http/protobuf].")
@click.option("--headers", metavar="K=V,…", help="Better in OTEL_EXPORTER_OTLP_HEADERS: arguments show in process lists.")
@click.option("--content", is_flag=True, help="Send prompts, answers, tool arguments and results, too.")
@click.option("--timeshift", type=click.Choice(["now"]), help="Move all times so that the run ends now.")
@click.option("--split-values", type=click.IntRange(64), metavar="BYTES", help="Split longer attribute values [tempo: 2048].")
@click.option("--fold", is_flag=True, help="Send runs of an agent's quiet spans as one span each, as the replay shows them.")
@click.option("--patience", type=click.FloatRange(0), default=60.0, show_default=True, metavar="S", help="Try a batch so long.")
@click.option("--ui", metavar="URL", help="Base URL of the backend's pages, for the link.")
@json_option
def command(
    runs: tuple[str, ...],
    store: Path,
    preset: str | None,
    endpoint: str | None,
    protocol: str | None,
    headers: str | None,
    content: bool,
    timeshift: str | None,
    split_values: int | None,
    fold: bool,
    patience: float,
    ui: str | None,
    as_json: bool,
) -> int:
    """Send RUNs to an OTLP backend and say what became of every span: delivered, rejected, or waiting in the outbox.

    Honours the OTEL_EXPORTER_OTLP_* variables. Prompts and outputs stay here unless --content is given. Exit code 1 when
    spans were rejected, 3 when some wait; `cabtrace export --resume` sends those.
    """
    import os

    from cabtrace.store.catalog import find_run
    from cabtrace.store.reader import RunView
    from exporters.otlp.export import Options, export_run
    from exporters.otlp.outgoing import Shape
    from exporters.otlp.retry import Patience
    from exporters.otlp.settings import PRESETS, resolve

    target = resolve(os.environ, protocol=protocol, endpoint=endpoint, headers=headers, preset=preset)
    value_bytes = split_values or (PRESETS[preset].value_bytes if preset else None)
    reports = []
    for path in dict.fromkeys(find_run(store, name) for name in runs):
        view = RunView(path)
        shape = Shape(content, shift_to_now(view) if timeshift else 0, value_bytes, fold)
        options = Options(target, shape, Patience(total_s=patience), store, preset or "")
        with SpanProgress(view.header.cell_id) as progress:
            reports.append(export_run(view, options, progress=progress))
    return tell(reports, preset or "", ui or "", as_json=as_json)


def shift_to_now(view: object) -> int:
    """Nanoseconds to add so that the run's last span ends now."""
    import time

    from cabtrace.store.reader import RunView
    from exporters.source import span_source

    assert isinstance(view, RunView)
    latest_ns = span_source(view).latest_ns
    return time.time_ns() - latest_ns if latest_ns else 0


class SpanProgress:
    """A line on a terminal's stderr: spans settled of all."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._said = 0.0
        self._shown = False

    def __enter__(self) -> SpanProgress:
        return self

    def __call__(self, done: int, spans: int) -> None:
        """So many spans are settled."""
        import sys
        import time

        from cabtrace.cli import out

        if not sys.stderr.isatty() or time.monotonic() - self._said < 0.25:
            return
        self._said, self._shown = time.monotonic(), True
        sys.stderr.write(f"\r{out.line(self._label, 80)}: {done:,} of {spans:,} spans\x1b[K")
        sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        import sys

        if self._shown:
            sys.stderr.write("\r\x1b[K")


def tell(reports: Sequence[Report], preset: str, ui: str, *, as_json: bool) -> int:
    """Prints what became of the spans; the exit code of it."""
    from dataclasses import asdict

    from cabtrace.cli import out
    from cabtrace.errors import EXIT_FAILED, EXIT_HARNESS
    from exporters.otlp.links import deep_link

    if as_json:
        out.print_json([{**asdict(r), "link": deep_link(preset, r.trace_id, ui)} for r in reports])
    else:
        for report in reports:
            for line in describe(report, deep_link(preset, report.trace_id, ui)):
                out.say(line)
    if any(r.waiting for r in reports):
        return EXIT_HARNESS
    return EXIT_FAILED if any(r.rejected for r in reports) else 0


def describe(report: Report, link: str) -> list[str]:
    """A report in words."""
    from cabtrace.model.outcome import PROVISIONAL_NOTE

    mark = "…" if report.waiting else "✗" if report.rejected else "✓"
    counts = f"{report.delivered:,} delivered, {report.rejected:,} rejected, {report.waiting:,} waiting"
    lines = [f"{mark} {report.cell_id}: {counts} ({report.spans:,} spans, {report.requests} requests, {report.seconds:.1f} s)"]
    lines += [f"  {PROVISIONAL_NOTE}"] if report.provisional else []
    lines += [f"  {report.folded:,} quiet spans are folded into others"] if report.folded else []
    lines += [
        f"  rejected {count:,}: {words}" if count else f"  the receiver says: {words}" for words, count in report.words.items()
    ]
    lines += [f"  {report.note}"] if report.note else []
    if report.unreadable_lines:
        lines.append(f"  {report.unreadable_lines} lines of the trace are unreadable and were not sent")
    if report.waiting:
        lines.append(f"  {report.reason}")
        if report.outbox and not report.outbox_problem:
            lines.append("  Next: cabtrace export --resume")
        else:
            lines.append(f"  The outbox does not hold it ({report.outbox_problem or 'none was kept'}): export it again.")
    if link and report.delivered:
        lines.append(f"  {link}")
    return lines
