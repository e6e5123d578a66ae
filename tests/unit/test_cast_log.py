"""A terminal recording by columns: the same events as reading all of it at once, wherever one begins."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from cabtrace.store import cast_log
from cabtrace.store.cast import CastEvent, CastReader
from cabtrace.store.cast_log import CastLog
from cabtrace.store.lines import LineFile
from replay.idle import find_idle
from tests.support.tape import write_cast

SEED = 20_261_123


def whole(path: Path) -> tuple[CastReader, list[CastEvent]]:
    reader = CastReader()
    return reader, list(reader.feed(line.data for line in LineFile(path).new_lines()))


def odd_cast(rng: random.Random, version: int, lines: int) -> bytes:
    """Events in and out of order, and lines that are none."""
    header = b'{"version": 2, "width": 90, "height": 30}' if version == 2 else b'{"version": 3, "term": {"cols": 90, "rows": 30}}'
    out = [header]
    for number in range(lines):
        kind = rng.randrange(12)
        time_s = rng.uniform(0, 0.2) if version == 3 else number * 0.1 + rng.uniform(-1, 0.1)
        if kind == 0:
            out.append(rng.choice([b"", b"# a comment", b"not json", b'[1, "o"]', b'[1e30, "o", "x"]', b"\xff" * 9]))
        elif kind == 1:
            out.append(b'[%.6f, "o", "%s"]' % (time_s, b"long " * rng.randrange(20_000)))
        else:
            out.append(b'[%.6f, "%s", "text %d"]' % (time_s, rng.choice([b"o", b"o", b"o", b"i", b"r", b"m"]), number))
    return b"\n".join(out) + b'\n[99, "o", "torn'


@pytest.mark.parametrize("version", [2, 3])
def test_any_stretch_is_what_reading_everything_gives(tmp_path: Path, version: int):
    rng = random.Random(SEED)
    path = tmp_path / "terminal.cast"
    path.write_bytes(odd_cast(rng, version, 1_500))
    reader, events = whole(path)
    log = CastLog(path)

    assert log.refresh()
    assert not log.refresh()
    assert (log.header, len(log), log.last_time_s) == (reader.header, len(events), events[-1].time_s)
    assert log.reader.bad_lines == reader.bad_lines
    assert log.file.torn_bytes == len(b'[99, "o", "torn')
    assert list(log.times_ns) == [round(event.time_s * 1e9) for event in events]
    for _ in range(300):
        start = rng.randrange(-1, len(events) + 2)
        stop = start + rng.randrange(200)
        assert list(log.between(max(start, 0), stop)) == events[max(start, 0) : stop]


def test_it_is_a_sequence_that_holds_nothing(tmp_path: Path):
    path = tmp_path / "terminal.cast"
    path.write_bytes(odd_cast(random.Random(SEED), 2, 400))
    _, events = whole(path)
    log = CastLog(path)
    log.refresh()
    lazy = log.events()

    assert len(lazy) == len(events)
    assert list(lazy) == events
    assert list(reversed(lazy)) == events[::-1]
    assert (lazy[0], lazy[-1], lazy[70]) == (events[0], events[-1], events[70])
    assert (lazy[5:90], lazy[-3:], lazy[::50]) == (events[5:90], events[-3:], events[::50])
    with pytest.raises(IndexError):
        lazy[len(events)]


def test_a_file_that_is_not_there_or_empty_has_no_events(tmp_path: Path):
    log = CastLog(tmp_path / "terminal.cast")
    assert (log.refresh(), log.header, list(log.events()), list(reversed(log.events()))) == (False, None, [], [])
    assert (log.bytes_between(0, 9), list(log.landmarks_ns(1))) == (0, [])
    log.path.write_bytes(b'{"version": 2, "width": 80, "height": 24}\n')
    assert (log.refresh(), len(log)) == (False, 0)
    assert log.header is not None


def test_what_a_recorder_appends_is_taken_in(tmp_path: Path):
    path = tmp_path / "terminal.cast"
    data = odd_cast(random.Random(SEED), 3, 500)
    log = CastLog(path)
    for end in (0, 1, 700, 701, len(data) // 2, len(data)):
        path.write_bytes(b"")
        with path.open("r+b") as out:  # the same file, longer
            out.write(data[:end])
        log.refresh()
    assert list(log.events()) == whole(path)[1]


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path):
    log = write_cast(tmp_path / "terminal.cast", [CastEvent(i, "o", "old") for i in range(200)])
    write_cast(tmp_path / "other.cast", [CastEvent(7, "o", "new")], columns=100)
    (tmp_path / "other.cast").replace(log.path)

    assert log.refresh()
    assert (list(log.events()), log.generation) == ([CastEvent(7, "o", "new")], 1)
    assert log.header is not None
    assert log.header.columns == 100


def test_a_file_that_was_cut_under_a_reader_gives_what_is_left(tmp_path: Path):
    log = write_cast(tmp_path / "terminal.cast", [CastEvent(i, "o", "text") for i in range(500)])
    events = list(log.events())
    os.truncate(log.path, 3_000)

    left = list(log.between(50, 400))
    assert 0 < len(left) < 350
    assert left == events[50 : 50 + len(left)]
    assert list(log.between(450, 470)) == []


def test_lines_over_the_cap_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    class Short(LineFile):
        def __init__(self, path: Path, max_line_bytes: int = 100, *, read_bytes: int = 64) -> None:
            super().__init__(path, max_line_bytes, read_bytes=min(read_bytes, 64))

    monkeypatch.setattr(cast_log, "LineFile", Short)
    path = tmp_path / "terminal.cast"
    events = [CastEvent(i, "o", "x" * (5_000 if i % 7 == 3 else 10)) for i in range(300)]
    log = write_cast(path, events)

    kept = [event for event in events if len(event.data) == 10]
    assert (list(log.events()), log.events()[100:200]) == (kept, kept[100:200])
    assert len(log.file.long_lines) == len(events) - len(kept)


def test_gaps_between_landmarks_are_those_between_events(tmp_path: Path):
    rng = random.Random(SEED)
    times, now = [], 0.0
    for _ in range(5_000):
        now += rng.choice([0.0, 0.01, 0.03, 0.03, 0.03, 0.1]) if rng.random() > 0.002 else rng.uniform(1, 9)
        times.append(round(now, 6))
    log = write_cast(tmp_path / "terminal.cast", [CastEvent(t, "o", "x") for t in times])

    some = list(log.landmarks_ns(2_000_000_000))
    assert some == sorted(some)
    assert len(some) < 250
    assert find_idle(some) == find_idle(log.times_ns)
    assert find_idle(some).stretches
