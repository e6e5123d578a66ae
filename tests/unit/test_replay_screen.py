"""The terminal at any instant: engines, keyframes, and bytes of any kind."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from cabtrace.protocols import ScreenEngine
from cabtrace.store.cast import CastEvent
from replay.engine import NO_ENGINE, PlainEngine, make_engine
from replay.engine_host import EngineHost
from replay.screen import TerminalTape
from tests.support.tape import MemorySource

ghostty = pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
from replay.ghostty import GhosttyEngine  # noqa: E402 - needs the library

SEED = 20_261_122
Factory = Callable[[int, int], ScreenEngine]


def text_of(engine: ScreenEngine) -> list[str]:
    return ["".join(run.text for run in row).rstrip() for row in engine.screen()]


def random_output(rng: random.Random, pieces: int) -> list[str]:
    """Output of a busy terminal program: colours, cursor moves, wide characters, the other screen, now and then nonsense."""
    kinds = [
        lambda: "".join(rng.choice("abc xyz") for _ in range(rng.randrange(30))),
        lambda: f"\x1b[{rng.randrange(1, 40)};{rng.randrange(1, 90)}H",
        lambda: f"\x1b[{rng.choice(['0', '1', '31', '7', '4', f'38;5;{rng.randrange(256)}', f'48;2;{rng.randrange(256)};9;9'])}m",
        lambda: rng.choice(["\r\n", "\x1b[K", "\x1b[2J", "\x1b[L", "\x1b[?1049h", "\x1b[?1049l", "\x1b[5;20r", "\x1b[r", "\t"]),
        lambda: rng.choice(["中文", "é", "e\u0301", "👨\u200d👩\u200d👧", "❤\ufe0f", "\u202e", "\u200b"]),
        lambda: "\x1b[3",
        lambda: "".join(chr(rng.randrange(256)) for _ in range(rng.randrange(8))),
    ]
    return [rng.choice(kinds)() for _ in range(pieces)]


def test_colours_attributes_and_backgrounds_are_read():
    engine = GhosttyEngine(20, 3)
    engine.feed(b"\x1b[1;38;2;1;2;3mab\x1b[0m c\x1b[48;2;9;8;7m\x1b[K\r\n\x1b[3;4;7;9mx\x1b[0m\xe4\xb8\xad|")

    first, second, _ = engine.screen()
    assert (first[0].text, first[0].foreground, first[0].bold) == ("ab", 0x010203, True)
    assert (first[1].text, first[1].foreground, first[1].background) == (" c", None, None)
    assert (first[2].text.strip(), first[2].background) == ("", 0x090807)
    assert sum(len(run.text) for run in first) == 20
    assert (second[0].italic, second[0].underline, second[0].reverse, second[0].strike) == (True, True, True, True)
    assert second[1].text.startswith("中|")
    assert engine.cursor() == (4, 1)


def test_the_cursor_is_none_while_hidden():
    engine = GhosttyEngine()
    engine.feed(b"\x1b[?25l")
    assert engine.cursor() is None


def test_joined_emoji_take_the_columns_that_the_engine_gave_them():
    engine = GhosttyEngine(20, 1)
    engine.feed("👨\u200d👩\u200d👧|❤\ufe0f|e\u0301|".encode())

    assert text_of(engine) == ["👨👩👧|❤|e\u0301|"]
    assert cell_len(engine.screen()[0][0].text) == 20
    assert engine.cursor() == (11, 0)


@pytest.mark.parametrize("make", [GhosttyEngine, PlainEngine])
@pytest.mark.parametrize("size", [(0, 0), (-5, 3), (10**9, 10**9), (65536, 1)])
def test_sizes_are_clamped(make: Factory, size: tuple[int, int]):
    engine = make(*size)
    engine.feed(b"hello\r\n" * 10)
    engine.resize(*reversed(size))

    assert 1 <= engine.columns <= 500
    assert 1 <= engine.rows <= 300
    assert len(engine.screen()) == engine.rows


@pytest.mark.parametrize("make", [GhosttyEngine, PlainEngine])
def test_a_snapshot_in_the_middle_of_a_sequence_restores(make: Factory):
    engine, other = make(30, 4), make(80, 24)
    engine.feed("first\r\n\x1b[31mé".encode()[:-1])
    other.restore(engine.snapshot())
    for e in (engine, other):
        e.feed(b"\xa9 and \x1b[3")
    other.restore(engine.snapshot())
    for e in (engine, other):
        e.feed(b"2mgreen")

    assert other.screen() == engine.screen()
    assert (other.columns, other.rows) == (30, 4)
    assert "green" in " ".join(text_of(engine))


def test_rows_that_did_not_change_are_not_read_again():
    engine = GhosttyEngine(40, 10)
    engine.feed(b"one\r\ntwo\r\nthree")
    before = engine.screen()
    engine.feed(b"\x1b[1;1HONE")
    after = engine.screen()

    assert [old is new for old, new in zip(before, after, strict=True)].count(False) <= 3
    fresh = GhosttyEngine(40, 10)
    fresh.feed(b"one\r\ntwo\r\nthree\x1b[1;1HONE")
    assert fresh.screen() == after


def test_a_broken_snapshot_gives_a_blank_screen_and_is_counted():
    engine = GhosttyEngine(10, 2)
    engine.feed(b"something")
    engine.restore(engine.snapshot()[:-9])

    assert text_of(engine) == ["", ""]
    assert engine.bad_feeds == 1


def test_a_new_palette_recolours_what_is_there():
    engine = GhosttyEngine(10, 1)
    engine.feed(b"\x1b[31mred")
    engine.screen()
    engine.feed(b"\x1b]4;1;rgb:12/34/56\x07")

    assert engine.screen()[0][0].foreground == 0x123456


@pytest.mark.parametrize("make", [GhosttyEngine, PlainEngine])
def test_no_bytes_make_an_engine_raise_or_show_a_control(make: Factory):
    rng = random.Random(SEED)
    engine = make(60, 12)
    for _ in range(400):
        data = rng.randbytes(rng.randrange(200)) if rng.random() < 0.5 else "".join(random_output(rng, 12)).encode()
        engine.feed(data)
        if rng.random() < 0.1:
            engine.resize(rng.randrange(-2, 300), rng.randrange(-2, 100))
        for row in engine.screen():
            for run in row:
                assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u200b\u2066" for c in run.text)
        engine.cursor()


@pytest.mark.parametrize("make", [GhosttyEngine, PlainEngine])
def test_any_instant_looks_the_same_whichever_way_one_came(make: Factory):
    rng = random.Random(SEED)
    events = [CastEvent(i / 100, "o", text) for i, text in enumerate(random_output(rng, 600))]
    for place in (100, 350):
        events.insert(place, CastEvent(events[place].time_s, "r", rng.choice(["120x40", "40x12"])))
    tape = TerminalTape(MemorySource(events), make, keyframe_bytes=512)
    assert tape.index()
    assert tape.keyframes.kept

    for _ in range(120):
        target = rng.randrange(len(events) + 1)
        screen = tape.after(target)
        straight = TerminalTape(MemorySource(events), make).after(target)
        assert (screen.lines, screen.cursor, screen.columns) == (straight.lines, straight.cursor, straight.columns)


def test_a_recording_that_grows_is_followed():
    source = MemorySource([CastEvent(0.5, "o", "one ")])
    tape = TerminalTape(source, GhosttyEngine, start_ns=10**9)
    assert tape.at(0).events == 0
    assert tape.at(1_500_000_000).events == 1
    source.events.append(CastEvent(2.0, "o", "two"))

    assert "".join(run.text for run in tape.at(10**10).lines[0]).strip() == "one two"
    assert "".join(run.text for run in tape.at(2 * 10**9).lines[0]).strip() == "one"


def test_another_recording_under_the_same_name_is_read_anew():
    source = MemorySource([CastEvent(0.5, "o", "one")])
    tape = TerminalTape(source, GhosttyEngine)
    assert tape.index()
    tape.at(10**9)
    source.events, source.generation = [CastEvent(0.1, "o", "other")], 1

    assert tape.index()
    assert "".join(run.text for run in tape.at(10**9).lines[0]).strip() == "other"
    assert [text for _, text, _ in tape.find("o")] == ["other"]


def test_resizes_that_are_none_are_counted_and_passed_over():
    bad = ["", "x", "80", "80x", "-1x5", "999999999999999999999x1", "8०x24"]
    tape = TerminalTape(MemorySource(CastEvent(0, "r", data) for data in bad), GhosttyEngine)

    assert (tape.at(10**9).columns, tape.bad_events) == (80, len(bad))


@pytest.mark.parametrize("lacking", ["package", "library"])
def test_without_the_library_plain_text_is_shown_and_said_so(lacking: str, monkeypatch: pytest.MonkeyPatch):
    if lacking == "package":
        monkeypatch.setitem(sys.modules, "pyghostty", None)
    else:
        monkeypatch.setenv("PYGHOSTTY_LIB", "/nowhere/libghostty-vt.so")
        monkeypatch.setattr("replay.engine_remote.engine_host", EngineHost)
    engine, note = make_engine(20, 2)
    engine.feed(b"\x1b[31mone\x1b[0m\r\ntwo\r\nthree")

    assert note == NO_ENGINE
    assert text_of(engine) == ["two", "three"]
