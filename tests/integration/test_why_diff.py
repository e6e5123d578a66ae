"""`diff` on real runs that part at a known model call, and on runs that do not part at all."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

import pytest

from cabtrace.diagnose.diff.compare import compare
from cabtrace.store.reader import RunView
from tests.support.cells import DONE, LOOK, MEND, TEST, Cells, Made, Step, add_task, fault, once_for_all_workers, says

pytestmark = [pytest.mark.xdist_group("why"), pytest.mark.slow]

BASE: tuple[Step, ...] = (LOOK, "cat notes.txt", MEND, TEST, says(DONE))


def _words(step: Step) -> Step:
    turn = {"text": "", "tool_call": [{"name": "*", "arguments": {"command": step}}]} if isinstance(step, str) else dict(step)
    return {**turn, "text": "In other words."}


def _with(place: int, step: Step) -> tuple[Step, ...]:
    return (*BASE[: place - 1], step, *BASE[place:])


# name -> (the model's turns, what notes.txt of the task says)
RUNS: dict[str, tuple[tuple[Step, ...], str]] = {
    "base": (BASE, "a"),
    "base again": (BASE, "a"),
    **{f"command {n}": (_with(n, f"ls -a {'.' * n}/"), "a") for n in (1, 2, 3, 4)},
    **{f"words {n}": (_with(n, _words(BASE[n - 1])), "a") for n in (1, 3, 5)},
    **{f"fault {n}": (_with(n, fault(status=400)), "a") for n in (2, 4, 5)},
    "ends after 2": ((*BASE[:2], says(DONE)), "a"),
    "one more at the end": ((*BASE[:4], "true", says(DONE)), "a"),
    "other notes": (BASE, "b"),
}


def _told(name: str) -> list[tuple[str, str, str, str]]:
    """Each call of a run as (what was new in the question, what the answer does, how it fails, in which words): what the scripts say."""
    steps, notes = RUNS[name]
    told = []
    asked = "prompt"
    for step in steps:
        turn: Mapping[str, object] = {"text": "", "command": step} if isinstance(step, str) else step
        calls = turn.get("tool_call")
        command = step if isinstance(step, str) else calls[0]["arguments"]["command"] if isinstance(calls, list) else ""
        failure = "failed" if "fault" in turn else ""
        told.append((asked, "" if failure else str(command), failure, "" if isinstance(step, str) else str(turn["text"])))
        asked = f"{command}: {notes}" if command == "cat notes.txt" else str(command)
        if failure or not command:
            break
    return told


def expected(left: str, right: str) -> tuple[str, int] | None:
    """(kind, number of the call) at which two runs part; None where they do not."""
    one, other = _told(left), _told(right)
    for number, (a, b) in enumerate(zip(one, other, strict=False), 1):
        for field, kind in ((0, "asked"), (2, "failed"), (1, "answered")):
            if a[field] != b[field]:
                return kind, number
    if len(one) != len(other):
        return "went_on", min(len(one), len(other)) + 1
    return next((("worded", n) for n, (a, b) in enumerate(zip(one, other, strict=True), 1) if a[3] != b[3]), None)


def _make(cells: Cells, steps: tuple[Step, ...], notes: str) -> Path:
    files = {"add.sh": "echo $(($1 - $2))\n", "check.sh": '[ "$(sh add.sh 2 2)" = 4 ]\n', "notes.txt": f"{notes}\n"}
    return cells.scripted(*steps, task=add_task(cells.folder / "task", files=files))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    makers = {name: functools.partial(_make, steps=steps, notes=notes) for name, (steps, notes) in RUNS.items()}
    return once_for_all_workers(shared / "parted", makers)


def test_the_first_divergence_is_where_it_was_put(runs: Made) -> None:
    pairs = [(a, b) for x, y in combinations(RUNS, 2) for a, b in ((x, y), (y, x))]
    wrong = []
    for left, right in pairs:
        found = compare(RunView(runs[left]), RunView(runs[right])).divergence
        call = None if found is None else found.left_call or found.right_call
        got = None if found is None else (found.kind, call.index if call else 0)
        if got != expected(left, right):
            wrong.append(f"{left} against {right}: {got} instead of {expected(left, right)}")

    assert len(pairs) >= 40
    assert len(wrong) <= len(pairs) * 0.05, "\n".join(wrong)


def test_two_runs_of_the_same_do_not_differ(runs: Made) -> None:
    found = compare(RunView(runs["base"]), RunView(runs["base again"]))

    assert found.divergence is None
    assert found.identity == ()
    assert found.tests == ()
    assert found.patch == ""
    assert all(step.left_id and step.right_id for step in found.tools)
    assert not found.spans.only_left
    assert not found.spans.only_right


def test_what_differs_is_listed(runs: Made) -> None:
    found = compare(RunView(runs["base"]), RunView(runs["command 3"]))

    assert {name for name, _, _ in found.tests} == {"1 plus 2", "5 plus -7"}
    assert dict(found.files) == {"add.sh": "left"}
    assert "$1 + $2" in found.patch
    assert next(s.call for s in found.tools if not s.right_id).startswith("shell ")
    assert {a.name: a.signal for a in found.amounts}["model_calls"] == "same"
    assert {a.name: a.signal for a in found.amounts}["score:pass_rate"] == "less"
