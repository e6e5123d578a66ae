"""`cabtrace outbox`, and `cabtrace export --resume`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cabtrace.cli.options import json_option, store_option

if TYPE_CHECKING:
    from exporters.otlp.export import Report
    from exporters.otlp.outbox import Pending


@click.command("outbox")
@store_option
@click.option("--drop", is_flag=True, help="Forget everything that waits; the runs themselves stay.")
@json_option
def command(store: Path, drop: bool, as_json: bool) -> int:
    """List exports that are not finished. `cabtrace export --resume` goes on with them."""
    from dataclasses import asdict

    from cabtrace.cli import out
    from exporters.otlp.outbox import pending

    jobs = pending(store)
    if drop:
        idle = [p for p in jobs if not p.busy]
        for job in idle:
            job.path.unlink(missing_ok=True)
        out.say(f"{len(idle)} exports forgotten, {sum(p.waiting for p in idle):,} spans were not sent.")
        return 0
    if as_json:
        fields = [{"waiting": p.waiting, "rejected": p.rejected, "reason": p.reason, "busy": p.busy} for p in jobs]
        out.print_json([{**asdict(p.job), **f} for p, f in zip(jobs, fields, strict=True)])
        return 0
    if not jobs:
        out.say("The outbox is empty.")
        return 0
    rows = []
    for job in jobs:
        counts = f"{job.waiting:,} of {job.job.spans:,}"
        rows.append([out.cell(job.job.cell_id), out.cell(counts), out.cell(job.job.endpoint), out.cell(_state(job))])
    out.print_table(["CELL", "WAITING", "TARGET", "WHY"], rows, right=(1,))
    return 0


def _state(job: Pending) -> str:
    if job.busy:
        return "being sent now"
    if not (Path(job.job.run) / "run.json").exists():
        return "the run is gone"
    return job.reason or "its export was killed"


def resume_all(store: Path, patience_s: float) -> int:
    """Goes on with every export of the outbox that no other process is at."""
    import os

    from cabtrace.cli import out
    from cabtrace.cli.export_otlp import tell
    from cabtrace.errors import CabtraceError
    from exporters.otlp.outbox import pending

    jobs = pending(store)
    if not jobs:
        out.say("The outbox is empty.")
        return 0
    code = 0
    for job in jobs:
        if job.busy:
            out.say(f"{job.job.cell_id}: another process is sending it.")
            continue
        try:
            report = _resume(job, store, dict(os.environ), patience_s)
        except CabtraceError as error:
            out.say(f"… {job.job.cell_id}: {job.waiting:,} waiting. {error}")
            code = max(code, error.exit_code)
            continue
        code = max(code, tell([report], job.job.preset, "", as_json=False))
    return code


def _resume(pending: Pending, store: Path, environ: dict[str, str], patience_s: float) -> Report:
    from cabtrace.cli.export_otlp import SpanProgress
    from cabtrace.store.reader import RunView
    from exporters.otlp.export import Options, export_run
    from exporters.otlp.outgoing import Shape
    from exporters.otlp.resume import target_of
    from exporters.otlp.retry import Patience

    job = pending.job
    shape = Shape(job.content, job.timeshift_ns, job.value_bytes, job.fold)
    options = Options(target_of(job, environ), shape, Patience(total_s=patience_s), store, job.preset)
    with SpanProgress(job.cell_id) as progress:
        return export_run(RunView(Path(job.run)), options, progress=progress, resumed=pending)
