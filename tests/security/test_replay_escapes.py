"""Hostile strings in every field of a run: nothing of them reaches a real terminal, nothing crashes, no action runs."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from cabtrace.store.reader import read_header
from replay.run import ReplayRun
from replay.session import Tab
from replay.story import tell
from replay.tui.keys import TAB_KEYS
from tests.security.escapes_corpus import MARKUP, harmful_characters, payloads
from tests.support.hostile_run import build_hostile_run
from tests.support.pilot import Driver, drive
from tests.support.pty_app import REPLAY, PtyApp
from tests.support.sample_run import build_sample_run

# Each rotation gives every field another payload; together they show all payloads in a good part of all fields.
ROTATIONS = [0, 29, 58]
PANELS = [TAB_KEYS[tab].encode() for tab in Tab]
_CSI = re.compile(rb"\x1b\[([<=>?]?)[0-9;:$ !\"']*([@-~])")
_OTHER = re.compile(rb"\x1b[^\[]")
_POINTER_SHAPE = re.compile(rb"\x1b\]22;[a-z-]*\x07")  # the one such sequence that Textual writes of its own accord


def tour(app: PtyApp) -> None:
    """Every panel at several instants, the help, the list of runs, in groups, two of them side by side, and a run from the list."""
    app.wait_for(b"FAIL")
    app.wait_for("●".encode())  # the scrubber: the run was read
    app.settle(0.4)
    for place in (b"\x1b[H", b"]", b"]", b"n", b"\x1b[F"):
        app.send(place)
        for panel in PANELS:
            app.send(panel, quiet_s=0.1)
    app.send(b"\x1b[H")
    app.send(b"s")
    for _ in range(20):
        app.send(b"\x1b[B+", quiet_s=0.05)
    app.send(b"x", quiet_s=0.4)
    for keys in (b"/q1\r", b"\r", b"\r", b"\x1b", b"g#1\r", b"mnote\r", b"'"):
        app.send(keys, quiet_s=0.5)
    app.send(b"l")
    app.send(b"?")
    app.send(b"q")
    app.send(b"\x1b", quiet_s=0.5)
    app.wait_for(b" failed")
    app.send(b"R", quiet_s=0.4)
    app.send(b"\x1b", quiet_s=0.5)
    app.send(b"t", quiet_s=0.6)
    app.send(b"t")
    for keys in (b"\x1b[H", b"c", b"\x1b[B"):
        app.send(keys)
    app.send(b"c", quiet_s=0.8)
    app.wait_for(b"Steps ")
    for keys in (b"d", b"d", b"n", b"n", b"\x1b[C", b"\t", b"\x1b[F"):
        app.send(keys, quiet_s=0.2)
    app.send(b"\x1b", quiet_s=0.5)
    app.send(b"\x1b[B")
    app.send(b"\r", quiet_s=0.4)


def kinds(output: bytes) -> set[bytes]:
    """The kinds of sequences in some output, without their numbers."""
    return {b"CSI " + m[1] + m[2] for m in _CSI.finditer(output)} | {m[0] for m in _OTHER.finditer(output)}


def played(store: Path, run: Path) -> tuple[bytes, int]:
    with PtyApp([sys.executable, "-c", REPLAY, str(store), str(run)], columns=200, rows=140) as app:
        tour(app)
        app.send(b"q")
        code = app.wait()
        return _POINTER_SHAPE.sub(b"", app.output), code


@pytest.fixture(scope="module")
def harmless_kinds(tmp_path_factory: pytest.TempPathFactory) -> set[bytes]:
    """What the app writes of its own accord."""
    store = tmp_path_factory.mktemp("harmless")
    build_sample_run(store)
    output, code = played(store, build_sample_run(store))
    assert code == 0
    return kinds(output)


@pytest.mark.slow
@pytest.mark.parametrize("first", ROTATIONS)
def test_no_payload_reaches_a_real_terminal(tmp_path: Path, harmless_kinds: set[bytes], first: int):
    run, given = build_hostile_run(tmp_path, first)
    build_hostile_run(tmp_path, first + 7)

    output, code = played(tmp_path, run)

    assert code == 0
    assert b"Traceback" not in output
    escapes = {payload for name, payload in payloads() if name not in MARKUP}
    raw = [(tag, p) for tag, p in given if p in escapes and (tag + p).encode("utf-8", "replace") in output]
    assert raw == []
    assert kinds(output) <= harmless_kinds
    text = _OTHER.sub(b"", _CSI.sub(b"", output)).decode("utf-8", "replace")
    assert harmful_characters(text) <= {"\r"}
    shown = sum(tag.encode() in output for tag, _ in given)
    assert shown > len(given) * 0.2, f"only {shown} of {len(given)} fields were drawn"


@pytest.mark.parametrize("first", range(0, len(payloads()), 23))
def test_every_screen_shows_payloads_as_they_are_and_nothing_runs(tmp_path: Path, first: int):
    run, given = build_hostile_run(tmp_path, first)

    async def script(driver: Driver) -> str:
        seen = []
        for place in ("home", "right_square_bracket", "right_square_bracket", "n", "end"):
            await driver.press(place)
            for panel in TAB_KEYS.values():
                await driver.press(panel)
                seen.append(driver.text())
            driver.session.opened = frozenset({"tools", "earlier", *(f"message {place}" for place in range(20))})
            for _ in range(2):
                await driver.press("M")
                seen.append(driver.text())
        await driver.press("home", "s")
        for _ in range(16):
            await driver.press("down", "right_parenthesis")
            seen.append(driver.text())
        assert driver.app.is_running
        await driver.press("x", "slash", *"q1", "enter")
        for _ in range(30):
            await driver.press("enter")
            seen.append(driver.text())
        await driver.press("escape", "g", "#", "1", "enter", "m", "enter", "l")
        seen.append(driver.text())
        await driver.press("escape")
        seen.append(driver.text())
        return "\n".join(seen)

    shown = drive(script, tmp_path, run, size=(200, 140))

    assert harmful_characters(shown) == set()
    missing = [tag for tag, _ in given if tag not in shown]
    assert len(missing) < len(given) * 0.35, f"{len(missing)} of {len(given)} fields were never on a screen"


@pytest.mark.parametrize("payload", MARKUP.values(), ids=MARKUP.keys())
def test_markup_is_shown_verbatim(tmp_path: Path, payload: str):
    run = build_sample_run(tmp_path)
    header = run / "run.json"
    changed = replace(read_header(run), cause_detail=f"q00{payload}", sweep_id=f"q01{payload}")
    header.write_bytes(orjson.dumps(changed))

    async def script(driver: Driver) -> str:
        await driver.press("w")
        return driver.text()

    shown = drive(script, tmp_path, run, size=(160, 40))
    assert f"q00{payload}" in shown
    assert f"q01{payload}" in shown


def test_the_plain_story_is_harmless(tmp_path: Path):
    for first in range(0, len(payloads()), 9):
        run, _ = build_hostile_run(tmp_path, first)
        assert harmful_characters("\n".join(tell(ReplayRun(run)))) == set()
