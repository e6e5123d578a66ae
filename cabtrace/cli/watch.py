"""`cabtrace run --watch`: the cell runs as a process of its own, and the replay follows it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cabtrace.runner.spec import CellSpec
    from replay.child import Child

_POLL_S = 0.05


def watch_cell(spec: CellSpec, task_dir: Path, plugin_files: tuple[Path, ...]) -> int:
    """Runs a cell that was checked before; the exit code of its command, or 0 where it is left running.

    Raises UsageError where there is no terminal, CabtraceError where the replay cannot be shown; the cell goes on then.
    """
    from cabtrace.errors import UsageError
    from replay.child import Child

    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError("--watch needs a terminal.", hint="Without it the cell runs and says what it does.")
    argv, rest = _argv(spec, task_dir, plugin_files)
    child = Child(argv, rest, env={**os.environ, "CABTRACE_ENDPOINT": spec.endpoint})
    run = _wait_for_run(child)
    if run is not None:
        from replay.start import run_app

        run_app(spec.store, run, child=child)
    return _end(child, run, spec.store)


def _argv(spec: CellSpec, task_dir: Path, plugin_files: tuple[Path, ...]) -> tuple[list[str], list[str]]:
    """The same command without --watch; what goes to the agent stands apart. The endpoint goes by the environment."""
    argv = [sys.executable, "-m", "cabtrace.cli.main", "run", "--task", str(task_dir), "--agent", spec.agent.name]
    argv += ["--model", spec.model, "--sandbox", spec.sandbox, "--image", spec.image, "--store", str(spec.store)]
    argv += ["--sweep", spec.sweep, "--bodies" if spec.bodies else "--no-bodies"]
    argv += [] if spec.timeout_s is None else ["--timeout", repr(spec.timeout_s)]
    for file in plugin_files:
        argv += ["--plugin", str(file)]
    return argv, ["--", *spec.agent_argv] if spec.agent_argv else []


def _wait_for_run(child: Child) -> Path | None:
    """Where it records; None when it ended, or was stopped, before it recorded anything."""
    from cabtrace.cli import out

    shown = ""
    try:
        while child.wait(_POLL_S) is None:
            report = child.report()
            if report.run is not None:
                return report.run
            phase = " ".join(report.phases[-1][1:]) if report.phases else "starting"
            if phase != shown:
                shown = phase
                out.say(f"{phase} …")
    except KeyboardInterrupt:
        child.stop()
        child.wait()
    return child.report().run


def _end(child: Child, run: Path | None, store: Path) -> int:
    from cabtrace.cli import out
    from cabtrace.errors import EXIT_HARNESS
    from cabtrace.store.layout import default_store

    if child.poll() is None and child.stopping:
        out.say("The records are being finished …")
        previous = signal.signal(signal.SIGINT, lambda *_: child.stop())  # once more ends it at once
        try:
            child.wait()
        finally:
            signal.signal(signal.SIGINT, previous)
    code = child.poll()
    if code is None:
        where = [] if store == default_store() else ["--store", str(store)]
        again = shlex.join(["cabtrace", "replay", *where, "--follow", str(run)])
        out.say(f"The cell goes on in the background (process {child.pid}); what it prints is in {child.folder}.")
        out.say(f"Next: {again}")
        return 0
    for row in child.output().splitlines():
        out.say(row)
    if code and (complaint := child.complaint()):
        sys.stderr.write(f"{out.line(complaint, 2_000)}\n")
    child.forget()
    return code if code >= 0 else EXIT_HARNESS
