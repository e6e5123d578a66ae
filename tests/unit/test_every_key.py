"""Every key of every table does what its table says, or this fails: so does a key that has no line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from replay.tui.keys import TAB_KEYS, TABLES, Key
from replay.tui.screens.compare import CompareScreen
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from tests.support.compare_runs import build_pair
from tests.support.key_walk import after, walk
from tests.support.pilot import Driver, drive
from tests.support.sample_run import AGENT, DURATION_NS, MODEL, TASK
from tests.support.state_runs import sparse_run

CELL, PREPARE, CHAT = f"cell {AGENT} {TASK}", f"prepare:{TASK}", f"chat {MODEL}"
MISMATCHED = ("slash", *"mismatched", "enter", "escape")
NOTED = ("n", "m", *"here", "enter")
MANY = 24
Wanted = Callable[[Any, Any], bool]


def more(was: int, now: int) -> bool:
    return now > was


def fewer(was: int, now: int) -> bool:
    return now < was


def has(text: str) -> Wanted:
    return lambda _, now: text in now


def left_at(ms: int) -> Wanted:
    """Of two playheads, the left one; the other is where that one's instant is in its run."""
    return lambda _, now: now[0] == ms


def tenth(number: int) -> int:
    """So many tenths of the run, ms."""
    return DURATION_NS * number // 10 // 1_000_000


REPLAY = {
    "play": after(playing=True),
    "span.previous": after("right", "right", at=0, row=PREPARE),
    "span.next": after("right", at=13, row=f"{AGENT}:{TASK}"),
    "time.back": after("full_stop", "full_stop", at=100),
    "time.forward": after(at=100, row="agent.session"),
    "error.next": after(at=20_901, row="execute_tool shell"),
    "error.previous": after("n", "n", at=20_901, row="execute_tool shell"),
    "marker.previous": after("right_square_bracket", "right_square_bracket", at=151, row=CHAT),
    "marker.next": after("right_square_bracket", at=2_266, row="execute_tool shell"),
    "share.back": after("5", at=19_305),
    "share.forward": after("shift+right", at=9_652),
    "search": after(ask="SEARCH", focus="prompt"),
    "search.next": after(*MISMATCHED, ready={"hit": 0}, hit=1, said=has("hit 2 of")),
    "search.previous": after(*MISMATCHED, ready={"hit": 0}, then=("ctrl+n",), hit=0, said=has("hit 1 of")),
    "go": after(ask="GO", focus="prompt"),
    "bookmark": after(ask="NOTE", focus="prompt"),
    "bookmark.next": after(*NOTED, "home", at=20_901, said="⚑ here"),
    "bookmark.previous": after(*NOTED, "end", at=20_901, said="⚑ here"),
    "home": after("5", at=0, row=CELL),
    "end": after(at=48_263, row=f"cleanup:{AGENT}"),
    "speed.down": after("less_than_sign", speed=0.25),
    "speed.up": after("greater_than_sign", speed=4.0),
    "idle": after(idle=True, said=has("Idle time is passed"), text=has("1×»")),
    "select.up": after("down", "down", row=PREPARE, at=0),
    "select.down": after("down", row=f"{AGENT}:{TASK}", at=0),
    "select.page_up": after("pagedown", row=CELL, at=0),
    "select.page_down": after(row="score:latency", at=0),
    "fold": after(rows=1),
    "path": after(path=True, text=has("critical path")),
    "go.selected": after("pagedown", at=48_050, row="score:latency"),
    "steps": after(rows=fewer, said=has("steps of"), text=has("Steps ")),
    "fold.close": after(rows=1),
    "fold.open": after("left_parenthesis", rows=more),
    "fold.close_all": after(rows=fewer, said=has("All rows are closed")),
    "fold.open_all": after(rows=more, said=has("All rows are open")),
    "time.nearer": after(sight=fewer, text=has("×4 ")),
    "time.farther": after("plus", "plus", sight=more, text=has("×4 ")),
    "time.fit": after("n", sight=fewer),
    "time.whole": after("plus", sight=DURATION_NS),
    "markdown": after(tab="MESSAGES", said=has("laid out")),
    "tab.previous": after("c", tab="SPAN"),
    "tab.next": after(tab="CALLS", text=has("12,225 prompt")),
    "focus": after(focus="terminal"),
    "rerun": after(top="AskScreen", text=has("Run this cell again?")),
    "against": after(top="CompareScreen"),
    "zoom": after(zoom=["-zoom-spans"]),
    "copy": after("w", clip=has("tests_failed"), said=has("Copied the Why panel")),
    "copy.link": after("n", clip=has("--at 20.901s"), said=has("Copied cabtrace replay")),
    "pager": after(said="This terminal cannot be handed to a pager."),
    "editor": after(said="This terminal cannot be handed to an editor."),
    "palette": after(top="CommandPalette"),
    "help": after("space", top="HelpScreen", playing=False),
    "back": after("right", top="RunsScreen"),
    **{f"tab.{tab.name.lower()}": after("r" if tab.name == "SPAN" else "s", tab=tab.name) for tab in TAB_KEYS},
    **{f"share.{n}": after("shift+right", "shift+right", "full_stop", at=tenth(n)) for n in range(10)},
}

PARTED = (23_551, 23_551)
COMPARE = {
    "compare.play": after(playing=True),
    "compare.step.previous": after(row=6, at=(17_516, 17_516)),
    "compare.step.next": after(row=8, at=(28_466, 29_166)),
    "compare.time.back": after(row=6, at=left_at(23_451)),
    "compare.time.forward": after(row=7, at=left_at(23_651)),
    "compare.speed.down": after(speed=0.5),
    "compare.speed.up": after(speed=2.0),
    "compare.difference.next": after(row=8, said=has("Difference 2 of")),
    "compare.difference.previous": after("n", row=7, at=PARTED),
    "compare.parted": after("home", row=7, at=PARTED),
    "compare.home": after(row=0, at=(0, 0)),
    "compare.end": after(at=(48_263, 48_263)),
    "compare.share.back": after("5", at=(19_305, 19_305)),
    "compare.share.forward": after("home", at=(4_826, 4_826)),
    "compare.row.up": after("down", row=7, at=PARTED),
    "compare.row.down": after(row=8),
    "compare.row.page_up": after("end", row=10),
    "compare.row.page_down": after("home", row=10),
    "compare.side": after(side=1),
    "compare.lock": after(locked=False, said=has("Playheads are free")),
    "compare.open": after(top="ReplayScreen"),
    "compare.notes": after(notes=True, focus="notes", text=has("First divergence")),
    "compare.copy": after(clip=has("First divergence"), said=has("Copied")),
    "compare.copy.link": after(clip=has("cabtrace diff --tui"), said=has("Copied cabtrace diff")),
    "compare.palette": after(top="CommandPalette"),
    "compare.help": after(top="HelpScreen"),
    "compare.back": after("end", top="RunsScreen"),
    **{f"compare.share.{n}": after("comma", at=left_at(tenth(n))) for n in range(10)},
}

RUNS = {
    "runs.up": after("down", "down", chosen=1),
    "runs.down": after("down", chosen=2),
    "runs.page_up": after("end", chosen=MANY + 2 - 1 - 20),
    "runs.page_down": after(chosen=20),
    "runs.home": after("end", chosen=0),
    "runs.end": after(chosen=MANY + 2 - 1),
    "runs.open": after(top="ReplayScreen"),
    "runs.filter": after(ask="FILTER", focus="prompt"),
    "runs.sort": after(text=has("newest first")),
    "runs.back": after("f", failed_only=False),
    "runs.failed": after(failed_only=True, entries=MANY + 1, text=has("failed only")),
    "runs.triage": after(grouped=True, entries=more, text=has("by cause")),
    "runs.fold.close": after("t", "home", entries=fewer),
    "runs.fold.open": after("t", "home", "minus", entries=more),
    "runs.compare": after(marks=1, text=has("▸A")),
    "runs.against": after(top="CompareScreen"),
    "runs.rerun": after(top="AskScreen", text=has("Run this cell again?")),
    "runs.palette": after(top="CommandPalette"),
    "runs.help": after(top="HelpScreen"),
}

QUIT = {"quit", "compare.quit", "runs.quit"}
SUSPEND = {"suspend", "compare.suspend", "runs.suspend"}  # see tests/integration/test_replay_suspend.py


def test_every_key_of_every_table_has_a_line_here():
    ids = {key.id for table in TABLES.values() for key in table}
    assert {*REPLAY, *COMPARE, *RUNS, "runs.reload", *QUIT, *SUSPEND} == ids


def in_turn(title: str) -> list[Key]:
    """The keys of a table; what leaves the screen, or makes the list another one, comes last."""
    return sorted(TABLES[title], key=lambda key: key.id in ("back", "compare.back", "runs.reload"))


def test_keys_of_the_replay(tmp_path: Path):
    run, _ = build_pair(tmp_path)

    async def script(driver: Driver) -> dict[str, str]:
        assert isinstance(driver.app.screen, ReplayScreen)
        return await walk(driver, driver.app.screen, in_turn("replay"), REPLAY)

    assert drive(script, tmp_path, run) == {}


def test_keys_of_the_comparison(tmp_path: Path):
    left, right = build_pair(tmp_path)

    async def script(driver: Driver) -> dict[str, str]:
        assert isinstance(driver.app.screen, CompareScreen)
        return await walk(driver, driver.app.screen, in_turn("comparison"), COMPARE)

    assert drive(script, tmp_path, left, against=right) == {}


def test_keys_of_the_list(tmp_path: Path):
    build_pair(tmp_path)
    for _ in range(MANY):
        sparse_run(tmp_path)

    async def script(driver: Driver) -> dict[str, str]:
        assert isinstance(driver.app.screen, RunsScreen)
        return await walk(driver, driver.app.screen, in_turn("list of runs"), effects)

    effects = {**RUNS, "runs.reload": after(lambda: sparse_run(tmp_path), count=MANY + 3)}
    assert drive(script, tmp_path, None) == {}


@pytest.mark.parametrize("title", TABLES)
def test_the_keys_that_quit(tmp_path: Path, title: str):
    left, right = build_pair(tmp_path)
    keys = [name for key in TABLES[title] if key.id in QUIT for name in key.keys.split(",")]
    begun = {"replay": (left, None), "comparison": (left, right), "list of runs": (None, None)}[title]

    def script(name: str) -> Callable[[Driver], Awaitable[int | None]]:
        async def press(driver: Driver) -> int | None:
            await driver.pilot.press(name)
            await driver.pilot.pause()
            return driver.app.return_value

        return press

    for name in (*keys, "ctrl+q"):
        assert drive(script(name), tmp_path, begun[0], against=begun[1]) == 0


# -- keys that are no screen's table: windows, panes, the line to type into

Tried = Callable[[Driver], Any]


async def _opened(driver: Driver, key: str) -> str:
    """Who is on top after a key."""
    await driver.press(key)
    return type(driver.app.screen).__name__
