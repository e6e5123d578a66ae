"""What is kept of a long recording beside it: the same screens as without, and nothing that someone else put there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabtrace.store import cast_index, layout
from cabtrace.store.cast_index import load_columns
from cabtrace.store.cast_log import CastLog
from cabtrace.store.index import load_part, save_part
from replay import tape_index
from replay.engine import engine_version, make_engine
from replay.run import ReplayRun
from replay.screen import TerminalTape
from replay.tapes import keep_tape, make_tape
from tests.support.casts import write_cast
from tests.support.sample_run import build_sample_run

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
SIZE = 300_000


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CABTRACE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(cast_index, "INDEXED_BYTES", SIZE // 2)
    return tmp_path / "state"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    write_cast(folder / layout.TERMINAL, SIZE, seed=3, columns=80, rows=24)
    return folder


def opened(run_dir: Path) -> tuple[CastLog, bool, TerminalTape]:
    log = CastLog(run_dir / layout.TERMINAL)
    known = load_columns(log)
    log.refresh()
    return log, known, make_tape(run_dir, log, 0)[0]


def indexed(run_dir: Path) -> tuple[CastLog, TerminalTape]:
    log, _, tape = opened(run_dir)
    while not tape.index():
        pass
    assert keep_tape(run_dir, log, tape)
    return log, tape


def found(tape: TerminalTape) -> Iterator[tuple[int, str]]:
    return ((at_ns, text[match.start() : match.end() + 20]) for at_ns, text, match in tape.find("checker"))


def test_it_is_what_going_through_it_gave(run_dir: Path):
    log, tape = indexed(run_dir)
    again, known, kept = opened(run_dir)

    assert known
    assert (again.columns, again.reader, again.file.offset) == (log.columns, log.reader, log.file.offset)
    assert kept.covered == len(log)
    assert [k.events for k in kept.keyframes.kept] == [k.events for k in tape.keyframes.kept] != []
    assert list(found(kept)) == list(found(tape)) != []
    rng = random.Random(1)
    straight = TerminalTape(log, lambda c, r: make_engine(c, r)[0])
    for events in sorted(rng.randrange(len(log)) for _ in range(40)):
        assert kept.after(events) == straight.after(events)


def test_its_times_are_kept_before_it_was_gone_through(tmp_path: Path):
    run_dir = build_sample_run(tmp_path / "store")
    write_cast(run_dir / layout.TERMINAL, SIZE, seed=3, columns=80, rows=24)
    run = ReplayRun(run_dir)
    assert not load_columns(CastLog(run_dir / layout.TERMINAL))
    assert run.keep_recording()

    again, known, kept = opened(run_dir)
    assert known
    assert (len(again), kept.covered) == (len(kept), 0)


def test_another_recording_is_gone_through_anew(run_dir: Path):
    indexed(run_dir)
    write_cast(run_dir / layout.TERMINAL, SIZE, seed=4, columns=80, rows=24)
    _, known, tape = opened(run_dir)
    assert not known
    assert (tape.covered, tape.keyframes.kept) == (0, [])


def test_a_short_recording_has_no_index(run_dir: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cast_index, "INDEXED_BYTES", 10 * SIZE)
    log, _, tape = opened(run_dir)
    while not tape.index():
        pass
    assert not keep_tape(run_dir, log, tape)
    assert not (run_dir / layout.INDEX).exists()


@pytest.mark.parametrize("part", [cast_index.PART, tape_index.PART])
def test_no_byte_that_another_put_there_reaches_the_engine(run_dir: Path, part: str, monkeypatch: pytest.MonkeyPatch):
    indexed(run_dir)
    version = engine_version()
    sources = {
        cast_index.PART: cast_index.cast_fingerprint(run_dir, 1),
        tape_index.PART: f"{cast_index.cast_fingerprint(run_dir, tape_index._VERSION)} {version}",
    }[part]
    blobs = load_part(run_dir, part, sources)
    assert blobs is not None
    name = next(n for n in blobs if n.startswith(("keyframe", "times_ns")))
    assert save_part(run_dir, part, sources, {**blobs, name: blobs[name][:-8] + b"hostile!"})

    _, known, tape = opened(run_dir)
    assert (known, bool(tape.covered)) == (part != cast_index.PART, part != tape_index.PART)


def test_states_of_another_engine_are_not_restored(run_dir: Path, monkeypatch: pytest.MonkeyPatch):
    indexed(run_dir)
    monkeypatch.setattr("replay.tapes.engine_version", lambda: "pyghostty 99 x86_64")
    log, known, tape = opened(run_dir)
    assert (known, tape.covered) == (True, 0)
    tape.made_by = ""
    assert not keep_tape(run_dir, log, tape)
