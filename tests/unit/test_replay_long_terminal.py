"""A long terminal recording in the replay: read through once, searched, jumped about in, and opened at once the next time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabtrace.store import cast_index, layout
from replay import screen, tapes
from replay.run import ReplayRun
from replay.screen import TerminalTape
from replay.sources import on_screen
from replay.tapes import index_tape
from replay.tui.widgets.terminal_pane import TerminalPane
from tests.support.casts import write_cast
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
SIZE = 400_000


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CABTRACE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(cast_index, "INDEXED_BYTES", SIZE // 2)
    path = build_sample_run(tmp_path / "store")
    write_cast(path / layout.TERMINAL, SIZE, seed=5, columns=100, rows=30, rate_hz=50)
    return path


def test_it_is_shown_searched_and_kept(run: Path):
    async def look(driver: Driver) -> tuple[str, str]:
        await driver.press("5")
        middle = driver.text()
        await driver.press("slash", *"1200 ms", "enter")
        found = driver.text()
        return middle, found

    middle, found = drive(look, run.parents[4], run, size=(200, 60))
    assert "Terminal 100x30" in middle
    assert "compiling" in middle
    assert "screen: " in found
    assert "(1200 ms)" in found
    assert (run / layout.INDEX).exists()

    tape, _ = ReplayRun(run).tape()
    assert (tape.covered, tape.share) == (len(tape), 1.0)
    assert drive(look, run.parents[4], run, size=(200, 60)) == (middle, found)


def test_while_it_is_read_the_part_that_is_known_is_shown(run: Path, monkeypatch: pytest.MonkeyPatch):
    def a_little(_run: ReplayRun, tape: TerminalTape) -> Iterator[float]:
        tape.index(700)
        yield tape.share

    monkeypatch.setattr(screen, "_NEAR_BYTES", 40_000)
    monkeypatch.setattr(tapes, "index_tape", a_little)

    async def look(driver: Driver) -> tuple[str, str]:
        start = driver.text()
        await driver.press("end")
        return start, driver.text()

    start, end = drive(look, run.parents[4], run, size=(160, 50))
    assert "reading the recording" not in start
    assert re.search("reading the recording … 2[0-9]%", end)


def test_what_was_read_is_not_read_again_for_a_search_or_a_comparison(run: Path):
    opened = ReplayRun(run)
    tape, note = opened.tape()
    for _ in index_tape(opened, tape):
        pass
    assert (note, list(index_tape(opened, tape)), tape.covered) == ("", [], len(tape))
    assert on_screen(opened) is opened.tape()[0] is tape


def test_the_rows_below_a_recording_that_grew_smaller_are_not_drawn(run: Path):
    async def look(driver: Driver) -> TerminalPane:
        await driver.press("end")
        return driver.app.screen.query_one(TerminalPane)

    pane = drive(look, run.parents[4], run, size=(200, 60))
    assert pane.virtual_size.height == 30
