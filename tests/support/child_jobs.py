"""Commands that run beside the app, as it sees them: they report, print and complain what a test says, then wait or end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from replay.child import Child
from replay.job import Job

_PROGRAM = """
import json, sys, time
said = json.loads(sys.argv[1])
with open(sys.argv[sys.argv.index('--report') + 1], 'a') as report:
    report.write(''.join(json.dumps(row) + chr(10) for row in said['report']))
sys.stdout.write(said['out'])
sys.stderr.write(said['err'])
sys.stdout.flush()
time.sleep(said['wait_s'])
sys.exit(said['code'])
"""
PATIENCE_S = 60.0


def phases(run: Path | None, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """What a command reports until the agent runs; `more` comes behind it."""
    return [
        {"at_s": 0.0, "phase": "task_setup"},
        {"at_s": 0.4, "phase": "recording", "detail": "", "run": str(run) if run else None},
        {"at_s": 0.5, "phase": "adapter_run", "detail": "reference"},
        *more,
    ]


@contextmanager
def job(
    of: Path, report: Sequence[dict[str, Any]], *, result: Any = None, complaint: str = "", running: bool = False
) -> Iterator[Job]:
    """One that has reported all of it; it has ended, unless it is to be `running`."""
    out = "" if result is None else orjson.dumps(result).decode()
    code = 0 if result is not None else 2
    said = {"report": list(report), "out": out, "err": complaint, "wait_s": 600 if running else 0, "code": code}
    child = Child([sys.executable, "-c", _PROGRAM, orjson.dumps(said).decode()])
    made = Job(child, of=of)
    try:
        until = time.monotonic() + PATIENCE_S
        while made.poll() or made.running != running or len(made.report.phases) < sum("phase" in row for row in report):
            assert time.monotonic() < until, made.report
            time.sleep(0.01)
        yield made
    finally:
        child.stop()
        assert child.wait(PATIENCE_S) is not None
        child.forget()
