"""A recording that ends its terminal engine: the place is found, left out, said and kept; all else is shown as it was."""

from __future__ import annotations

import signal
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cabtrace.store import cast_index, layout
from cabtrace.store.cast import CastEvent
from cabtrace.store.cast_log import CastLog
from replay.engine_answers import EngineBusyError
from replay.engine_host import EngineHost
from replay.engine_remote import RemoteEngine
from replay.engine_trouble import MOST_LEFT_OUT
from replay.keyframes import Keyframe
from replay.screen import TerminalTape, UnknownScreenError
from replay.tapes import keep_tape, make_tape
from tests.support.engines import all_gone, engines
from tests.support.tape import MemorySource, write_cast
from tests.support.undefused_engine import DEADLY_FIRST, DEADLY_NEXT, DEADLY_SIZE

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
from replay.ghostty import GhosttyEngine

SILENT_S = 5.0
MakeTape = Callable[..., TerminalTape]


@pytest.fixture
def host() -> Iterator[EngineHost]:
    host = EngineHost("tests.support.fragile_engine")
    yield host
    host.close()


def lines(count: int, **instead: str) -> list[CastEvent]:
    """An event a second, each a line of its own; `_7="…"` is what event 7 is instead."""
    return [CastEvent(n, "o", instead.get(f"_{n}", f"line {n} {'x' * 40}\r\n")) for n in range(1, count + 1)]


def tape_of(host: EngineHost, events: list[CastEvent], *, silent_s: float = 20.0) -> TerminalTape:
    make = lambda columns, rows: RemoteEngine(columns, rows, host=host, silent_s=silent_s)  # noqa: E731
    return TerminalTape(MemorySource(events), make, keyframe_bytes=2_000)


def straight(events: list[CastEvent], without: set[int], count: int) -> object:
    kept = [CastEvent(e.time_s, e.code, "" if n in without else e.data) for n, e in enumerate(events, 1)]
    screen = TerminalTape(MemorySource(kept), GhosttyEngine).after(count)
    return screen.lines, screen.cursor


def check(tape: TerminalTape, events: list[CastEvent], without: set[int], counts: list[int]) -> None:
    for count in counts:
        screen = tape.after(count)
        assert (screen.lines, screen.cursor) == straight(events, without, count), count
        passed = [n for n in without if n <= count]
        assert bool(screen.note) == bool(passed), count


PLACES = [40, 3, 39, 41, 60, 40, 100, 7]


@pytest.mark.parametrize(("word", "reason"), [("SIGSEGV", "SIGSEGV"), ("exit", "exit code 7"), ("SIGABRT", "SIGABRT")])
@pytest.mark.parametrize("indexed", [False, True])
def test_what_ends_it_is_left_out_and_the_rest_is_shown(host: EngineHost, word: str, reason: str, indexed: bool):
    events = lines(100, _40=f"<{word}>boom\r\n")
    tape = tape_of(host, events)
    while indexed and not tape.index(9):
        pass
    check(tape, events, {40}, PLACES)
    assert tape.after(80).note == f"the terminal engine ended ({reason}) on what was written at 00:40.000: shown without it"
    assert tape.trouble.left_out == {40: reason}
    started = tape._viewer
    check(tape, events, {40}, PLACES)
    assert tape._viewer is started  # it is not tried again
    while not tape.index(9):
        pass
    assert [at for at, _, _ in tape.find("line 41 ")] == [41 * 10**9]
    assert not list(tape.find("boom"))
    assert tape.covered == 100


def test_several_places_and_a_question_that_ends_it(host: EngineHost):
    events = lines(100, _20="<SIGSEGV>", _21="<SIGABRT>", _50="<text>", _90="<exit>")
    tape = tape_of(host, events)
    while not tape.index():
        pass
    assert tape.covered == 100
    assert tape.trouble.left_out == {20: "SIGSEGV", 21: "SIGABRT", 50: "SIGSEGV", 90: "exit code 7"}
    check(tape, events, {20, 21, 50, 90}, PLACES)


def test_output_that_the_library_does_not_survive():
    host = EngineHost("tests.support.undefused_engine")
    events = [
        CastEvent(1, "o", "before"),
        CastEvent(2, "o", "\x1b[2J\x1b[H" + DEADLY_FIRST),
        CastEvent(3, "r", f"{DEADLY_SIZE[0]}x{DEADLY_SIZE[1]}"),
        CastEvent(4, "o", DEADLY_NEXT),
        CastEvent(5, "r", "80x24"),
        CastEvent(6, "o", "\x1b[2J\x1b[Hafter"),
    ]
    source = MemorySource(events)
    tape = TerminalTape(source, lambda c, r: RemoteEngine(c, r, host=host), columns=243, rows=41)
    assert tape.after(6).lines[0][0].text.strip() == "after"
    assert tape.after(1).lines[0][0].text.strip() == "before"
    assert "SIGSEGV" in tape.after(5).note
    assert tape.trouble.left_out == {4: "SIGSEGV"}
    host.close()


def test_one_that_hangs_is_left_out_and_nobody_waits_for_it_meanwhile(host: EngineHost):
    events = lines(60, _30="<hang>")
    tape = tape_of(host, events, silent_s=SILENT_S)
    busy = 0
    while True:
        try:
            screen = tape.after(50, 0.2)
        except EngineBusyError:
            busy += 1
        else:
            break
    assert busy >= 20
    assert screen.note.startswith("the terminal engine ended (no answer for 5 s) on what was written at 00:30.000")
    check(tape, events, {30}, [29, 30, 60, 31])


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
@pytest.mark.parametrize("indexed", [False, True])
def test_one_that_somebody_ends_is_replaced_and_nothing_is_left_out(host: EngineHost, name: str, indexed: bool):
    events = lines(200)
    tape = tape_of(host, events)
    if indexed:
        assert tape.index(90) is False
    tape.after(100)
    processes = engines(host)
    for process in processes:
        process.send_signal(getattr(signal, name))
    check(tape, events, set(), [120, 119, 10, 200])
    while not tape.index(30):
        for process in engines(host)[-1:]:
            if tape.covered == 150:
                process.send_signal(getattr(signal, name))
    assert tape.covered == 200
    assert tape.trouble.left_out == {}
    assert [at for at, _, _ in tape.find("line 199 ")] == [199 * 10**9]
    times = [at for at, _, _ in tape.find("line")]
    assert times == sorted(times)
    assert len(times) == 200
    assert all_gone(processes)


def test_one_that_is_stopped_in_the_middle_is_replaced(host: EngineHost):
    events = lines(100)
    tape = tape_of(host, events, silent_s=SILENT_S)
    tape.after(40)
    engines(host)[0].send_signal(signal.SIGSTOP)
    check(tape, events, set(), [90, 20])
    assert tape.trouble.left_out == {}


def test_a_recording_full_of_such_places_is_given_up_in_one_sentence(host: EngineHost):
    deadly = {f"_{n}": "<SIGSEGV>" for n in range(10, 400, 10)}
    events = lines(400, **deadly)
    tape = tape_of(host, events)
    while not tape.index():
        pass
    assert len(tape.trouble.left_out) == MOST_LEFT_OUT
    known = 10 * MOST_LEFT_OUT - 1
    assert tape.covered == known
    check(tape, events, set(range(10, known, 10)), [known, 5, 95])
    with pytest.raises(UnknownScreenError, match=r"again and again \(SIGSEGV\): the screen here is not known"):
        tape.after(known + 1)
    assert tape.index()


def test_where_no_engine_starts_that_is_one_sentence():
    host = EngineHost("replay.no_such_module")
    tape = tape_of(host, lines(9))
    while not tape.index():
        pass
    for _ in range(5):
        with pytest.raises(UnknownScreenError, match="cannot be loaded here"):
            tape.after(5)
    assert tape.covered == 0


def test_a_state_that_ends_it_is_dropped(host: EngineHost):
    events = lines(300)
    tape = tape_of(host, events)
    while not tape.index():
        pass
    place, number = tape.keyframes.kept[2].events, len(tape.keyframes.kept)
    tape.keyframes.kept[2] = Keyframe(place, zlib.compress(b"<SIGSEGV>"))
    check(tape, events, set(), [place + 1, place, place + 2, place - 1, 300])
    assert place not in [keyframe.events for keyframe in tape.keyframes.kept]
    assert len(tape.keyframes.kept) == number - 1


def test_ends_of_engines_that_do_nothing_are_nobodys_fault(host: EngineHost):
    events = lines(200)
    tape = tape_of(host, events)
    for count in range(10, 200, 10):
        assert tape.index(9) is False
        check(tape, events, set(), [count])
        processes = engines(host)
        for process in processes:
            process.kill()
        assert all_gone(processes)
    assert (tape.trouble.left_out, tape.trouble.suspects) == ({}, [])
    while not tape.index():
        pass
    assert len(list(tape.find("line"))) == 200


def test_closing_ends_what_runs_and_asking_starts_it_again(host: EngineHost):
    events = lines(100)
    tape = tape_of(host, events)
    tape.index(50)
    before = tape.after(70)
    processes = engines(host)
    assert len(processes) == 2
    tape.close()
    assert all_gone(processes)
    assert tape.index(50)  # who was going through it has been told to stop
    assert tape.after(70) == before
    while not tape.index():
        pass
    assert (tape.covered, tape.trouble.left_out, tape.trouble.suspects) == (100, {}, [])


def test_going_through_it_needs_an_engine_until_the_end_alone(host: EngineHost):
    source = MemorySource(lines(50))
    tape = TerminalTape(source, lambda c, r: RemoteEngine(c, r, host=host))
    assert tape.index()
    assert len(engines(host)) == 0
    for _ in range(2):  # it grows, hence is likely to grow again
        source.events += [CastEvent(60, "o", "more\r\n")]
        assert tape.index()
    assert len(engines(host)) == 1
    assert [at for at, _, _ in tape.find("more")] == [60 * 10**9]


def test_no_output_no_engine(tmp_path: Path, host: EngineHost, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("replay.engine_remote.engine_host", lambda: host)
    tape, note = make_tape(tmp_path, CastLog(tmp_path / "none"), 0)
    assert (tape.index(), note, host.pid) == (True, "", None)


def test_what_was_left_out_is_kept_with_the_index(tmp_path: Path, host: EngineHost, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CABTRACE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(cast_index, "INDEXED_BYTES", 1_000)
    monkeypatch.setattr("replay.engine_remote.engine_host", lambda: host)
    events = lines(100, _40="<SIGSEGV>boom\r\n")
    log = write_cast(tmp_path / layout.TERMINAL, events)
    tape, _ = make_tape(tmp_path, log, 0)
    while not tape.index():
        pass
    assert keep_tape(tmp_path, log, tape)

    again, _ = make_tape(tmp_path, log, 0)
    viewer = again._viewer
    assert (again.covered, again.trouble.left_out) == (100, {40: "SIGSEGV"})
    check(again, events, {40}, PLACES)
    assert again._viewer is viewer
