"""A run that grows by bursts while it is followed: every late span is shown, and most of the time is left to the user.

CI writes 5,001 spans, CABTRACE_SOAK=1 20,001.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from replay.loading import Progress
from replay.run import ReplayRun, Snapshot
from replay.tui.screens.replay import ReplayScreen
from tests.support.pilot import Driver, drive
from tests.unit.test_replay_live import Recording

SPANS = 20_001 if os.environ.get("CABTRACE_SOAK") else 5_001
BURST = 250
PATIENCE_S = 120.0
# The rows of a large run are put in order a fifth of the time, as far as threads take turns.
MOST_SHARE = 0.4


@pytest.fixture
def built_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it took, each time that all rows were put in order."""
    taken: list[float] = []
    real = ReplayRun._picture

    def noted(self: ReplayRun, *progress: Progress) -> Snapshot:
        began_s = time.monotonic()
        made = real(self, *progress)
        taken.append(time.monotonic() - began_s)
        return made

    monkeypatch.setattr(ReplayRun, "_picture", noted)
    return taken


def test_every_late_span_is_shown_while_the_run_is_followed(tmp_path: Path, built_s: list[float]):
    recording = Recording(tmp_path)

    async def script(driver: Driver) -> None:
        screen = driver.app.screen
        assert isinstance(screen, ReplayScreen)
        built_s.clear()
        began_s = time.monotonic()
        for written in range(1, SPANS, BURST):
            recording.add_many(range(written, min(written + BURST, SPANS)))
            screen._poll()
            await driver.settle()
            assert f"Spans {len(driver.session.snapshot.timeline.spans):,}" in driver.text()
        until_s = time.monotonic() + PATIENCE_S
        while f"Spans {SPANS:,}" not in driver.text():
            assert time.monotonic() < until_s, driver.text()
            await asyncio.sleep(0.05)
            screen._poll()
            await driver.settle()
        assert sum(built_s) < MOST_SHARE * (time.monotonic() - began_s)
        await driver.press("left")
        assert f"late {SPANS - 1}" in driver.text()
        recording.writer.close()
        screen._poll()
        await driver.settle()
        assert "LIVE" not in driver.text()
        assert f"Spans {SPANS:,}" in driver.text()

    drive(script, tmp_path, recording.path)
