"""What the tests with local processes share."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from cabtrace.protocols import Command, SandboxFacts
from cabtrace.runner.pty import Ending, pump
from cabtrace.runner.sandbox.local import LocalSandbox

RUN = f"{os.getpid():032x}"
NAP = f"987.{os.getpid()}"  # seconds, told apart from those of a test run beside this one

# Ways in which a command can leave a process behind.
HIDERS = {
    "in the background": f"sleep {NAP} &",
    "in a session of its own": f"(setsid sleep {NAP} >/dev/null 2>&1 &);",
    "with a clean environment": f"(env -i setsid sleep {NAP} >/dev/null 2>&1 &);",
    "forked twice": f"(env -i setsid sh -c '(setsid sleep {NAP} &) ; exit' &);",
    "deaf": f"(setsid sh -c \"trap '' TERM HUP INT; sleep {NAP}\" &);",
}


def sleepers() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[:2] == ["sleep", NAP]:
                found.append(process)
    return found


def reading(process: Any) -> bytes:
    """What there is to read now."""
    with contextlib.suppress(BlockingIOError):
        data: bytes = process.read()
        return data
    return b""


def run(sandbox: LocalSandbox, facts: SandboxFacts, script: str, *, timeout_s: float = 60, **fields: Any) -> tuple[Ending, str]:
    """Runs a shell script to its end: how it ended and what it printed. `fields` are of Command."""
    return run_command(
        sandbox, Command(**{"argv": ("sh", "-c", script), "env": {}, "cwd": facts.paths.workdir, **fields}), timeout_s
    )


def run_command(sandbox: LocalSandbox, command: Command, timeout_s: float = 60) -> tuple[Ending, str]:
    output = bytearray()
    process = sandbox.start(command)
    ending = pump(
        process,
        on_output=lambda _when, data: output.extend(data),
        now_ns=time.monotonic_ns,
        deadline_ns=time.monotonic_ns() + int(timeout_s * 1e9),
        grace_s=1,
        cancelled=threading.Event(),
    )
    process.close()
    return ending, output.decode("utf-8", "replace")


def wait_until(done: Callable[[], object], timeout_s: float = 30) -> None:
    until = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)
