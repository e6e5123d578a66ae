"""The recorded terminal in a pane that is smaller than it: what is in sight, and how the rest is reached."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual import events

from cabtrace.store import layout
from cabtrace.store.cast import CastEvent
from replay.places import Offset
from replay.tui.screens.compare import CompareScreen
from replay.tui.widgets.terminal_pane import TerminalPane
from tests.support.compare_runs import build_pair
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run
from tests.support.tape import write_cast

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
COLUMNS, ROWS = 100, 30
LATE_NS = 40_000_000_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One row a second, from `row 00 …` to `row 39 …`, each of which says `edge` at column 90; the last one is not ended."""
    path = build_sample_run(tmp_path)
    rows = [f"row {number:02} ".ljust(90, "-") + f"edge{number:02}" for number in range(40)]
    output = [CastEvent(float(number), "o", f"\r\n{row}" if number else row) for number, row in enumerate(rows)]
    write_cast(path / layout.TERMINAL, output, columns=COLUMNS, rows=ROWS)
    return path


def pane(driver: Driver) -> TerminalPane:
    return driver.app.screen.query_one(TerminalPane)


def seen(driver: Driver) -> list[str]:
    """The rows of the pane as they are drawn."""
    shown = pane(driver)
    return [shown.render_line(y).text for y in range(shown.scrollable_content_region.height)]


def test_it_opens_where_the_last_words_are_and_as_one_would_come_there(tmp_path: Path, run: Path):
    async def opened(driver: Driver) -> list[str]:
        return seen(driver)

    async def gone_to(driver: Driver) -> list[list[str]]:
        found = []
        for keys in (("g", *"40s", "enter"), ("home", "g", *"40s", "enter"), ("end", "g", *"40s", "enter"), ("z", "z")):
            await driver.press(*keys)
            found.append(seen(driver))
        return found

    straight = drive(opened, tmp_path, run, place=Offset(LATE_NS))
    assert "row 39" not in straight[-1]  # its beginning gave way to where the cursor is
    assert "edge39" in straight[-1]
    assert "row 38" in straight[-2]
    assert straight[-1][0] == "‹"
    assert straight[-2][-1] == "›"
    assert drive(gone_to, tmp_path, run) == [straight] * 4


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
def test_the_cursor_is_in_sight_at_any_size(tmp_path: Path, run: Path, size: tuple[int, int]):
    async def script(driver: Driver) -> str:
        return "\n".join(seen(driver))

    assert "edge39" in drive(script, tmp_path, run, place=Offset(LATE_NS), size=size)


def test_keys_pan_all_rows_and_stay_there_until_one_comes_back(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        assert "edge" not in seen(driver)[0]
        await driver.press("tab", *["right_parenthesis"] * 9)
        rows = seen(driver)
        assert rows[0].rstrip().endswith("edge20")
        assert all(row[0] == "‹" for row in rows)
        await driver.press("g", *"35s", "enter")  # another screen, the same columns
        assert seen(driver)[-1].rstrip().endswith("edge34")
        await driver.press("tab", *["ctrl+left"] * 4)
        assert seen(driver)[0].startswith("‹")
        await driver.press("left_parenthesis")
        assert seen(driver)[-2].startswith("row 33")
        await driver.press("left_parenthesis", "ctrl+right")
        assert seen(driver)[-2].startswith("‹-")

    drive(script, tmp_path, run, place=Offset(LATE_NS))


def test_the_wheel_pans_with_shift_and_scrolls_without(tmp_path: Path, run: Path):
    def wheel(kind: type[events.MouseEvent], *, shift: bool) -> events.MouseEvent:
        return kind(None, 5, 5, 0, 0, 0, shift, False, False)

    async def script(driver: Driver) -> None:
        shown = pane(driver)
        top = shown.scroll_offset.y
        for kind, shift, left in (
            (events.MouseScrollDown, True, 8),
            (events.MouseScrollRight, False, 16),
            (events.MouseScrollUp, True, 8),
            (events.MouseScrollLeft, False, 0),
            (events.MouseScrollLeft, False, 0),
        ):
            shown.post_message(wheel(kind, shift=shift))
            await driver.settle()
            assert (shown.scroll_offset.x, shown.scroll_offset.y) == (left, top), (kind, shift)
        shown.post_message(wheel(events.MouseScrollUp, shift=False))
        await driver.settle()
        assert (shown.scroll_offset.x, shown.scroll_offset.y < top) == (0, True)

    drive(script, tmp_path, run, place=Offset(LATE_NS))


def test_a_pane_that_is_wide_enough_marks_and_pans_nothing(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("tab", "ctrl+right")
        rows = seen(driver)
        assert rows[-1].startswith("row 39")
        assert not {"‹", "›"} & set("".join(rows))

    drive(script, tmp_path, run, place=Offset(LATE_NS), size=(200, 50))


def test_both_terminals_of_a_comparison_show_where_the_cursor_is(tmp_path: Path):
    left, right = build_pair(tmp_path)
    output = [CastEvent(0.0, "o", "\r\n".join(f"row {number:02}" for number in range(40)))]
    for path in (left, right):
        write_cast(path / layout.TERMINAL, output, columns=COLUMNS, rows=ROWS)

    async def script(driver: Driver) -> list[bool]:
        assert isinstance(driver.app.screen, CompareScreen)
        panes = driver.app.screen.query(TerminalPane)
        return [any("row 39" in one.render_line(y).text for y in range(one.size.height)) for one in panes]

    assert drive(script, tmp_path, left, against=right) == [True, True]
