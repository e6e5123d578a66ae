"""A search as one sees it: the words are marked wherever they stand, and the hit is in sight."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.style import Style

from replay.document import Tone
from replay.run import ReplayRun
from replay.search import Hit, Results, Where
from replay.session import Tab
from replay.tui.screens.compare import CompareScreen
from replay.tui.screens.replay import ReplayScreen
from replay.tui.widgets.details import DocumentView
from replay.tui.widgets.prompt import Prompt
from replay.tui.widgets.span_tree import SpanTree
from replay.tui.widgets.terminal_pane import TerminalPane
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run

SIZES = [(80, 24), (120, 40), (200, 50)]
PANELS = {
    Where.NAME: Tab.SPAN,
    Where.ATTRIBUTE: Tab.SPAN,
    Where.EVENT: Tab.SPAN,
    Where.MESSAGE: Tab.MESSAGES,
    Where.LOG: Tab.LOGS,
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


def marked(driver: Driver, widget: type[SpanTree | TerminalPane | DocumentView], tone: Tone) -> str:
    """What a pane shows in a tone, without blanks: a row may have broken it."""
    pane = driver.app.screen.query_one(widget)
    wanted: Style = pane.tone(tone)
    strips = [pane.render_line(y) for y in range(pane.scrollable_content_region.height)]
    shown = [part for strip in strips for part in strip if part.style is not None]
    return "".join(
        part.text
        for part in shown
        if part.style.color == wanted.color and part.style.underline and bool(part.style.reverse) == bool(wanted.reverse)
    )


def all_marked(driver: Driver, tone: Tone) -> str:
    return "".join(marked(driver, widget, tone) for widget in (SpanTree, TerminalPane, DocumentView))


@pytest.mark.parametrize("size", SIZES, ids=["80x24", "120x40", "200x50"])
@pytest.mark.parametrize("query", ["mismatched", "cargo test", "error"])
def test_each_hit_is_marked_in_sight_in_the_pane_that_has_it(tmp_path: Path, run: Path, query: str, size: tuple[int, int]):
    async def script(driver: Driver) -> set[Where]:
        await driver.press("slash", *("space" if c == " " else c for c in query), "enter")
        results, seen = driver.session.results, set()
        assert results is not None
        for number, hit in enumerate(results.hits[:30]):
            seen.add(hit.where)
            assert f"hit {number + 1} of {len(results.hits)}" in driver.session.notice
            if (panel := PANELS.get(hit.where)) is not None:
                assert driver.session.tab is panel
            pane = TerminalPane if hit.where is Where.SCREEN else DocumentView
            assert query in marked(driver, pane, Tone.HERE).lower(), (number, hit)
            await driver.press("enter")
        return seen

    assert len(drive(script, tmp_path, run, size=size)) >= 2


def test_the_row_of_a_hit_is_marked_in_the_tree_and_others_in_another_way(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("slash", *"chat", "enter")
        row = driver.session.selected_row
        assert row is not None
        assert row.span.name.startswith("chat")
        assert marked(driver, SpanTree, Tone.HERE) == "chat"
        assert marked(driver, SpanTree, Tone.FOUND).count("chat") >= 3

    drive(script, tmp_path, run)


def test_words_stay_marked_when_the_playhead_moves_on_until_the_search_is_ended(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("slash", *"chat", "enter", "escape", "right", "right")
        assert not all_marked(driver, Tone.HERE)
        assert "chat" in all_marked(driver, Tone.FOUND)
        await driver.press("slash", "enter")
        assert driver.session.results is None
        assert not all_marked(driver, Tone.FOUND)
        await driver.press("ctrl+n")
        assert "/ does that" in driver.text()

    drive(script, tmp_path, run)


def test_it_goes_round_and_says_so(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("slash", *"mismatched", "enter")
        results = driver.session.results
        assert results is not None
        count = len(results.hits)
        await driver.press(*["enter"] * (count - 1))
        assert f"hit {count} of {count} " in driver.text()
        await driver.press("enter")
        assert (driver.session._hit, driver.session.position_ns) == (0, results.hits[0].offset_ns)
        assert f"wrapped to the first of {count} " in driver.text()
        await driver.press("up")
        assert (driver.session._hit, driver.session.position_ns) == (count - 1, results.hits[-1].offset_ns)
        assert f"wrapped to the last of {count} " in driver.text()

    drive(script, tmp_path, run)


def test_the_prompt_is_empty_each_time_and_up_brings_back_the_last_words(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        prompt = driver.app.screen.query_one(Prompt)
        await driver.press("slash", "up")
        assert prompt.text == ""  # there are none yet
        await driver.press(*"error", "enter", "escape", "slash")
        assert prompt.text == ""
        assert "↑ error" in driver.text()
        first = driver.session._hit
        await driver.press("up")
        assert (prompt.text, driver.session._hit) == ("error", first)
        await driver.press("enter", "enter")
        assert driver.session._hit == 2  # they were searched for before: each enter is one hit on
        await driver.press("up")
        assert driver.session._hit == 1
        await driver.press("escape", "slash", *"cargo", "enter", "escape", "slash", "up", "backspace", "enter")
        assert driver.session.results is not None
        assert driver.session.results.query == "carg"

    drive(script, tmp_path, run)


def test_what_was_said_of_a_passing_run_is_gone_after_the_comparison(tmp_path: Path, run: Path):
    build_sample_run(tmp_path, failing=False)

    async def script(driver: Driver) -> str:
        await driver.press("C")
        assert isinstance(driver.app.screen, CompareScreen)
        await driver.press("escape")
        assert isinstance(driver.app.screen, ReplayScreen)
        return driver.text()

    assert "looking for a passing run" not in drive(script, tmp_path, run)


def test_a_hit_in_a_call_is_shown_in_that_call_though_another_one_is_in_flight(tmp_path: Path, run: Path):
    snapshot = ReplayRun(run).snapshot
    calls = snapshot.calls
    assert [calls.of_row(calls.row(place)) for place in range(len(calls))] == list(range(len(calls)))
    assert calls.of_row(0) is None

    async def script(driver: Driver) -> None:
        session = driver.session
        hit = Hit(session.snapshot.call_offset_ns(calls[2]), calls.row(1), Where.MESSAGE, "cargo")
        session.take_results(Results("cargo", (hit,)))
        driver.app.screen.draw()
        assert session.snapshot.call_at(session.position_ns) == 2
        assert "call #2 " in driver.app.screen.query_one(DocumentView).render_line(0).text

    drive(script, tmp_path, run)
