"""What the screen engine does not survive is taken out of its input, however it is split."""

from __future__ import annotations

import random
import time

import pytest

from replay.defuse import Defuser

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
from replay.ghostty import GhosttyEngine

LINK = b"\x1b]8;;http://evil.example\x1b\\"


def cleaned(data: bytes, places: list[int]) -> bytes:
    defuser = Defuser()
    pieces = [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
    return b"".join(defuser.clean(piece, 80) for piece in pieces)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"a\x1b]8;;x\x07b", b"a\x1b]0;;x\x07b"),
        (b"\x1b\x00]\x01\x7f8;;x", b"\x1b\x00]\x01\x7f0;;x"),
        (b"\x1b" + b"\x00" * 9 + b"]" + b"\x00" * 9 + b"8;", b"\x1b" + b"\x00" * 9 + b"]" + b"\x00" * 9 + b"0;"),
        (b"x\x1b[80b\x1b[b\x1b[0b", b"x\x1b[80b\x1b[b\x1b[0b"),
        (b"x\x1b[81b.", b"x\x1b[81x\x1b[80b."),
        (b"x\x1b[00065535b.", b"x\x1b[00065535x\x1b[80b."),
        (b"x\x1b[" + b"9" * 300 + b"b.", b"x\x1b[" + b"9" * 300 + b"x\x1b[80b."),
        (b"\x1b]2;8 bob\x07[8b 8;b ]8;", b"\x1b]2;8 bob\x07[8b 8;b ]8;"),
        (b"\x1b]\x1b]8;", b"\x1b]\x1b]0;"),
    ],
)
def test_links_and_long_repeats_wherever_they_are_split(data: bytes, wanted: bytes):
    assert cleaned(data, []) == wanted
    assert all(cleaned(data, [place]) == wanted for place in range(len(data) + 1))
    assert cleaned(data, list(range(len(data)))) == wanted


def test_any_output_is_the_same_however_it_is_split():
    rng = random.Random(20_261_126)
    for _ in range(2_000):
        data = b"".join(rng.choice([b"\x1b", b"[", b"]", b"8", b";", b"b", b"999", b"\x00", b"\x07", b"x"]) for _ in range(40))
        places = sorted(rng.randrange(len(data) + 1) for _ in range(4))
        assert cleaned(data, places) == cleaned(data, []), (data, places)


def test_a_link_on_wide_characters_of_a_terminal_that_shrinks_does_not_end_the_process():
    engine = GhosttyEngine(45, 3)
    engine.feed(LINK + "中".encode() * 100)
    engine.resize(1, 1)
    engine.feed(b"\x1b[65535b" * 600)
    assert len(engine.screen()) == 2


@pytest.mark.parametrize("times", [60, 300, 3_000])
@pytest.mark.parametrize("marks", [8, 40])
def test_marks_in_a_terminal_that_shrinks_to_a_row_do_not_end_the_process(marks: int, times: int):
    engine = GhosttyEngine(243, 41)
    engine.feed((b"e" + "\u0301".encode() * marks) * times)
    engine.resize(500, 1)
    engine.feed(b"x\n" * 3_000)
    assert len(engine.screen()) == engine.rows


def test_a_split_link_is_also_known_after_a_snapshot():
    engine, other = GhosttyEngine(20, 2), GhosttyEngine(20, 2)
    engine.feed(b"one\x1b]")
    other.restore(engine.snapshot())
    assert other._defuser.carried == b"\x1b]"
    for e in (engine, other):
        e.feed(b"8;;x\x1b\\two")
    assert engine.screen() == other.screen()


def test_repeats_take_time_in_proportion():
    engine = GhosttyEngine(1, 1)
    begin = time.thread_time()
    engine.feed("中".encode() + b"\x1b[65535b" * 60_000)
    assert time.thread_time() - begin < 10  # without the cap, hours


@pytest.mark.parametrize("introducer", [b"\x9d", b"\xc2\x9d"])
def test_one_character_introducers_make_no_link_in_this_engine(introducer: bytes):
    engine = GhosttyEngine(40, 1)
    engine.feed(introducer + b"8;;http://e\x1b\\")
    assert "8;;http://e" in "".join(run.text for run in engine.screen()[0])
