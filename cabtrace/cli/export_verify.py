"""`cabtrace export verify`."""

from __future__ import annotations

from pathlib import Path

import click

from cabtrace.cli.options import json_option, run_argument, store_option


@click.command("verify")
@run_argument
@store_option
@click.option(
    "--backend",
    type=click.Choice(["jaeger", "tempo", "phoenix", "mlflow"]),
    required=True,
    help="Whose API to read the trace from.",
)
@click.option("--url", metavar="URL", help="Its base URL [default: localhost, at the backend's own port].")
@click.option("--project", default="default", show_default=True, metavar="NAME", help="Phoenix' project.")
@click.option("--content", is_flag=True, help="The run was exported with --content.")
@click.option("--fold", is_flag=True, help="The run was exported with --fold.")
@json_option
def command(run: str, store: Path, backend: str, url: str | None, project: str, content: bool, fold: bool, as_json: bool) -> int:
    """Read RUN's trace back from a backend and hold it against the record. Exit code 1 when anything is missing."""
    from dataclasses import asdict

    from cabtrace.cli import out
    from cabtrace.errors import EXIT_FAILED
    from cabtrace.store.catalog import find_run
    from cabtrace.store.reader import RunView
    from exporters.otlp.outgoing import Shape, outgoing, shaped
    from exporters.readback.fetch import fetch_trace
    from exporters.readback.fidelity import compare
    from exporters.source import span_source

    view = RunView(find_run(store, run))
    shape = Shape(content, fold=fold)
    source = shaped(span_source(view), shape)
    kept = [span for trace_id in source.trace_ids for span in fetch_trace(backend, url, trace_id, project)]
    result = compare(outgoing(view, source.records(), shape), kept)
    if as_json:
        out.print_json(asdict(result))
    else:
        rows = [[out.cell(f.name), out.cell(f"{f.sent:,}"), out.cell(f"{f.kept:,}"), out.cell(f.note)] for f in result.fields]
        out.print_table(["FIELD", "SENT", "KEPT", "LOST OR CHANGED"], rows, right=(1, 2))
        for loss in result.losses:
            out.say(loss)
        out.say(result.summary())
    return EXIT_FAILED if result.lossy else 0
