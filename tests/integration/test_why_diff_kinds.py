"""`diff` on pairs of real runs that differ in one thing of one kind, down to what is no difference at all."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from cabtrace.diagnose.diff.compare import Comparison, compare
from cabtrace.store.reader import RunView
from tests.support.cells import (
    ADD,
    CHECK,
    DONE,
    LOOK,
    MEND,
    TEST,
    TESTS,
    Cells,
    Made,
    Step,
    add_task,
    completion,
    once_for_all_workers,
    says,
)

pytestmark = [pytest.mark.xdist_group("why"), pytest.mark.slow]

Make = Callable[[Cells], Path]
STRICTER = TESTS.replace("try 3 5 -7 -2", "try 3 5 -7 -2\ntry 4 1 1 3")


def _run(cells: Cells, *, steps: tuple[Step, ...], test_sh: str, files: Mapping[str, str]) -> Path:
    task = add_task(cells.folder / "task", test_sh=test_sh, files={"add.sh": ADD, "check.sh": CHECK, **files})
    return cells.scripted(*steps, task=task)


def run(*steps: Step, test_sh: str = TESTS, **files: str) -> Make:
    return functools.partial(_run, steps=steps, test_sh=test_sh, files=files)


def canned(*answers: Mapping[str, Any]) -> Make:
    return lambda cells: cells.canned(*answers)


def tool(command: str, text: str = "", **more: object) -> dict[str, object]:
    return {"text": text, "tool_call": [{"name": "*", "arguments": {"command": command, **more}}]}


def both(*commands: str) -> dict[str, object]:
    return {"text": "Both.", "tool_call": [{"name": "*", "arguments": {"command": command}} for command in commands]}


WAITS = "sleep $(cat wait)"
STAMPS = "head -c 8 /dev/urandom | od -An -tx1 > stamp"
BASE = (LOOK, "ls", MEND, TEST, says(DONE))
# what is injected -> (one run, the other, (kind, number of the call; 0: none) or None where they do not part)
PAIRS: dict[str, tuple[Make, Make, tuple[str, int] | None]] = {
    "an argument": (run(*BASE), run(LOOK, "ls -l", MEND, TEST, says(DONE)), ("answered", 2)),
    "one letter of an argument": (run(*BASE), run("cat  add.sh ", *BASE[1:]), ("answered", 1)),
    "another argument beside it": (run(tool(LOOK), *BASE[1:]), run(tool(LOOK, timeout_s=5), *BASE[1:]), ("answered", 1)),
    "an extra call": (run(*BASE), run(LOOK, "ls", "pwd", MEND, TEST, says(DONE)), ("answered", 3)),
    "an extra call at the end": (run(*BASE), run(*BASE[:4], "true", says(DONE)), ("answered", 5)),
    "a missing call": (run(*BASE), run(LOOK, MEND, TEST, says(DONE)), ("answered", 2)),
    "the last call is missing": (run(*BASE), run(*BASE[:3], says(DONE)), ("answered", 4)),
    "another order": (run(*BASE), run("ls", LOOK, MEND, TEST, says(DONE)), ("answered", 1)),
    "another order in one answer": (
        run(both(LOOK, "ls"), MEND, says(DONE)),
        run(both("ls", LOOK), MEND, says(DONE)),
        ("answered", 1),
    ),
    "one of two calls in one answer": (
        run(LOOK, both("ls", MEND), says(DONE)),
        run(LOOK, both("ls", MEND, "pwd"), says(DONE)),
        ("answered", 2),
    ),
    "a result": (run(LOOK, "cat notes", MEND, says(DONE), notes="a\n"), run(LOOK, "cat notes", MEND, says(DONE), notes="b\n"), ("asked", 3)),
    "a result that fails": (run("cat notes", MEND, says(DONE), notes="a\n"), run("cat notes", MEND, says(DONE)), ("asked", 2)),
    "a result in its middle": (
        run("cat notes", MEND, says(DONE), notes="x\n" * 500 + "a\n" + "x\n" * 500),
        run("cat notes", MEND, says(DONE), notes="x\n" * 500 + "b\n" + "x\n" * 500),
        ("asked", 2),
    ),
    "the text of the last answer": (run(*BASE), run(*BASE[:4], says("Finished.")), ("worded", 5)),
    "the text beside a call": (run(LOOK, tool(MEND, "So."), says(DONE)), run(LOOK, tool(MEND, "Thus."), says(DONE)), ("worded", 2)),
    "the reason of the end": (
        canned(completion(command=LOOK, finish="tool_calls"), completion("Done.")),
        canned(completion(command=LOOK, finish="tool_calls"), completion("Done.", finish="length")),
        ("answered", 2),
    ),
    "an empty answer": (
        canned(completion(command=MEND, finish="tool_calls"), completion("Done.")),
        canned(completion(command=MEND, finish="tool_calls"), completion()),
        ("worded", 2),
    ),
    "what the tests say": (run(*BASE), run(*BASE, test_sh=STRICTER), ("outcome", 0)),
    "the patch only": (run(LOOK, STAMPS, MEND, says(DONE)), run(LOOK, STAMPS, MEND, says(DONE)), ("outcome", 0)),
    "time only": (run(LOOK, WAITS, MEND, says(DONE), wait="0\n"), run(LOOK, WAITS, MEND, says(DONE), wait="0.7\n"), None),
    "the time of the day": (run("date; date +%s%N", MEND, says(DONE)), run("date; date +%s%N", MEND, says(DONE)), None),
    "a temporary name": (run("mktemp -d", MEND, says(DONE)), run("mktemp -d", MEND, says(DONE)), None),
    "nothing": (run(*BASE), run(*BASE), None),
}  # fmt: skip


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    sides = ((name, one, other) for name, (one, other, _) in PAIRS.items())
    makers = {key: make for name, one, other in sides for key, make in ((f"{name}, one", one), (f"{name}, other", other))}
    return once_for_all_workers(shared / "kinds", makers)


def parted(left: Path, right: Path) -> tuple[Comparison, tuple[str, int] | None]:
    found = compare(RunView(left), RunView(right))
    if found.divergence is None:
        return found, None
    call = found.divergence.left_call or found.divergence.right_call
    return found, (found.divergence.kind, call.index if call else 0)


@pytest.mark.parametrize("name", PAIRS)
def test_the_one_thing_that_differs_is_found(runs: Made, name: str) -> None:
    left, right, expected = runs[f"{name}, one"], runs[f"{name}, other"], PAIRS[name][2]

    assert parted(left, right)[1] == expected
    assert parted(right, left)[1] == expected


def test_what_the_tests_say_is_shown(runs: Made) -> None:
    found, _ = parted(runs["what the tests say, one"], runs["what the tests say, other"])

    assert found.tests == (("1 plus 1", None, False),)
    assert found.patch == ""


def test_slower_tools_are_shown_as_that(runs: Made) -> None:
    found, _ = parted(runs["time only, one"], runs["time only, other"])

    longest = next(c for c in found.spans.changes if c.what == "duration_ns" and c.name == "execute_tool shell")
    assert isinstance(longest.left, int)
    assert isinstance(longest.right, int)
    assert longest.right - longest.left > 0.5e9
    assert {a.name: a.signal for a in found.amounts}["tool_calls"] == "same"
