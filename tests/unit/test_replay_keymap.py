"""The user's keys: read, checked, obeyed, and shown wherever keys are shown."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cabtrace.cli.main import main
from cabtrace.errors import UsageError
from replay.tui.keymap import check_keymap, default_keymap_path, load_keymap, template
from replay.tui.keys import TABLES, shown_key
from replay.tui.screens.help import HelpScreen
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run

MS = 1_000_000
EVERY_KEY = [(title, key) for title, table in TABLES.items() for key in table]


def write(folder: Path, text: str) -> Path:
    path = folder / "keymap.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("play = ", "is not TOML: "),
        ('"plai" = "p"', "names 'plai', which is no key's id. Did you mean 'play'?"),
        ('"play" = 3', "gives 'play' no key: write a key, or a list of keys."),
        ('"play" = []', "gives 'play' no key: write a key, or a list of keys."),
        ('"play" = "hyperspace"', "gives 'play' the key 'hyperspace', which is none."),
        ('"play" = "crtl+p"', "gives 'play' the key 'crtl+p', which is none."),
        ('"play" = "n"', "gives 'n' to both 'play' and 'error.next' (replay)."),
        ('"play" = "p"\n"idle" = "p"', "gives 'p' to both 'play' and 'idle' (replay)."),
        ('"runs.open" = "f"', "gives 'f' to both 'runs.open' and 'runs.failed' (list of runs)."),
        ("a" * 300_000, "is larger than"),
        ("[" * 5_000, "is not TOML: "),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(tmp_path: Path, text: str, sentence: str):
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as raised:
        load_keymap(path)
    assert sentence in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_file_that_is_missing_is_missed_only_where_it_was_named(tmp_path: Path):
    assert load_keymap(tmp_path / "none.toml", optional=True) == {}
    with pytest.raises(UsageError, match="There is no keymap"):
        load_keymap(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        load_keymap(tmp_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"play" = "p"', {"play": ("p",)}),
        ('play = ["p", "space"]', {"play": ("p", "space")}),
        ('[search]\nnext = "F3"', {"search.next": ("f3",)}),
        ('search.next = "ctrl+g"', {"search.next": ("ctrl+g",)}),
        ('"help" = "!"', {"help": ("exclamation_mark",)}),
        ('"time.back" = "."\n"time.forward" = ","', {"time.back": ("full_stop",), "time.forward": ("comma",)}),
        ('"error.next" = "N"\n"error.previous" = "n"', {"error.next": ("N",), "error.previous": ("n",)}),
        ('"fold.open" = "ctrl++"', {"fold.open": ("ctrl+plus",)}),
    ],
)
def test_keys_are_read_as_people_write_them(tmp_path: Path, text: str, expected: dict[str, tuple[str, ...]]):
    assert load_keymap(write(tmp_path, text)) == expected


def test_the_template_names_every_key_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["replay", "--keymap-template"]) == 0
    printed = capsys.readouterr().out
    assert printed == template()
    assert load_keymap(write(tmp_path, printed)) == {}
    given = "\n".join(row.removeprefix("# ") for row in printed.splitlines() if row.startswith('# "'))
    assert set(tomllib.loads(given)) == {key.id for _, key in EVERY_KEY}
    assert check_keymap(tomllib.loads(given), "template") == {key.id: tuple(key.keys.split(",")) for _, key in EVERY_KEY}


def test_the_default_file_is_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_keymap_path().name == "keymap.toml"
    assert default_keymap_path().parent.name == "cabtrace"


def test_the_new_key_is_obeyed_the_old_one_is_not_and_help_hints_and_palette_show_it(tmp_path: Path):
    run = build_sample_run(tmp_path)
    keymap = {"span.next": ("j", "f2"), "help": ("h",), "error.next": ("E",), "play": ("p",)}

    async def script(driver: Driver) -> None:
        await driver.press("right")
        assert driver.session.position_ns == 0
        await driver.press("j", "j")
        assert driver.session.position_ns // MS == 13
        await driver.press("f2")
        assert driver.session.position_ns // MS > 13
        assert "p play" in driver.text()
        assert "E/N error" in driver.text()
        titles = {command.title: command.help for command in driver.app.get_system_commands(driver.app.screen)}
        assert titles["Next span"] == "Playback, key j f2"
        await driver.press("h")
        assert isinstance(driver.app.screen, HelpScreen)
        shown = driver.text()
        assert "  j f2 " in shown
        assert "  h " in shown

    drive(script, tmp_path, run, size=(120, 100), keymap=keymap)


def test_two_keys_can_be_swapped(tmp_path: Path):
    run = build_sample_run(tmp_path)

    async def script(driver: Driver) -> None:
        await driver.press("N")
        assert driver.session.position_ns // MS == 20_901
        await driver.press("N")
        later = driver.session.position_ns
        assert later // MS > 20_901
        await driver.press("n")
        assert driver.session.position_ns // MS == 20_901

    drive(script, tmp_path, run, keymap={"error.next": ("N",), "error.previous": ("n",)})


@pytest.mark.parametrize(
    ("name", "shown"),
    [("full_stop", "."), ("question_mark", "?"), ("ctrl+n", "ctrl+n"), ("left", "←"), ("shift+right", "shift+→"), ("x", "x")],
)
def test_keys_are_shown_as_people_read_them(name: str, shown: str):
    assert shown_key(name) == shown


@pytest.mark.parametrize("title", TABLES)
def test_every_action_of_a_screen_has_an_id_of_its_own(title: str):
    ids = [key.id for key in TABLES[title]]
    assert all(ids)
    assert len(set(ids)) == len(ids)
    assert {key.id for other, key in EVERY_KEY if other != title}.isdisjoint(ids)
