"""The screen engine against output of any kind: it never raises, takes its time in proportion, and shows nothing harmful."""

from __future__ import annotations

import os
import random
import re
import resource
import time

import pytest

from cabtrace.store.cast import CastEvent
from replay.engine import PlainEngine
from replay.screen import TerminalTape
from tests.support.streams import stream
from tests.support.tape import MemorySource

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
from replay.ghostty import GhosttyEngine

SOAK = bool(os.environ.get("CABTRACE_SOAK"))
STREAMS = 100_000 if SOAK else 2_000
SHARES = 20  # tests that these are spread over
SEED = 20_261_125
SECONDS_PER_MB = 2.0
HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]")


@pytest.mark.parametrize("share", range(SHARES))
def test_no_stream_makes_the_engine_raise_or_show_a_control(share: int):
    engine = other = GhosttyEngine(80, 24)
    fed_bytes, fed_s = 0, 0.0
    for number in range(share, STREAMS, SHARES):
        rng = random.Random(SEED + number)
        if rng.random() < 0.2:  # else the stream comes on top of what the ones before it did
            engine, other = GhosttyEngine(rng.randrange(1, 260), rng.randrange(1, 100)), engine
        writes = stream(SEED + number)
        begin = time.thread_time()
        for write in writes:
            if isinstance(write, bytes):
                engine.feed(write)
            else:
                engine.resize(*write)
        fed_s += time.thread_time() - begin
        fed_bytes += sum(len(write) for write in writes if isinstance(write, bytes))
        rows = engine.screen()
        assert len(rows) == engine.rows <= 300, number
        assert engine.columns <= 500, number
        shown = "".join(run.text for row in rows for run in row)
        assert not HARMFUL.search(shown), number
        column, row = engine.cursor() or (0, 0)
        assert 0 <= column < engine.columns, number
        assert 0 <= row < engine.rows, number
        if number % 7 == 0 and (state := engine.snapshot()):
            other.restore(state)
            assert other.screen() == rows, number
        if number % 11 == 0:
            engine.text()
    assert fed_s <= SECONDS_PER_MB * max(fed_bytes / 1e6, 0.5)


@pytest.mark.parametrize("make", [GhosttyEngine, PlainEngine])
def test_a_recording_of_any_output_is_the_same_from_both_ends(make: type):
    for number in range(600 if SOAK else 60):
        rng = random.Random(SEED - number)
        writes = stream(SEED - number)
        events = [
            CastEvent(i / 10, "o", w.decode("utf-8", "replace"))
            if isinstance(w, bytes)
            else CastEvent(i / 10, "r", f"{w[0]}x{w[1]}")
            for i, w in enumerate(writes)
        ]
        tape = TerminalTape(MemorySource(events), make, keyframe_bytes=512)
        while not tape.index(7):
            pass
        straight = TerminalTape(MemorySource(events), make)
        for place in sorted(rng.randrange(len(events) + 1) for _ in range(4)):
            assert tape.after(place) == straight.after(place), number


@pytest.mark.parametrize(
    ("unit", "times"),
    [
        (b"\n", 4_000_000),
        (b"\x1b[65535b", 20_000),
        (b"\x1b#8", 100_000),
        (b"e" + "\u0301".encode() * 50, 20_000),
        (b"\x1b]0;" + b"a" * 4_000_000, 1),
        (b"\x1b[" + b"1;" * 1_000_000 + b"m", 1),
        (b"\x1b[?1049h\x1b[?1049l", 100_000),
        ("\U0001f469\u200d".encode(), 100_000),
    ],
    ids=["lines", "repeats", "alignment", "marks", "title", "numbers", "screens", "joined"],
)
def test_floods_take_time_and_memory_in_proportion(unit: bytes, times: int):
    engine = GhosttyEngine(200, 50)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.thread_time()
    engine.feed(unit * times)
    assert time.thread_time() - begin <= SECONDS_PER_MB * max(len(unit) * times / 1e6, 1)
    engine.screen()
    engine.text()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
