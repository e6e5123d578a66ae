"""Search, go to, bookmarks, copy, pager and palette, by their keys."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import orjson
import pytest

from cabtrace.errors import StoreError
from cabtrace.store.verify import verify_run
from replay.bookmarks import MOST, Bookmark, read_bookmarks, with_bookmark, write_bookmarks
from replay.tui.screens.replay import ReplayScreen
from replay.tui.widgets.prompt import Prompt
from tests.support.pilot import Driver, drive
from tests.support.pty_app import REPLAY, PtyApp
from tests.support.sample_run import START_NS, build_sample_run

MS = 1_000_000


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return build_sample_run(tmp_path)


def test_search_moves_the_playhead_from_hit_to_hit(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("slash", *"mismatched", "enter")
        results = driver.session.results
        assert results is not None
        first = driver.session.position_ns
        assert first == results.hits[0].offset_ns
        assert f"hit 1 of {len(results.hits)} " in driver.text()
        await driver.press("enter")
        second = driver.session.position_ns
        assert f"hit 2 of {len(results.hits)} " in driver.text()
        await driver.press("up")
        assert driver.session.position_ns == first
        await driver.press("down", "shift+enter")
        assert driver.session.position_ns == first
        await driver.press("escape")
        assert driver.app.focused.id == "spans"
        await driver.press("ctrl+n")
        assert driver.session.position_ns == second
        await driver.press("ctrl+p")
        assert driver.session.position_ns == first

    drive(script, tmp_path, run)


def test_letters_in_the_prompt_are_no_keys_and_it_can_be_edited(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> str:
        await driver.press("slash", *"nq 12", "backspace", "ctrl+w", *" z?")
        assert driver.session.position_ns == 0
        typed = driver.app.screen.query_one(Prompt).text
        await driver.press("ctrl+u", "enter")
        assert driver.app.focused.id == "spans"
        return typed

    assert drive(script, tmp_path, run) == "nq z?"


def test_what_is_nowhere_is_said(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("ctrl+n")
        assert "/ does that" in driver.text()
        await driver.press("slash", *"qqqqq", "enter")
        assert "'qqqqq' is nowhere in this run" in driver.text()

    drive(script, tmp_path, run)


@pytest.mark.parametrize(
    ("words", "ms"),
    [("12.3s", 12_300), ("50%", 24_131), ("#3", 15_751), ("error", 20_901), ("verify:", 46_841), ("00:01.5", 1_500)],
)
def test_go_to(tmp_path: Path, run: Path, words: str, ms: int):
    async def script(driver: Driver) -> int:
        await driver.press("g", *words, "enter")
        assert driver.app.focused.id == "spans"
        return driver.session.position_ns // MS

    assert drive(script, tmp_path, run) == ms


def test_go_to_a_place_that_is_not_there_says_so_and_stays_open(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("g", *"99s", "enter")
        assert "lies after its end" in driver.text()
        await driver.press("ctrl+u", *"nowhere", "enter")
        assert "No time, span id or span name" in driver.text()
        await driver.press("escape")
        assert isinstance(driver.app.screen, ReplayScreen)
        assert driver.session.position_ns == 0

    drive(script, tmp_path, run)


def test_bookmarks_are_kept_jumped_to_and_taken_away(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("apostrophe")
        assert "There is no bookmark" in driver.text()
        await driver.press("n", "m", *"it broke here", "enter", "home")
        assert "⚑" in driver.text()
        await driver.press("apostrophe")
        assert driver.session.position_ns // MS == 20_901
        assert "⚑ it broke here" in driver.text()
        await driver.press("end", "quotation_mark")
        assert driver.session.position_ns // MS == 20_901
        await driver.press("apostrophe")
        assert "No later bookmark" in driver.text()

    drive(script, tmp_path, run)
    kept = run / "bookmarks.json"
    assert read_bookmarks(run)[0].note == "it broke here"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert not [p for p in verify_run(run).problems if "bookmarks" in str(p)]

    async def again(driver: Driver) -> None:
        await driver.press("apostrophe", "m", "ctrl+u", "enter")
        assert "The bookmark is gone" in driver.text()

    drive(again, tmp_path, run)
    assert read_bookmarks(run) == ()


def test_bookmarks_are_bounded_and_a_broken_file_is_none(tmp_path: Path):
    assert with_bookmark((), 5, "a") == (Bookmark(5, "a"),)
    assert with_bookmark((Bookmark(5, "a"),), 5, "b") == (Bookmark(5, "b"),)
    full = [Bookmark(i, "") for i in range(MOST)]
    with pytest.raises(StoreError, match="at most"):
        with_bookmark(full, MOST, "one more")
    for text in (b"", b"[]", b'{"bookmarks": 3}', b'{"bookmarks": [{"note": 1}]}', b"\xff"):
        (tmp_path / "bookmarks.json").write_bytes(text)
        assert read_bookmarks(tmp_path) == ()
    write_bookmarks(tmp_path, [Bookmark(9, "b"), Bookmark(5, "a")])
    assert read_bookmarks(tmp_path) == (Bookmark(5, "a"), Bookmark(9, "b"))
    assert orjson.loads((tmp_path / "bookmarks.json").read_bytes())["format"] == "cabtrace.bookmarks"


def test_a_store_that_cannot_be_written_to_is_said(tmp_path: Path):
    with pytest.raises(StoreError, match="could not be kept"):
        write_bookmarks(tmp_path / "missing", [Bookmark(START_NS, "")])


def test_copying_takes_the_panel_and_the_link(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> tuple[str, str]:
        await driver.press("n", "w", "y")
        panel = driver.app.clipboard
        assert "Copied the Why panel" in driver.text()
        await driver.press("Y")
        return panel, driver.app.clipboard

    panel, link = drive(script, tmp_path, run)
    assert "tests_failed" in panel
    assert "\x1b" not in panel
    assert link == f"cabtrace replay {run} --at 20.901s"


def test_the_palette_offers_every_action(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        screen = driver.app.screen
        titles = [command.title for command in driver.app.get_system_commands(screen)]
        assert len(titles) >= len(screen.KEYS)
        await driver.press("colon", *"next error")
        await driver.pilot.pause(0.5)
        await driver.press("enter")
        await driver.settle()
        assert driver.session.position_ns // MS == 20_901

    drive(script, tmp_path, run)


def test_the_pager_gets_the_panel_and_the_app_comes_back(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch):
    copy = tmp_path / "paged.txt"
    monkeypatch.setenv("PAGER", f"sh -c 'cp \"$1\" {copy}' pager")
    with PtyApp([sys.executable, "-c", REPLAY, str(tmp_path), str(run)]) as app:
        app.wait_for("●".encode())
        app.send(b"n", quiet_s=0.5)
        app.send(b"w", quiet_s=0.5)
        app.send(b"o", quiet_s=1.0)
        app.send(b",", quiet_s=0.5)
        app.wait_for(b"20.801")
        app.send(b"q")
        assert app.wait() == 0
    assert "tests_failed" in copy.read_text("utf-8")


def test_a_pager_that_is_not_there_is_said(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PAGER", "no-such-pager-anywhere")

    async def script(driver: Driver) -> str:
        await driver.press("o")
        return driver.session.notice

    assert "cannot be handed to a pager" in drive(script, tmp_path, run)


def test_keys_that_come_at_once_are_typed_and_not_obeyed(tmp_path: Path, run: Path):
    with PtyApp([sys.executable, "-c", REPLAY, str(tmp_path), str(run)]) as app:
        app.wait_for("●".encode())
        app.settle(0.5)
        app.send(b"/qgm/", quiet_s=0.5)
        app.wait_for(b"qgm/")
        app.send(b"\x1b", quiet_s=0.5)
        app.send(b"q")
        assert app.wait() == 0


def test_help_begins_with_the_keys_of_the_focused_pane(tmp_path: Path, run: Path):
    async def script(driver: Driver) -> None:
        await driver.press("question_mark")
        assert "The focused pane" not in driver.text()
        await driver.press("escape", "tab", "question_mark")
        assert "The focused pane: terminal" in driver.text()
        await driver.press("escape", "tab", "question_mark")
        assert "The focused pane: panel" in driver.text()
        assert "the playhead goes to the instant of that line" in driver.text()

    drive(script, tmp_path, run)


def test_shift_o_opens_the_panel_in_the_users_editor(tmp_path: Path, run: Path):
    editor, seen = tmp_path / "editor", tmp_path / "seen"
    editor.write_text(f'#!/bin/sh\ncp "$1" {seen}\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    program = f"import os; os.environ['EDITOR'] = {str(editor)!r}; os.environ.pop('VISUAL', None); {REPLAY}"
    with PtyApp([sys.executable, "-c", program, str(tmp_path), str(run)]) as app:
        app.wait_for("●".encode())
        app.settle(0.5)
        app.send(b"rO", quiet_s=0.5)
        app.send(b"q")
        assert app.wait() == 0
    assert "composite" in seen.read_text()


@pytest.mark.parametrize("key", ["o", "O"])
def test_every_way_out_says_why_it_is_closed(tmp_path: Path, run: Path, key: str):
    async def script(driver: Driver) -> str:
        await driver.press(key)
        return driver.session.notice

    assert "This terminal cannot be handed to a" in drive(script, tmp_path, run)
