"""`why`, `diff` and `triage` as a user has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cells import BREAK, DONE, LOOK, MEND, Cells, add_task, says
from tests.support.cli_rig import CommandLine, one_sentence
from tests.support.sample_run import build_sample_run

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\x9b31m\nForged: line"


@pytest.fixture
def rig(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path)


def test_what_was_recorded_cannot_write_to_the_terminal(rig: CommandLine) -> None:
    cells = Cells(rig.folder)
    task = add_task(rig.folder / "task", test_sh="#!/bin/sh\nprintf 'not ok 1 - \\033[2Jname\\n\\033]0;x\\007'\nexit 1\n")
    cells.scripted(LOOK, "printf '\\033[2J\\033]0;x\\007'; exit 7", {"text": HOSTILE}, task=task)
    cells.scripted(LOOK, f"printf '{HOSTILE}' > add.sh", says(HOSTILE), task=task)

    for args in (["why", "@last"], ["diff", "unit/reference/m/unit/add/1", "unit/reference/m/unit/add/2"], ["triage"]):
        done = rig.run(*args)
        assert done.code == 0, done.err
        for forbidden in ("\x1b", "\x07", "\u202e", "\x9b", "\nForged"):
            assert forbidden not in done.out, args
        json.loads(rig.run(*args, "--json").out)


def test_a_sample_run_is_explained_with_moments(
    rig: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    path = build_sample_run(rig.store)
    done = rig.call(monkeypatch, capfd, "why", str(path))
    record = json.loads(rig.call(monkeypatch, capfd, "why", "@last", "--json").out)

    assert done.out.count("cabtrace replay demo/reference/") == done.out.count(" --at ")
    assert record["cause"]["severity"] == "error"
    assert all(item["replay"] is None or "--at " in item["replay"] for item in record["evidence"])
    times = [item["at_s"] for item in record["evidence"] if item["at_s"] is not None]
    assert times == sorted(times)
    assert sum(record["critical_path"].values()) == pytest.approx(1)


def test_the_nearest_passing_run_is_found(
    rig: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing, passing = (Cells(rig.folder).scripted(step, says(DONE)) for step in (BREAK, MEND))
    found = json.loads(rig.call(monkeypatch, capfd, "diff", "--against-passing", str(failing), "--json").out)
    groups = json.loads(rig.call(monkeypatch, capfd, "triage", "--json").out)

    assert found["right"]["path"] == str(passing)
    assert (groups["cells"], groups["failing"]) == (2, 1)
    assert groups["clusters"][0]["nearest_passing"]["path"] == str(passing)


def test_the_store_is_named_where_it_is_not_the_default(
    rig: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    other = rig.folder / "other store"
    build_sample_run(other)
    done = rig.call(monkeypatch, capfd, "why", "@last", "--store", str(other))

    assert f"cabtrace replay --store '{other}' demo/reference/" in done.out


@pytest.mark.parametrize(
    "args",
    [
        ["why"],
        ["why", "nothing"],
        ["diff"],
        ["diff", "one"],
        ["diff", "one", "two"],
        ["diff", "one", "--against-passing", "two"],
        ["diff", "--against-passing", "nothing"],
        ["triage", "no-such-sweep"],
        ["rerun", "nothing"],
        ["rerun", "nothing", "--speed", "-1"],
        ["rerun", "nothing", "--continue-live"],
    ],
    ids=" ".join,
)
def test_bad_input_gets_one_clear_sentence(
    rig: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], args: list[str]
) -> None:
    build_sample_run(rig.store)
    done = rig.call(monkeypatch, capfd, *args)

    assert done.code == 2
    assert one_sentence(done)


def test_triage_counts_and_filters(rig: CommandLine, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    for sweep, steps in (
        ("one", (BREAK, says(DONE))),
        ("two", (BREAK, says(DONE))),
        ("two", (MEND, says(DONE))),
        ("two", (says("No."),)),
    ):
        Cells(rig.folder, sweep=sweep).scripted(*steps)

    everything = json.loads(rig.call(monkeypatch, capfd, "triage", "--json").out)
    second = json.loads(rig.call(monkeypatch, capfd, "triage", "two", "--json").out)
    text = rig.call(monkeypatch, capfd, "triage").out

    assert [(c["cause"], c["size"]) for c in everything["clusters"]] == [("tests_failed", 2), ("nothing_changed", 1)]
    assert (second["cells"], second["failing"]) == (3, 2)
    assert "model call 1" in everything["clusters"][0]["nearest_passing"]["otherwise"]
    assert text.startswith("3 of 4 cells failed, in 2 groups.")
