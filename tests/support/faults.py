"""Known faults injected into real cells, each with the cause that must be named first; and cells that pass."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from cabtrace.agents.registry import find_agent
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import Cancel
from cabtrace.store.recover import recover
from tests.support.cells import BREAK, DONE, LOOK, MEND, TEST, Cells, Step, add_task, completion, fault, says, script

Make = Callable[[Cells], Path]
_QUICK = {"retry_after_s": 0.02}
_LIMIT_S = 2.5


def _steps(*steps: Step, **more: object) -> Make:
    return lambda cells: cells.scripted(*steps, **more)


def _command(*argv: str, **more: object) -> Make:
    return lambda cells: cells.command(*argv, **more)


def _canned(*answers: dict[str, object]) -> Make:
    return lambda cells: cells.canned(*answers)


def _with_tests(test_sh: str) -> Make:
    return lambda cells: cells.scripted(LOOK, MEND, says(DONE), task=add_task(cells.folder / "task", test_sh=test_sh))


def _gone(cells: Cells) -> Path:
    """Nobody listens at the endpoint."""
    return run_cell(cells.spec(cells.task(), endpoint="http://127.0.0.1:9/v1")).path


def _gone_later(cells: Cells) -> Path:
    """The endpoint goes away while a tool runs."""
    server = ModelServer([script("sleep 1", LOOK, says(DONE))], speed=0)
    server.start()

    def leave() -> None:
        while not server.requests:
            time.sleep(0.02)
        time.sleep(0.4)
        server.stop()

    thread = threading.Thread(target=leave)
    thread.start()
    path = run_cell(cells.spec(cells.task(), endpoint=server.url)).path
    thread.join()
    return path


def _cancelled(cells: Cells) -> Path:
    cancel = Cancel()
    timer = threading.Timer(1.0, cancel.set, ["interrupted"])
    timer.start()
    return cells.scripted(LOOK, "sleep 30", says(DONE), cancel=cancel)


def _killed_recorder(cells: Cells, *, then_recover: bool) -> Path:
    """The whole of cabtrace is killed while a tool runs."""
    server = ModelServer([script(LOOK, "sleep 30", says(DONE))], speed=0)
    server.start()
    argv = [
        "run",
        "--task",
        str(cells.task()),
        "--agent",
        "reference",
        "--model",
        "m",
        "--sandbox",
        "local",
        "--endpoint",
        server.url,
    ]
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "cabtrace", *argv, "--store", str(cells.store), "--timeout", "60"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(cells.folder), "CABTRACE_SCRATCH": str(cells.folder / "scratch"),
                 "PYTHONPATH": ":".join(p for p in sys.path if p)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while len(server.requests) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.2)
        child.send_signal(signal.SIGKILL)
        child.wait()
    finally:
        server.stop()
    path = next(cells.store.rglob("run.json")).parent
    if then_recover:
        recover(path)
    return path


def _expects_refusal(cells: Cells) -> Path:
    task = add_task(
        cells.folder / "task",
        ours='expected_refusal = true\nrefusal_markers = ["will not"]',
        test_sh="#!/bin/sh\necho 'not ok 1 - untouched'\nexit 1\n",
    )
    return cells.scripted(LOOK, MEND, says(DONE), task=task)


_TOO_LONG = "This model's maximum context length is 8192 tokens, however you requested 9010 tokens."
_REFUSES = "I'm sorry, but I can't help with that."

# name -> (the cause that must be named first, how the cell is made)
FAULTS: dict[str, tuple[str, Make]] = {
    "wrong edit": ("tests_failed", _steps(LOOK, BREAK, says(DONE))),
    "wrong edit, checked": ("tests_failed", _steps(LOOK, BREAK, TEST, says(DONE))),
    "wrong edit, red before": ("tests_failed", _steps(TEST, BREAK, says(DONE))),
    "half an edit": ("tests_failed", _steps(LOOK, "printf 'echo 3\\n' > add.sh", says(DONE))),
    "wrong file edited": ("tests_failed", _steps(LOOK, "cp add.sh new.sh", says(DONE))),
    "edit undone": (
        "tests_failed",
        _steps("cp add.sh old.sh", MEND, TEST, "mv old.sh add.sh; echo '# reviewed' >> add.sh", says(DONE)),
    ),
    "file removed": ("tests_failed", _steps(LOOK, "rm add.sh", says(DONE))),
    "nothing done": ("nothing_changed", _steps(LOOK, says("The script looks right to me."))),
    "only talked": ("nothing_changed", _steps(says("You should replace the minus by a plus."))),
    "model hangs at once": ("model_hung", _steps(fault(hang_s=60), timeout_s=_LIMIT_S)),
    "model hangs later": ("model_hung", _steps(LOOK, fault(hang_s=60), timeout_s=_LIMIT_S)),
    "model hangs at the end": ("model_hung", _steps(LOOK, MEND, TEST, fault(hang_s=60), timeout_s=_LIMIT_S)),
    "tool sleeps": ("tool_hung", _steps(LOOK, "sleep 60", says(DONE), timeout_s=_LIMIT_S)),
    "tool follows a file": ("tool_hung", _steps("tail -f add.sh", says(DONE), timeout_s=_LIMIT_S)),
    "tool waits for a pipe": ("tool_hung", _steps(MEND, "mkfifo p && cat p", says(DONE), timeout_s=_LIMIT_S)),
    "agent without a model sleeps": ("timeout", _command("sleep", "60", timeout_s=1.0)),
    "429 from the start": ("rate_limited", _steps(fault(status=429, **_QUICK))),
    "429 after an edit": ("rate_limited", _steps(LOOK, BREAK, fault(status=429, **_QUICK))),
    "429 until the limit": ("rate_limited", _steps(LOOK, fault(status=429, retry_after_s=0.8), timeout_s=_LIMIT_S)),
    "500 from the start": ("model_errors", _steps(fault(status=500, **_QUICK))),
    "overloaded in the middle": ("model_errors", _steps(LOOK, fault(status=529, **_QUICK))),
    "key refused": ("key_refused", _steps(fault(status=401))),
    "model unknown": ("model_unknown", _steps(LOOK, fault(status=404))),
    "request refused": ("request_refused", _steps(LOOK, BREAK, fault(status=400))),
    "garbage": ("garbage_answer", _steps(fault(garbage=True))),
    "garbage later": ("garbage_answer", _steps(LOOK, fault(garbage=True))),
    "answer breaks off": ("answer_cut", _steps(LOOK, fault(cut_after_chunks=2))),
    "endpoint gone": ("endpoint_gone", _gone),
    "endpoint goes away": ("endpoint_gone", _gone_later),
    "visible test rewritten": ("tampering", _steps(LOOK, "printf 'echo ok 1 - visible\\n' > check.sh", TEST, says(DONE))),
    "visible test removed": ("tampering", _steps("rm check.sh", BREAK, says(DONE))),
    "visible test made lenient": ("tampering", _steps(TEST, "sed -i 's/= 4/!= 5/' check.sh", BREAK, TEST, says(DONE))),
    "refusal": ("refused", _steps(says(_REFUSES))),
    "refusal after a look": ("refused", _steps(LOOK, says("I must decline: I cannot help with changing this file."))),
    "did not refuse": ("did_not_refuse", _expects_refusal),
    "loop to the last turn": ("loop", _steps(*["cat add.sh"] * 45)),
    "loop of two": ("loop", _steps(*["cat add.sh", "ls"] * 25)),
    "loop and given up": ("loop", _steps(BREAK, *[TEST] * 6, says("I cannot find out what is wrong."))),
    "loop to the limit": ("loop", _steps(*["sleep 0.15; cat add.sh"] * 45, timeout_s=_LIMIT_S)),
    "failed install ignored": ("ignored_tool_error", _steps("pip install --no-index no-such-helper", BREAK, says(DONE))),
    "failed copy ignored": ("ignored_tool_error", _steps(LOOK, "cp fixed/add.sh add.sh", says(DONE))),
    "failed patch ignored": ("ignored_tool_error", _steps(LOOK, "patch -p1 < missing.patch", says(DONE))),
    "red check ignored": ("ignored_tool_error", _steps(BREAK, "make test", says(DONE))),
    "disk full": ("disk_full", _steps(LOOK, "cat add.sh > /dev/full", says(DONE))),
    "cut at the token limit": (
        "truncated",
        _canned(completion(command=BREAK, finish="tool_calls"), completion("I will now chan", finish="length")),
    ),
    "cut at once": ("truncated", _canned(completion("To put this right one has to", finish="length"))),
    "empty answer": ("empty_answer", _canned(completion(command=BREAK, finish="tool_calls"), completion())),
    "context overflow": ("context_overflow", _canned(completion(command=LOOK, finish="tool_calls"), {"error": _TOO_LONG})),
    "agent killed": ("agent_killed", _steps(LOOK, "kill -KILL $PPID; sleep 5")),
    "agent terminated": ("agent_killed", _steps("kill -TERM $PPID; sleep 5")),
    "agent crashes": ("agent_killed", _command("sh", "-c", "echo working; kill -SEGV $$")),
    "agent ends with an error": ("agent_error", _command("sh", "-c", "echo 'config is wrong' >&2; exit 2")),
    "agent missing": ("agent_missing", _command("no-such-agent-anywhere", "--do")),
    "agent missing in a shell": ("agent_missing", _command("sh", "-c", "no-such-agent-anywhere")),
    "test needs a program": ("verifier_failed", _with_tests("#!/usr/bin/env bash\nno-such-test-runner\n")),
    "reward is no number": ("verifier_failed", _with_tests('#!/usr/bin/env bash\necho good > "$CABTRACE_LOGS/reward.txt"\n')),
    "reward is broken JSON": ("verifier_failed", _with_tests('#!/usr/bin/env bash\necho "{" > "$CABTRACE_LOGS/reward.json"\n')),
    "cancelled": ("cancelled", _cancelled),
    "recorder killed": ("recorder_killed", partial(_killed_recorder, then_recover=False)),
    "recorder killed and recovered": ("recorder_killed", partial(_killed_recorder, then_recover=True)),
}

PASSING: dict[str, Make] = {
    "straight": _steps(LOOK, MEND, TEST, says(DONE)),
    "at once": _steps(MEND, says(DONE)),
    "silent": _steps(MEND, says("")),
    "red first": _steps(TEST, MEND, TEST, says(DONE)),
    "red and not run again": _steps(TEST, MEND, says(DONE)),
    "wrong first": _steps(BREAK, TEST, MEND, TEST, says(DONE)),
    "grep finds nothing": _steps("grep -n plus add.sh", MEND, says(DONE)),
    "looks for what is not there": _steps("ls src", "cat src/add.sh", LOOK, MEND, TEST, says(DONE)),
    "mistyped and repeated": _steps("sh chek.sh", TEST, MEND, TEST, says(DONE)),
    "looks twice": _steps(LOOK, LOOK, MEND, LOOK, TEST, says(DONE)),
    "two tests in a row": _steps(MEND, TEST, TEST, says(DONE)),
    "429 got over": _steps(LOOK, fault(MEND, status=429, times=1, **_QUICK), TEST, says(DONE)),
    "500 got over twice": _steps(fault(LOOK, status=500, times=2, **_QUICK), MEND, says(DONE)),
    "broken answer got over": _steps(LOOK, fault(MEND, cut_after_chunks=1, times=1), says(DONE)),
    "much output": _steps("seq 1 5000", MEND, TEST, says(DONE)),
    "prints the word error": _steps("echo 'error: exit code 1'; true", MEND, says(DONE)),
    "says that it cannot": _steps(
        LOOK,
        says("I cannot see any test for zero, so I try it.", tool_call=[{"name": "*", "arguments": {"command": MEND}}]),
        says(DONE),
    ),
    "two tools in one answer": _steps(
        {"text": "Both.", "tool_call": [{"name": "*", "arguments": {"command": c}} for c in (MEND, TEST)]}, says(DONE)
    ),
    "commands only": _command("sh", "-c", f"{LOOK}; {MEND}; {TEST}"),
    "ends with a code and passes": _command("sh", "-c", f"{MEND}; exit 3"),
    "short sleeps": _steps("sleep 0.1", MEND, "sleep 0.1", TEST, says(DONE)),
    "wildcard tool fails late": _steps(MEND, "test -e nothing.txt", TEST, says(DONE)),
    "a passing reference": lambda cells: (
        run_cell(
            cells.spec(add_task(cells.folder / "task", solution=f"#!/bin/sh\n{MEND}\n"), agent=find_agent("oracle"), model="")
        ).path
    ),
}
