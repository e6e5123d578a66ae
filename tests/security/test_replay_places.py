"""Hostile text that is in no record: what is typed, pasted, named, reported, remapped. No screen lets any of it through."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from textual import events

from cabtrace.cli.main import main
from replay.run import ReplayRun
from replay.tui.keys import TAB_KEYS
from replay.tui.screens.ask import FolderScreen
from replay.tui.screens.replay import ReplayScreen
from replay.tui.screens.runs import RunsScreen
from tests.security.escapes_corpus import harmful_characters
from tests.support.child_jobs import job
from tests.support.compare_runs import build_pair
from tests.support.hostile_run import build_hostile_run
from tests.support.hostile_store import build_hostile_folders, folder_names, hostile_jobs, hung_on, texts
from tests.support.pilot import Driver, drive
from tests.support.pty_app import REPLAY, PtyApp
from tests.support.sample_run import at, build_sample_run

ALL = "".join(texts())  # one field that holds every payload


async def paste(driver: Driver, text: str) -> None:
    """As a terminal does that marks what is pasted."""
    driver.app.post_message(events.Paste(text))
    await driver.settle()


def harmless(driver: Driver) -> str:
    """What is on the screen, all of which may be there."""
    shown = driver.text()
    assert harmful_characters(shown) == set()
    return shown


@pytest.mark.parametrize("key", ["slash", "g", "m"])
def test_what_is_pasted_and_typed_into_a_replay(tmp_path: Path, key: str):
    run = build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        for first in range(0, len(texts()), 8):
            await driver.press(key)
            await paste(driver, f"zq{''.join(texts()[first : first + 8])}")
            assert "zq" in harmless(driver)
            await driver.press("enter")
            harmless(driver)
            await driver.press("escape") if key != "m" else None
            assert isinstance(driver.app.screen, ReplayScreen)

    drive(script, tmp_path, run, size=(400, 30))


def test_what_is_pasted_into_the_filter_and_as_a_folder(tmp_path: Path):
    build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        for first in range(0, len(texts()), 4):
            await driver.pilot.press("slash")
            await paste(driver, f"zq{''.join(texts()[first : first + 4])}")
            assert re.search("No run matches ['\"]zq", harmless(driver))
            await driver.pilot.press("escape")
        driver.app.push_screen(FolderScreen("A folder", []))
        await driver.settle()
        await paste(driver, ALL)
        await driver.press("enter")
        harmless(driver)
        assert isinstance(driver.app.screen, FolderScreen)

    drive(script, tmp_path, None, size=(400, 30))


def test_names_of_folders_and_what_is_no_run(tmp_path: Path):
    names = folder_names()
    build_hostile_folders(tmp_path, names)

    async def script(driver: Driver) -> None:
        shown = harmless(driver)
        missing = [name[:3] for number, name in enumerate(names) if number % 5 and name[:3] not in shown]
        assert missing == []
        for place in range(5):
            await driver.press("home", *["down"] * place)
            for key in ("enter", "c", "R", "C"):
                await driver.press(key)
                harmless(driver)
                while not isinstance(driver.app.screen, RunsScreen):
                    driver.app.pop_screen()
                    await driver.settle()
        await driver.press("t")
        harmless(driver)

    drive(script, tmp_path, None, size=(400, len(names) + 12))


def test_a_run_that_vanishes_from_a_hostile_folder(tmp_path: Path):
    names = [name for number, name in enumerate(folder_names()) if number % 5 == 0]
    for number, name in enumerate(names[:3]):
        build_sample_run(tmp_path / str(number)).rename(tmp_path / str(number) / name)

        async def script(driver: Driver, folder: Path = tmp_path / str(number) / name) -> None:
            (folder / "run.json").unlink()
            await driver.press("enter")
            assert "is not a run" in harmless(driver)

        drive(script, tmp_path / str(number), None, size=(400, 30))


def test_a_call_that_hangs(tmp_path: Path):
    async def script(driver: Driver) -> None:
        for text in texts()[::6]:
            with hung_on(tmp_path, f"zq{text}") as writer:
                driver.app.push_screen(ReplayScreen(ReplayRun(writer.path), lambda: 0, wall_ns=lambda: at(60_000)))
                await driver.settle()
                assert re.search(r"zq.*no answer for", harmless(driver), re.DOTALL)
                driver.app.pop_screen()

    drive(script, tmp_path, None, size=(300, 30))


def test_what_a_rerun_reports(tmp_path: Path):
    run = build_sample_run(tmp_path)
    for given in hostile_jobs(run, ALL):
        with job(run, **given) as made:

            async def script(driver: Driver, made=made) -> None:  # type: ignore[no-untyped-def]  # of the loop
                driver.app._job = made
                await driver.press("R")
                harmless(driver)
                await driver.press("escape")
                driver.app.say(made.sentence())
                await driver.settle()
                harmless(driver)

            drive(script, tmp_path, run, size=(120, 100))


def test_what_is_copied_and_what_a_pager_gets(tmp_path: Path):
    run, _ = build_hostile_run(tmp_path)
    other, _ = build_hostile_run(tmp_path, 7)

    async def of_a_replay(driver: Driver) -> None:
        for place in ("end", "quotation_mark"):
            await driver.press(place)
            for panel in TAB_KEYS.values():
                await driver.press(panel, "y")
                assert harmful_characters(driver.app.clipboard) == set()
                assert harmful_characters(driver.app.screen._panel_text()) == set()
                harmless(driver)

    async def of_a_comparison(driver: Driver) -> None:
        for _ in range(6):
            await driver.press("n", "y")
            assert harmful_characters(driver.app.clipboard) == set()
            harmless(driver)
        await driver.press("d")
        harmless(driver)

    drive(of_a_replay, tmp_path, run)
    drive(of_a_comparison, tmp_path, run, against=other)


def test_a_keymap(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "keymap.toml"
    for text in texts():
        quoted = '"' + "".join(f"\\U{ord(c):08x}" if c < " " or c in '"\\\x7f' else c for c in text) + '"'
        for line in (f'{quoted} = "x"', f'"play" = {quoted}', f'"play" = ["x", {quoted}]', text):
            path.write_text(line, "utf-8", errors="replace")
            code = main(["replay", "--store", str(tmp_path), "--plain", "--keymap", str(path), "@last"])
            printed = capsys.readouterr()
            assert code == 2
            assert harmful_characters(printed.err + printed.out) == set()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys.stdout, "isatty", lambda: True)
            patch.setattr(sys.stdin, "isatty", lambda: True)
            path.write_text(f'{quoted} = "x"', "utf-8", errors="replace")
            code = main(["replay", "--store", str(tmp_path), "--keymap", str(path)])
        printed = capsys.readouterr()
        assert code == 2
        assert "which is no key's id" in printed.err or "is not TOML" in printed.err
        assert harmful_characters(printed.err) == set()


def test_a_real_terminal_gets_none_of_it(tmp_path: Path):
    """Pasted on every kind of screen, in names of folders, in bookmarks; the bytes that come out are looked at."""
    build_pair(tmp_path / "sound")
    escapes = [text for text in texts() if text.startswith("\x1b]") or text[0] in "\x9b\x9d\x90"]
    hostile = tmp_path / "hostile"
    build_hostile_folders(hostile, folder_names())
    outputs = []
    for store, pasted in ((tmp_path / "sound", "harmless"), (hostile, "".join(escapes).replace("\x1b[201~", ""))):
        pasting = b"\x1b[200~" + pasted.encode("utf-8", "replace") + b"\x1b[201~"
        with PtyApp([sys.executable, "-c", REPLAY, str(store)], columns=180, rows=110) as app:
            app.wait_for(b"failed")
            app.settle(0.3)
            for keys in (b"/" + pasting, b"\x1b", b"t", b"t", b"\x1b[B\x1b[B", b"\x1b[F", b"\r", b"?", b"q"):
                app.send(keys, quiet_s=0.2)
            app.send(b"q")
            assert app.wait() == 0
            outputs.append(app.output)
    sequence = re.compile(rb"\x1b\][^\x07\x1b]*|\x1b[P_^X]|\x1b\[[<=>?]?[0-9;:]*[@-~]|\x1b[^\[\]]|\x1b")
    kinds = [{re.sub(rb"[0-9;:]+", b"", found) for found in sequence.findall(output)} for output in outputs]
    assert kinds[1] <= kinds[0] | {b"\x1b]"}
    assert not [found for found in sequence.findall(outputs[1]) if found.startswith((b"\x1b]5", b"\x1b]0", b"\x1b]8"))]
    text = sequence.sub(b"", outputs[1]).decode("utf-8", "replace")
    assert harmful_characters(text) <= {"\r", "\a"}
