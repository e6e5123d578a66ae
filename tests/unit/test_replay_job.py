"""A cell that runs beside the app: what can be done about it when, and which folder holds a task."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.job import task_folder
from tests.support.child_jobs import job, phases


@pytest.mark.parametrize(
    ("run", "running", "result", "complaint", "answers"),
    [
        (None, True, None, "", ["stop", ""]),
        (Path("new"), True, None, "", ["replay", "stop", ""]),
        (Path("new"), False, {"verdict": "passed"}, "", ["replay", "compare", ""]),
        (None, False, None, "cabtrace: say where it is with --task", ["task", ""]),
        (None, False, None, "cabtrace: there is no such run", [""]),
    ],
    ids=["starting", "running", "ended", "lacks its task", "could not be made"],
)
def test_what_can_be_answered(run: Path | None, running: bool, result: object, complaint: str, answers: list[str]):
    with job(Path("old"), phases(run), running=running, result=result, complaint=complaint) as made:
        assert [name for _, _, name in made.answers()] == answers
        keys = [key for key, _, _ in made.answers()]
        assert len(set(keys)) == len(keys)


def test_a_folder_holds_a_task_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "task.toml").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    assert task_folder(f" {tmp_path}/task ") == task_folder("~/task") == task_folder("task") == tmp_path / "task"
    for text in ("", "tasks", str(tmp_path), "~nobody-of-that-name/task", "a\0b", "x" * 10_000):
        assert task_folder(text) is None
