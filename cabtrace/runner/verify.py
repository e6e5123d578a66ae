"""After the agent: what changed on disk, and what the task's tests say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from cabtrace.protocols import Command
from cabtrace.runner.pty import Ending, pump
from cabtrace.runner.terminal import OutputTail
from cabtrace.runner.verifier import read_reward
from cabtrace.store import layout

if TYPE_CHECKING:
    import threading

    from cabtrace.protocols import Sandbox, SandboxPaths
    from cabtrace.redact import Redactor
    from cabtrace.runner.spec import CellSpec
    from cabtrace.runner.workspace import Baseline, Changes
    from cabtrace.store.writer import RunWriter

_LOG_BYTES = 1024 * 1024


def collect_changes(
    spec: CellSpec,
    sandbox: Sandbox,
    paths: SandboxPaths,
    scratch: Path,
    baseline: Baseline,
    writer: RunWriter,
    redactor: Redactor,
) -> Changes:
    """Compares the working directory with what it was; writes workspace.patch and changes.json."""
    after = scratch / "after"
    after.mkdir(mode=0o700)
    sandbox.get(paths.workdir, after)
    changes = baseline.diff(after)
    keep_changes(changes, writer, redactor)
    return changes


def keep_changes(changes: Changes, writer: RunWriter, redactor: Redactor) -> None:
    """Writes workspace.patch and changes.json."""
    if changes.patch:
        writer.write_file(
            layout.PATCH, redactor.text(changes.patch.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        )
    writer.write_file(f"{layout.ARTIFACTS}/{layout.CHANGES}", orjson.dumps(redactor.value(changes.to_record())))


def run_verifier(
    spec: CellSpec,
    sandbox: Sandbox,
    paths: SandboxPaths,
    scratch: Path,
    writer: RunWriter,
    redactor: Redactor,
    now_ns: Callable[[], int],
    cancelled: threading.Event,
) -> Mapping[str, Any]:
    """Runs tests/test.sh in the sandbox; writes verifier.json and verifier.log; hands back the record."""
    sandbox.put(spec.task.tests_dir, paths.tests)
    output = OutputTail(_LOG_BYTES, _LOG_BYTES)
    ending = _run_tests(spec, sandbox, paths, output, now_ns, cancelled)
    logs = scratch / "logs"
    logs.mkdir(mode=0o700)
    sandbox.get(paths.logs, logs)
    text = output.text(redactor.text)
    record = verifier_record(logs, ending, text, redactor)
    writer.write_file(f"{layout.ARTIFACTS}/{layout.VERIFIER}", orjson.dumps(record))
    writer.write_file(f"{layout.ARTIFACTS}/verifier.log", text.encode("utf-8", "replace"))
    return record


def _run_tests(
    spec: CellSpec,
    sandbox: Sandbox,
    paths: SandboxPaths,
    output: OutputTail,
    now_ns: Callable[[], int],
    cancelled: threading.Event,
) -> Ending:
    env = {
        **dict(spec.task.environment.env),
        **dict(spec.task.verifier_env),
        "CABTRACE_WORKDIR": paths.workdir,
        "CABTRACE_TESTS": paths.tests,
        "CABTRACE_LOGS": paths.logs,
    }
    process = sandbox.start(Command(("bash", f"{paths.tests}/test.sh"), env, paths.workdir, spec.columns, spec.rows))
    try:
        return pump(
            process,
            on_output=lambda _, data: output.add(data),
            now_ns=now_ns,
            deadline_ns=now_ns() + int(spec.task.verifier_timeout_s * 1e9),
            grace_s=spec.grace_s,
            cancelled=cancelled,
        )
    finally:
        process.close()


def verifier_record(logs: Path, ending: Ending, text: str, redactor: Redactor) -> dict[str, Any]:
    """verifier.json: exit code, reward, tests by name, the output's tail. `passed` None: the tests said nothing usable."""
    output = text.replace("\r\n", "\n").encode("utf-8", "replace")  # a pty ends lines in CR LF
    verification = read_reward(logs, ending.exit_code, timed_out=ending.timed_out, output=output)
    record = verification.to_record(ending.exit_code, timed_out=ending.timed_out, stdout=output)
    if ending.cancelled:
        record |= {"passed": None, "reward": None, "problem": "The tests were stopped before they were done."}
    return redactor.value(record)
