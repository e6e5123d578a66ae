"""The Logs and Why panels, and lines that the playhead goes to."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.diagnose.finding import Diagnosis
from cabtrace.model.log import LogRecord
from cabtrace.model.otlp_lines import log_line
from cabtrace.model.span import SpanEvent
from replay.bookmarks import Bookmark
from replay.cause import find_cause
from replay.journal import journal
from replay.run import ReplayRun
from replay.timeline import Timeline
from tests.support.pilot import Driver, drive
from tests.support.sample_run import START_NS, build_sample_run
from tests.support.spans import BASE_NS, span

MS = 1_000_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = build_sample_run(tmp_path)
    logs = [
        LogRecord(time_ns=START_NS + 3_000 * MS, body="the zebra crossed", severity_text="INFO", severity_number=9),
        LogRecord(
            time_ns=START_NS + 5_000 * MS, body={"reason": "flood"}, severity_text="ERROR", severity_number=17, scope="road"
        ),
    ]
    (path / "logs.jsonl").write_bytes(b"".join(map(log_line, logs)))
    return path


def test_the_journal_is_in_order_of_time_whatever_it_is_made_of():
    noted = span("a" * 16, 0, 90, name="work", events=(SpanEvent("exception", BASE_NS + 30 * MS, {"exception.message": "boom"}),))
    logs = [LogRecord(observed_ns=BASE_NS + 20 * MS, event_name="agent.thought", attributes={"n": 1}, severity_number=13)]
    entries = journal(Timeline([noted]), logs, [Bookmark(BASE_NS + 25 * MS, "look")])
    assert [(e.title, e.source, e.text, e.grade) for e in entries] == [
        ("agent.thought", "agent.thought", "n=1", "warn"),
        ("bookmark", "", "look", "mark"),
        ("exception", "work", "boom", "bad"),
    ]


def test_log_records_are_shown_and_gone_to(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("l")
        shown = driver.text()
        assert "the zebra crossed" in shown
        assert "✗ ERROR" in shown
        assert '"flood"' in shown
        await driver.press("tab", "tab", "down", "down", "enter")
        assert driver.session.position_ns // MS == 3_000

    drive(script, tmp_path, run, size=(120, 60))


def test_the_why_panel_names_the_cause_and_goes_to_the_evidence(tmp_path: Path, run: Path):
    replay = ReplayRun(run)
    diagnosis = find_cause(replay, replay.snapshot)
    assert isinstance(diagnosis, Diagnosis)
    first = next(f for f in (diagnosis.cause, *diagnosis.findings) if f.time_ns is not None)

    async def script(driver: Driver) -> None:
        await driver.press("w")
        shown = driver.text()
        assert "Cause" in shown
        assert diagnosis.cause.rule in shown
        await driver.press("tab", "tab", "down", "enter")
        assert driver.session.position_ns == (first.time_ns or 0) - START_NS

    drive(script, tmp_path, run, size=(160, 60))


def test_a_call_is_gone_to_from_its_table(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("c", "tab", "tab", "down", "down", "down", "up", "enter")
        assert driver.session.position_ns // MS == 7_951
        await driver.press("tab", "home", "enter")
        assert len(driver.session.visible) == 1  # in the tree, enter folds as ever

    drive(script, tmp_path, run)


def test_a_line_is_gone_to_by_a_click(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("c")
        await driver.pilot.click("#document", offset=(10, 3))
        await driver.settle()
        assert driver.session.position_ns // MS == 15_751

    drive(script, tmp_path, run)
