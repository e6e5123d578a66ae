"""R runs a cell again beside the app: asked first, told about, shown, and nothing is lost where it fails."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from cabtrace.store.reader import RunView
from replay.child import Child
from replay.job import Job, rerun_argv
from replay.tui.screens.ask import AskScreen, FolderScreen, JobScreen
from replay.tui.screens.compare import CompareScreen
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from tests.support.cells import DONE, LOOK, MEND, TEST, Cells, says
from tests.support.pilot import Driver, drive

pytestmark = pytest.mark.xdist_group("rerun")
PATIENCE_S = 120.0


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cells:
    monkeypatch.setenv("CABTRACE_SCRATCH", str(tmp_path / "scratch-two"))
    return Cells(tmp_path)


@pytest.fixture
def run(cells: Cells) -> Path:
    return cells.scripted(LOOK, TEST, MEND, TEST, says(DONE))


async def until(driver: Driver, text: str) -> str:
    """The screen once it shows `text`; reruns take as long as the machine needs."""
    end = time.monotonic() + PATIENCE_S
    while text not in (shown := driver.text()):
        assert time.monotonic() < end, f"{text!r} was not shown:\n{shown}"
        await asyncio.sleep(0.05)
        await driver.pilot.pause()
    return shown


async def name_the_task(driver: Driver, folder: Path) -> None:
    """The first try says that the task is unknown; then its folder is typed."""
    await driver.press("R")
    assert isinstance(driver.app.screen, AskScreen)
    assert "cabtrace rerun" in driver.text()
    await driver.press("enter")
    assert isinstance(driver.app.screen, JobScreen)
    await until(driver, "The task of this run cannot be found")
    assert "nothing was lost" in driver.text()
    await driver.press("t")
    assert isinstance(driver.app.screen, FolderScreen)
    await driver.press(*"nowhere", "enter")
    assert "There is no task.toml in that folder." in driver.text()
    await driver.press("ctrl+u")
    await driver.press(*(_KEYS.get(letter, letter) for letter in str(folder)), "enter")


_KEYS = {"/": "slash", "-": "minus", "_": "underscore", ".": "full_stop"}


def test_from_the_question_to_the_new_run_and_the_comparison(cells: Cells, run: Path):
    async def script(driver: Driver) -> None:
        await name_the_task(driver, cells.task())
        shown = await until(driver, "no divergence")
        assert "the agent runs" in shown
        assert "no divergence" in shown
        await driver.press("c")
        screen = driver.app.screen
        assert isinstance(screen, CompareScreen)
        assert screen.session.runs[0].path == run
        assert screen.session.runs[1].snapshot.header.rerun_of == RunView(run).header.run_id
        await driver.press("escape")
        assert isinstance(driver.app.screen, ReplayScreen)

    drive(script, cells.store, run)


def test_it_goes_on_in_the_background_while_keys_are_answered_and_says_when_it_has_ended(cells: Cells, run: Path):
    async def script(driver: Driver) -> None:
        await name_the_task(driver, cells.task())
        await driver.press("escape")
        assert isinstance(driver.app.screen, RunsScreen)
        await driver.press("slash", *"unit", "escape")
        await until(driver, "The rerun ended: ✓ PASS")
        await driver.press("R")
        assert isinstance(driver.app.screen, JobScreen)
        await driver.press("enter")
        assert isinstance(driver.app.screen, ReplayScreen)
        assert driver.session.snapshot.header.sweep_id == "rerun"
        await driver.press("escape", "R")
        assert isinstance(driver.app.screen, AskScreen)

    drive(script, cells.store, None)


def test_the_question_can_be_declined(cells: Cells, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("R", "escape")
        assert isinstance(driver.app.screen, ReplayScreen)
        assert list(cells.store.glob("rerun*")) == []

    drive(script, cells.store, run)


def test_quitting_asks_what_is_to_become_of_a_rerun(cells: Cells):
    run = cells.scripted("sleep 60", says(DONE), timeout_s=1.0)

    async def script(driver: Driver) -> Job:
        await name_the_task(driver, cells.task())
        await until(driver, "the agent runs")
        job = driver.app._job
        assert job is not None
        await driver.press("escape", "q")
        assert "still running" in driver.text()
        await driver.press("escape")
        assert isinstance(driver.app.screen, ReplayScreen)
        await driver.press("q", "s")
        return job

    job = drive(script, cells.store, run)
    assert job.child.wait(PATIENCE_S) is not None
    assert not job.child.folder.exists()
    assert job.run is not None
    assert RunView(job.run).header.status == "finished"


def test_a_child_tells_its_phases_its_run_and_its_result(cells: Cells, run: Path):
    child = Child(rerun_argv(run, cells.store, cells.task()))
    try:
        assert child.wait(PATIENCE_S) == 0
        report = child.report()
        assert [name for _, name, _ in report.phases] == [
            "task_setup", "recording", "adapter_run", "scoring", "scoring", "cleanup",
        ]  # fmt: skip
        assert report.run == Path(child.result()["path"])
        assert child.result()["first_divergence"] is None
        assert "✓ PASS" in finished(child)
    finally:
        child.forget()


def finished(child: Child) -> str:
    job = Job(child)
    assert job.poll()
    return job.sentence()
