"""A real cell again on its recorded answers: the same calls, the same patch, the same verdict, and nothing of any other host."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest

from cabtrace.cli.rerun import rerun
from cabtrace.diagnose.diff.compare import compare
from cabtrace.errors import CabtraceError, TaskError, UsageError
from cabtrace.model.outcome import Cause
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.rerun import choose_task
from cabtrace.runner.spec import Cancel
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView
from tests.support.cells import BREAK, DONE, LOOK, MEND, TEST, Cells, Step, add_task, fault, says, script
from tests.support.cli_rig import CommandLine, one_sentence

pytestmark = pytest.mark.xdist_group("rerun")

QUICK = {"retry_after_s": 0.02}
RECORDED: dict[str, tuple[Step, ...]] = {
    "passes": (LOOK, TEST, MEND, TEST, says(DONE)),
    "fails": (LOOK, BREAK, TEST, says(DONE)),
    "per-run values in tool results": (
        "pwd; date; date +%s.%N >/dev/null; echo $$ >/dev/null; mktemp -d",
        "ls -la",
        MEND,
        says(DONE),
    ),
    "429 got over": (LOOK, fault(MEND, status=429, times=1, **QUICK), TEST, says(DONE)),
    "cut answer got over": (LOOK, fault(MEND, cut_after_chunks=1, times=1), says(DONE)),
    "500 to the end": (LOOK, fault(status=500, **QUICK)),
    "garbage to the end": (LOOK, fault(garbage=True)),
    "the same again and again": (LOOK, LOOK, LOOK, LOOK, says("I give up.")),
    "agent killed": (LOOK, "kill -KILL $PPID; sleep 5"),
}


@pytest.fixture
def cells(tmp_path: Path) -> Cells:
    return Cells(tmp_path)


def again(cells: Cells, path: Path, task: Path | None = None, **more: object) -> tuple[RunView, object]:
    result, model = rerun(
        RunView(path), load_task(task or cells.task()), Cancel(), store=cells.store, scratch=cells.folder / "scratch-two", **more
    )
    return RunView(result.path), model


@pytest.mark.parametrize("name", RECORDED)
def test_a_rerun_does_the_same(cells: Cells, name: str) -> None:
    before = RunView(cells.scripted(*RECORDED[name]))
    after, model = again(cells, before.path)

    assert model.unanswered is None
    assert (after.header.verdict, after.header.cause, after.header.exit_code) == (
        before.header.verdict,
        before.header.cause,
        before.header.exit_code,
    )
    assert after.patch() == before.patch()
    found = compare(before, after)
    assert found.divergence is None, found.divergence
    assert all(step.left_id and step.right_id for step in found.tools)
    assert after.header.sweep_id == "rerun"
    assert after.header.rerun_of == before.header.run_id


def test_a_rerun_of_a_rerun_does_the_same(cells: Cells) -> None:
    before = RunView(cells.scripted(*RECORDED["passes"]))
    first, _ = again(cells, before.path)
    second, model = again(cells, first.path)

    assert model.unanswered is None
    assert compare(before, second).divergence is None
    assert second.header.attempt == first.header.attempt + 1


def test_a_changed_prompt_stops_at_the_first_request_and_shows_the_difference(cells: Cells) -> None:
    before = cells.scripted(*RECORDED["passes"])
    changed = add_task(cells.folder / "changed", instruction="`add.sh` prints a wrong product. Put it right.")
    after, model = again(cells, before, changed)

    assert model.served == 0
    assert after.header.cause is Cause.CANCELLED
    assert "no answer for" in after.header.cause_detail
    assert "model call 1" in model.unanswered.sentence
    assert any(row.startswith("-") and "wrong sum" in row for row in model.unanswered.difference.splitlines())
    assert any(row.startswith("+") and "wrong product" in row for row in model.unanswered.difference.splitlines())


def test_another_tool_result_stops_at_the_request_that_tells_of_it(cells: Cells) -> None:
    before = cells.scripted(*RECORDED["passes"])
    other = add_task(cells.folder / "other", files={"add.sh": "echo nothing\n", "check.sh": "exit 1\n"})
    after, model = again(cells, before, other)

    assert model.served == 1
    assert "model call 2" in model.unanswered.sentence
    assert after.header.cause is Cause.CANCELLED


def test_changed_tests_alone_give_another_verdict_on_the_same_answers(cells: Cells) -> None:
    before = RunView(cells.scripted(*RECORDED["passes"]))
    stricter = add_task(cells.folder / "stricter", test_sh="#!/bin/sh\necho 'not ok 1 - strict'\nexit 1\n")
    after, model = again(cells, before.path, stricter)

    assert model.unanswered is None
    assert after.header.cause is Cause.TESTS_FAILED
    assert compare(before, after).divergence.kind == "outcome"


def test_it_goes_on_live_where_the_recording_ends(cells: Cells) -> None:
    before = cells.scripted(LOOK, says("I do not know."))
    other = add_task(cells.folder / "other", files={"add.sh": "echo other\n", "check.sh": "exit 0\n"})
    server = ModelServer([script(LOOK, MEND, says(DONE))], speed=0)
    server.start()
    try:
        after, model = again(cells, before, other, live=server.url)
    finally:
        server.stop()

    assert (model.served, model.live_requests) == (1, 2)
    assert [r.status for r in server.requests if r.model] == [200, 200]
    assert after.header.cause is Cause.PASSED


def test_the_answers_keep_their_pace_when_asked_to(cells: Cells) -> None:
    before = RunView(
        cells.scripted({"text": "one two three", "tool_call": [{"name": "*", "arguments": {"command": MEND}}]}, says(DONE))
    )
    after, _ = again(cells, before.path, speed=1.0)
    recorded, replayed = before.call_body(before.calls()[0].call_id), after.call_body(after.calls()[0].call_id)

    assert replayed.response_text == recorded.response_text
    assert replayed.status == 200


def test_secrets_of_the_environment_do_not_part_the_runs(cells: Cells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIT_API_KEY", "kq7-secret-value-0123456789")
    task = add_task(cells.folder / "secret", instruction="Use kq7-secret-value-0123456789 to put add.sh right.")
    before = cells.scripted(LOOK, MEND, says(DONE), task=task)
    after, model = again(cells, before, task)

    assert model.unanswered is None
    assert b"kq7-secret" not in (before / "calls.jsonl").read_bytes()
    assert after.header.cause is Cause.PASSED


def test_an_agent_without_a_model_runs_again_as_well(cells: Cells) -> None:
    before = RunView(cells.command("sh", "-c", f"{MEND}; echo fine"))
    after, model = again(cells, before.path)

    assert model.served == 0
    assert after.header.cause is Cause.PASSED
    assert compare(before, after).divergence is None


def test_a_run_without_bodies_cannot_be_rerun(cells: Cells) -> None:
    path = cells.scripted(LOOK, says(DONE), bodies=False)

    with pytest.raises(UsageError, match="no bodies"):
        again(cells, path)


def test_a_task_is_found_by_what_is_in_it(cells: Cells) -> None:
    run = RunView(cells.scripted(says(DONE)))
    same, other = load_task(cells.task()), load_task(add_task(cells.folder / "other", instruction="Something else."))

    assert choose_task(run, None, [other, same]) == (same, "")
    assert choose_task(run, other, [])[0] is other
    assert "differ" in choose_task(run, other, [])[1]
    with pytest.raises(TaskError, match="changed since"):
        choose_task(run, None, [other])
    with pytest.raises(CabtraceError, match="no task here"):
        choose_task(run, None, [])


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    cells = Cells(tmp_path)
    rig = CommandLine(tmp_path)
    before = cells.scripted(*RECORDED["fails"])
    name = "unit/reference/m/unit/add"

    lost = rig.run("rerun", name)
    done = rig.run("rerun", name, "--task", str(cells.task()))
    record = json.loads(rig.run("rerun", name, "--task", str(cells.task()), "--json").out)
    why = json.loads(rig.run("why", name, "--json").out)
    diff = json.loads(rig.run("diff", name, "rerun/reference/m/unit/add", "--json").out)
    triage = json.loads(rig.run("triage", "--json").out)
    alone = rig.run("diff", "--against-passing", name)

    assert lost.code == 2
    assert "--task" in one_sentence(lost)
    assert done.code == 1
    assert "no divergence" in done.out
    assert record["unanswered"] is None
    assert record["first_divergence"] is None
    assert record["rerun_of"]["run_id"] == orjson.loads((before / "run.json").read_bytes())["run_id"]
    assert why["cause"]["rule"] == "tests_failed"
    assert why["cause"]["replay"].startswith(f"cabtrace replay {name}/1 --at ")
    assert diff["first_divergence"] is None
    assert [c["size"] for c in triage["clusters"]] == [3]
    assert alone.code == 2
    assert "passed" in one_sentence(alone)
