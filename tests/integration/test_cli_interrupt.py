"""Ctrl-C and SIGTERM: once finishes the records and cleans up, twice is immediate and can be recovered from."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cabtrace.model.outcome import Cause
from cabtrace.model.span import SpanState
from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import CommandLine, entries, make_task

PATIENCE_S = 60.0
STUBBORN = "trap '' TERM INT HUP; echo begun; while :; do sleep 0.05; done"


def wait_for(what: Callable[[], bool], named: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, f"never happened: {named}"
        time.sleep(0.02)


def agent_has_begun(cabtrace: CommandLine) -> bool:
    runs = list_runs(cabtrace.store)
    return bool(runs) and "begun" in RunView(runs[0].path).terminal_text()


def processes_of(cabtrace: CommandLine) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME", "").startswith(str(cabtrace.scratch)):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def start_cell(cabtrace: CommandLine, script: str) -> subprocess.Popen[bytes]:
    task = make_task(cabtrace.folder / "task")
    return cabtrace.start("run", "--task", str(task), "--sandbox", "local", "--agent", "command", "--", "sh", "-c", script)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("script", ["echo begun; sleep 600", STUBBORN], ids=["obedient", "stubborn"])
def test_once_finishes_the_records(number: signal.Signals, script: str, tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    process = start_cell(cabtrace, script)
    wait_for(lambda: agent_has_begun(cabtrace), "the agent's first words")

    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 3
    assert b"cancelled" in out
    assert b"stopping" in err
    assert b"Traceback" not in err + out
    [summary] = list_runs(cabtrace.store)
    assert summary.header is not None
    assert (summary.header.cause, summary.header.status) == (Cause.CANCELLED, "finished")
    assert verify_run(summary.path).problems == ()
    assert all(span.state is SpanState.ENDED for span in RunView(summary.path).spans())
    assert entries(cabtrace.scratch) == []
    assert processes_of(cabtrace) == []


def test_twice_is_immediate_and_recoverable(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    process = start_cell(cabtrace, STUBBORN)
    wait_for(lambda: agent_has_begun(cabtrace), "the agent's first words")

    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    told = b""
    while b"stopping" not in told:
        told += os.read(process.stderr.fileno(), 4096)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 3
    assert b"recover @last" in err
    assert b"gc" in err
    [summary] = list_runs(cabtrace.store)
    assert summary.aborted
    assert "aborted" in cabtrace.run("ls").out
    assert any(span.state is SpanState.ABORTED for span in RunView(summary.path).spans())
    assert cabtrace.run("replay", "--plain", "@last").code == 0

    assert "Recovered" in cabtrace.run("recover", "@last").out
    assert "closed already" in cabtrace.run("recover", "@last").out
    assert RunView(summary.path).header.status == "recovered"
    assert cabtrace.run("verify", "@last").code == 0
    assert cabtrace.run("gc").code == 0
    assert entries(cabtrace.scratch) == []
    wait_for(lambda: processes_of(cabtrace) == [], "the end of the agent")


def test_gc_leaves_a_living_run_alone(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    process = start_cell(cabtrace, "echo begun; sleep 600")
    try:
        wait_for(lambda: agent_has_begun(cabtrace), "the agent's first words")

        assert cabtrace.run("gc").code == 0
        told = cabtrace.run("recover", "@last")

        assert process.poll() is None
        assert entries(cabtrace.scratch) != []
        assert processes_of(cabtrace) != []
        assert (told.code, "being recorded" in told.err) == (3, True)
        assert "running" in cabtrace.run("ls").out
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    assert entries(cabtrace.scratch) == []


def test_gc_dry_run_removes_nothing(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    process = start_cell(cabtrace, "echo begun; sleep 600")
    wait_for(lambda: agent_has_begun(cabtrace), "the agent's first words")
    process.kill()
    process.communicate()
    wait_for(lambda: processes_of(cabtrace) == [], "the end of an agent whose runner was killed")

    said = cabtrace.run("gc", "--dry-run").out

    assert "would remove folder" in said
    assert len(list(cabtrace.scratch.iterdir())) == 1
    assert "removed folder" in cabtrace.run("gc").out
    assert entries(cabtrace.scratch) == []
    assert "Nothing was left behind" in cabtrace.run("gc").out


def test_ctrl_c_typed_on_a_terminal_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    cabtrace = CommandLine(tmp_path)
    task = make_task(tmp_path / "task")
    controller, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    cell = ("run", "--task", str(task), "--sandbox", "local", "--agent", "command", "--", "sh", "-c", "echo begun; sleep 600")
    argv = [sys.executable, "-m", "cabtrace", *cell]
    # A shell that does nothing but wait keeps the terminal as its own, as an interactive one would.
    process = subprocess.Popen(
        [sys.executable, "-c", _SESSION, *argv], env=cabtrace.environment(), cwd=tmp_path, stdin=terminal, stdout=terminal,
        stderr=terminal, start_new_session=True,
    )  # fmt: skip
    seen = bytearray()

    def read() -> None:
        while select.select([controller], [], [], 0)[0]:
            try:
                seen.extend(os.read(controller, 65_536))
            except OSError:
                return

    def begun() -> bool:
        read()
        return agent_has_begun(cabtrace)

    def over() -> bool:
        read()
        return process.poll() is not None

    try:
        wait_for(begun, "the agent's first words")
        os.write(controller, b"\x03")
        wait_for(over, "the end of the run")
        after = termios.tcgetattr(terminal)
        read()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(controller)
        os.close(terminal)

    assert process.returncode == 3, bytes(seen[-2000:])
    assert after == before
    assert b"cancelled" in seen
    assert seen.rfind(b"\x1b[?25h") > seen.rfind(b"\x1b[?25l") >= 0  # the cursor that live progress hid is back
    assert b"Traceback" not in seen
    assert list_runs(cabtrace.store)[0].header.cause == Cause.CANCELLED  # type: ignore[union-attr]  # it was read above
    assert entries(cabtrace.scratch) == []


_SESSION = """
import fcntl, signal, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen(sys.argv[1:], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
sys.exit(child.wait())
"""
