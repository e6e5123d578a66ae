"""Reading a terminal to its end: deadlines, grace, stragglers, floods. The commands are real."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cabtrace.protocols import Command, SandboxFacts
from cabtrace.runner.pty import Ending, pump
from cabtrace.runner.sandbox.local import LocalSandbox


class Box:
    """A local sandbox with a short way to run a shell script in it."""

    def __init__(self, folder: Path) -> None:
        self.sandbox = LocalSandbox(folder, env_marker=f"test-{folder.name}-{time.monotonic_ns()}")
        self.facts: SandboxFacts = self.sandbox.open()
        self.output = bytearray()
        self.times: list[int] = []
        self.cancelled = threading.Event()

    def keep(self, when_ns: int, data: bytes) -> None:
        self.times.append(when_ns)
        self.output += data

    def run(
        self,
        script: str,
        *,
        timeout_s: float | None = 60,
        grace_s: float = 1,
        on_output: Callable[[int, bytes], None] | None = None,
    ) -> Ending:
        process = self.sandbox.start(Command(("sh", "-c", script), {}, self.facts.paths.workdir))
        try:
            return pump(
                process,
                on_output=on_output or self.keep,
                now_ns=time.monotonic_ns,
                deadline_ns=None if timeout_s is None else time.monotonic_ns() + int(timeout_s * 1e9),
                grace_s=grace_s,
                cancelled=self.cancelled,
            )
        finally:
            process.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "box")
    yield made
    made.sandbox.close()


def test_output_and_exit_code(box: Box) -> None:
    assert box.run("echo one; echo two >&2; exit 3") == Ending(3)
    assert bytes(box.output) == b"one\r\ntwo\r\n"
    assert box.times == sorted(box.times)


def test_an_end_without_output(box: Box) -> None:
    assert box.run("exit 0", timeout_s=None) == Ending(0)
    assert not box.output


@pytest.mark.parametrize(("number", "code"), [("TERM", 143), ("KILL", 137), ("SEGV", 139)])
def test_a_signal_is_128_and_its_number(box: Box, number: str, code: int) -> None:
    assert box.run(f"kill -{number} $$").exit_code == code


def test_the_deadline_asks_first(box: Box) -> None:
    ending = box.run("trap 'echo asked; exit 9' TERM; while :; do sleep 0.05; done", timeout_s=0.5, grace_s=30)

    assert ending == Ending(9, timed_out=True)
    assert b"asked" in box.output


def test_what_ignores_the_asking_is_killed(box: Box) -> None:
    ending = box.run("trap '' TERM; echo deaf; while :; do sleep 0.05; done", timeout_s=0.5, grace_s=0.3)

    assert ending == Ending(137, timed_out=True, killed=True)
    assert b"deaf" in box.output


def test_a_cancelled_command_is_asked_too(box: Box) -> None:
    box.cancelled.set()

    assert box.run("sleep 100", grace_s=30) == Ending(143, cancelled=True)


def test_cancelling_while_it_is_silent(box: Box) -> None:
    threading.Timer(0.3, box.cancelled.set).start()

    assert box.run("sleep 100", timeout_s=None, grace_s=30) == Ending(143, cancelled=True)


def test_asking_reaches_the_whole_group(box: Box) -> None:
    script = "trap : TERM; sh -c 'trap \"echo child asked; exit 0\" TERM; while :; do sleep 0.05; done' & wait; wait; exit 6"

    assert box.run(script, timeout_s=0.5, grace_s=30) == Ending(6, timed_out=True)
    assert b"child asked" in box.output


def test_a_child_that_holds_the_terminal_does_not_hold_the_end(box: Box) -> None:
    began = time.monotonic()

    assert (
        box.run("(setsid sh -c 'while :; do echo noise; sleep 0.01; done' &) ; sleep 0.2; echo main ends; exit 4").exit_code == 4
    )

    assert time.monotonic() - began < 30  # it would never end otherwise
    assert b"main ends" in box.output


def test_a_command_that_closes_its_terminal_still_has_an_exit_code(box: Box) -> None:
    assert box.run("exec </dev/null >/dev/null 2>&1; sleep 0.3; exit 5") == Ending(5)


def test_all_of_a_flood_arrives_in_constant_memory(box: Box) -> None:
    counted = [0]

    def count(_when_ns: int, data: bytes) -> None:
        counted[0] += len(data)
        assert len(data) <= 65_536

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert box.run("head -c 60000000 /dev/zero", on_output=count) == Ending(0)

    assert counted[0] == 60_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # KiB


def test_a_recorder_that_fails_takes_the_command_along(box: Box, tmp_path: Path) -> None:
    def fail(_when_ns: int, _data: bytes) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        box.run(f"echo x; sleep 2; touch {tmp_path}/still-here", on_output=fail)

    time.sleep(0.1)
    assert not (tmp_path / "still-here").exists()


class Unkillable:
    """What no real command can be made to do here: a process that stays after SIGKILL (a hung device, a lost engine)."""

    def __init__(self) -> None:
        import os

        self.read_end, self.write_end = os.pipe()
        self.attributes: dict[str, str] = {}
        self.asked = self.killed = 0

    def fileno(self) -> int:
        return self.read_end

    def read(self) -> bytes:
        raise BlockingIOError

    def poll(self) -> int | None:
        return None

    def terminate(self) -> None:
        self.asked += 1

    def kill(self) -> None:
        self.killed += 1

    def close(self) -> None:
        import os

        os.close(self.read_end)
        os.close(self.write_end)


def test_what_cannot_be_killed_is_given_up_on() -> None:
    now = [0]

    def clock() -> int:
        now[0] += 1_000_000_000
        return now[0]

    process = Unkillable()
    ending = pump(
        process, on_output=lambda _when, _data: None, now_ns=clock, deadline_ns=1, grace_s=1, cancelled=threading.Event()
    )
    process.close()

    assert ending == Ending(None, timed_out=True, killed=True)
    assert (process.asked, process.killed) == (1, 1)
