"""A run that is being recorded: followed, paused, caught up with, and seen to its end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from cabtrace.model.ids import CellId
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.store.cast import CastHeader
from cabtrace.store.writer import RunWriter, allocate_attempt
from replay.run import ReplayRun
from replay.session import Session
from replay.tui.screens.replay import ReplayScreen
from tests.support.pilot import Driver, drive
from tests.support.sample_run import START_NS, _header, at, write_span
from tests.support.spans import span

MS = 1_000_000


class Recording:
    """A run under way: a cell that has begun, and what a test adds to it."""

    def __init__(self, store: Path) -> None:
        cell = CellId("demo", "agent", "model", "task")
        self.path, attempt = allocate_attempt(store, cell)
        self.writer = RunWriter(self.path, _header(cell, attempt))
        self.writer.start_terminal(CastHeader(40, 5), START_NS)
        self._count = 0
        write_span(self.writer, replace(span("f" * 16, kind="cell"), start_ns=START_NS), log="open")

    def add(self, start_ms: int, end_ms: int, kind: str = "model_call", said: str = "") -> None:
        self._count += 1
        record = span(f"{self._count:016x}", parent="f" * 16, kind=kind, name=f"{kind} {self._count}")
        write_span(self.writer, replace(record, start_ns=at(start_ms), end_ns=at(end_ms)))
        if said:
            self.writer.terminal(at(end_ms), "o", said)

    def add_many(self, numbers: range) -> None:
        """Spans of a millisecond, one after the other."""
        for number in numbers:
            record = span(f"{number:016x}", parent="f" * 16, kind="tool_call", name=f"late {number}")
            write_span(self.writer, replace(record, start_ns=at(number), end_ns=at(number + 1)))


@pytest.fixture
def recording(tmp_path: Path):
    run = Recording(tmp_path)
    yield run
    run.writer.close()


def test_a_live_run_is_followed_until_the_user_looks_elsewhere(recording: Recording):
    recording.add(0, 100)
    session = Session(ReplayRun(recording.path), lambda: 0)
    assert session.snapshot.live
    assert session.position_ns == 100 * MS

    recording.add(100, 250)
    assert session.run.refresh()
    session.refresh()
    assert session.position_ns == 250 * MS

    session.step_span(-1)
    place = session.position_ns
    recording.add(300, 400)
    session.run.refresh()
    session.refresh()
    assert (session.position_ns, session.clock.duration_ns) == (place, 400 * MS)
    session.end()
    assert session.clock.following


def test_time_goes_on_while_nothing_is_heard(recording: Recording):
    recording.add(0, 100)
    now_ns = START_NS + 2_000 * MS
    run = ReplayRun(recording.path, wall_ns=lambda: now_ns)
    session = Session(run, lambda: 0)
    assert session.position_ns == 2_000 * MS
    now_ns += 1_500 * MS

    deadline = time.monotonic() + 10
    while not run.refresh() and time.monotonic() < deadline:
        time.sleep(0.01)  # what only time changes is looked at seldom
    session.refresh()

    assert session.position_ns == session.clock.duration_ns == 3_500 * MS
    cell = session.snapshot.timeline.row(0)
    assert (cell.span.end_ns, cell.end_ns) == (None, 3_500 * MS)
    assert session.snapshot.timeline.row(1).end_ns == 100 * MS


def test_what_is_folded_and_selected_stays_so_while_rows_move(recording: Recording):
    for i in range(8):
        recording.add(10 + i, 11 + i, kind="agent")
    recording.add(50, 60)
    session = Session(ReplayRun(recording.path), lambda: 0)
    group = next(session.snapshot.timeline.groups())
    session.select(group)
    session.activate()
    session.step_time(-5 * MS)
    chosen = session.selected_row.span.span_id

    recording.add(1, 2, kind="task_setup")  # recorded late: every row moves down
    session.run.refresh()
    session.refresh()

    assert session.folded == set()
    assert session.selected_row.span.span_id == chosen
    assert len(session.visible) == len(session.snapshot.timeline)


def test_the_screen_shows_what_comes_and_how_it_ends(tmp_path: Path, recording: Recording):
    recording.add(0, 100, said="first words\r\n")

    async def script(driver: Driver) -> None:
        screen = driver.app.screen
        assert isinstance(screen, ReplayScreen)
        assert "● LIVE" in driver.text()
        recording.add(120, 240, said="second words\r\n")
        screen._poll()
        await driver.settle()
        assert "second words" in driver.text()
        assert "00:00.240 / 00:00.240" in driver.text()
        recording.add(300, 360, kind="verifier")
        recording.writer.close(status="finished", verdict=Verdict.PASSED, cause=Cause.PASSED)
        screen._poll()
        await driver.settle()
        assert "✓ PASS" in driver.text()
        assert "● LIVE" not in driver.text()
        await driver.press("home")
        assert "first words" not in driver.text()

    drive(script, tmp_path, recording.path)
