"""Spans in relations that no sound recorder writes, and in numbers: each is shown, with a warning, and keys stay quick.

With CABTRACE_SOAK=1 a million spans below one, a hundred thousand levels, and a hundred thousand of each of the others.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from replay import build
from replay.panels.choose import panel_lines
from replay.run import ReplayRun
from replay.session import Session
from tests.support.odd_runs import SHAPES, build_odd_run
from tests.support.pilot import Driver, drive
from tests.support.pty_app import REPLAY, PtyApp

SOAK = bool(os.environ.get("CABTRACE_SOAK"))
COUNTS = {shape: (10**6 if shape in ("wide", "quiet") else 10**5) if SOAK else 2_000 for shape in SHAPES}
TOLD = {
    "wide": "{n} spans are right below one and the same.",
    "quiet": "{n} spans are right below one and the same.",
    "deep": "Spans are {n} levels deep in each other",
    "circle": "1 circle of spans that are their own ancestors",
    "orphans": "{n} spans name a parent that was not recorded",
    "twice": "{plain} spans were recorded twice",
    "backwards": "{n} spans end before they start",
}
KEYS = ("right", "left", "down", "n", "N", "right_square_bracket", "up", "5", "minus", "minus", "plus", "enter", "pagedown")
KEYS += ("plus", "plus", "f", "F", "underscore", "n", "asterisk", "left_parenthesis", "right_parenthesis", "S", "right", "G", "S")
KEYS += ("end", "home", "shift+right", "s", "c", "e", "l", "i", "x", "right", "w")
# No key may cost what the run has; a shared machine takes some fifty milliseconds for a frame.
MOST_KEY_S = 2.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("odd")


@pytest.fixture(autouse=True)
def _ci_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    if not SOAK:
        monkeypatch.setattr(build, "WIDE_FROM", 2_000)


def odd_run(store: Path, shape: str) -> Path:
    return next((found.parent for found in (store / shape).glob("**/run.json")), None) or build_odd_run(
        store / shape, shape, COUNTS[shape]
    )


def sentence(shape: str) -> str:
    return TOLD[shape].format(n=f"{COUNTS[shape]:,}", plain=COUNTS[shape])


@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_shown_with_a_warning_and_keys_stay_quick(store: Path, shape: str):
    run = odd_run(store, shape)

    async def script(driver: Driver) -> None:
        assert "warning" in driver.text()
        assert len(driver.session.snapshot.timeline.spans) > COUNTS[shape]
        for key in KEYS:
            began_s = time.thread_time()
            await driver.pilot.press(key)
            await driver.pilot.pause()
            assert time.thread_time() - began_s < MOST_KEY_S, key
        await driver.settle()
        assert sentence(shape) in " ".join(driver.text().split())
        await driver.press("q")
        assert driver.app.return_value == 0

    drive(script, store / shape, run, size=(260, 150))


@pytest.mark.parametrize("shape", SHAPES)
def test_every_span_of_it_can_be_gone_to(store: Path, shape: str):
    session = Session(ReplayRun(odd_run(store, shape)), lambda: 0)
    timeline = session.snapshot.timeline
    session.home()
    last = timeline.row_of(len(timeline.spans) - 1)
    session.select(last)
    session.folded.reveal(last)
    assert last in session.visible
    shown = [line.text for line in panel_lines(session, 100)]
    assert timeline.row(last).span.name in shown[0]
    covered = {timeline.span_of(row) for row in range(len(timeline))}
    assert len(covered) == len(timeline.spans)


@pytest.mark.parametrize("shape", SHAPES if SOAK else ["quiet", "deep"])
def test_a_terminal_shows_it_and_is_left_as_it_was(store: Path, shape: str):
    run = odd_run(store, shape)
    with PtyApp([sys.executable, "-c", REPLAY, str(store / shape), str(run)]) as app:
        app.wait_for(b"cell", 300)
        app.settle(0.5)
        for keys in (b"\x1b[C", b"n", b"]", b"\x1b[F", b"w", b"x"):
            app.send(keys)
        app.send(b"q")
        assert app.wait() == 0
    assert app.output.rfind(b"\x1b[?1049l") > app.output.rfind(b"\x1b[?1049h")
    assert app.output.rfind(b"\x1b[?25h") > app.output.rfind(b"\x1b[?25l")
    assert b"Traceback" not in app.output
