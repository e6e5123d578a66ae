"""The terminal engine in a process of its own: what happens when that ends, hangs, or is not wanted any more."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from replay.engine_answers import EngineBusyError, EngineEndedError
from replay.engine_host import EngineHost
from replay.engine_remote import RemoteEngine
from tests.support.engines import all_gone, engines
from tests.support.undefused_engine import DEADLY_FIRST, DEADLY_NEXT, DEADLY_SIZE

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
SILENT_S = 5.0  # of engines that are made to hang


@pytest.fixture
def host() -> Iterator[EngineHost]:
    host = EngineHost("tests.support.fragile_engine")
    yield host
    host.close()


def reason(engine: RemoteEngine) -> str:
    with pytest.raises(EngineEndedError) as caught:
        engine.text()
    return caught.value.reason


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL", "SIGABRT", "SIGTERM"])
def test_a_signal_that_ends_it_has_a_name(host: EngineHost, name: str):
    engine, other = RemoteEngine(host=host), RemoteEngine(host=host)
    for each in (engine, other):
        each.feed(b"hello")
        assert each.text() == "hello"
    processes = engines(host)
    processes[0].send_signal(getattr(signal, name))

    engine.feed(b"more")
    assert reason(engine) == reason(engine) == name
    engine.feed(b"and more")
    engine.resize(10, 10)
    engine.restore(b"")
    with pytest.raises(EngineEndedError, match=name):
        engine.screen()
    other.feed(b" there")
    assert other.text() == "hello there"
    assert all_gone(processes[:1])


def test_output_that_the_library_does_not_survive_ends_its_process_alone():
    host = EngineHost("tests.support.undefused_engine")
    engine, other = RemoteEngine(243, 41, host=host), RemoteEngine(host=host)
    engine.feed(DEADLY_FIRST.encode())
    engine.resize(*DEADLY_SIZE)
    engine.feed(DEADLY_NEXT.encode())
    assert reason(engine) == "SIGSEGV"
    other.feed(b"hello")
    assert other.text() == "hello"
    host.close()


def test_an_exit_has_its_code(host: EngineHost):
    engine = RemoteEngine(host=host)
    engine.feed(b"<exit>")
    assert reason(engine) == "exit code 7"


@pytest.mark.parametrize("stopped", [True, False])
def test_one_that_does_not_answer_is_ended(host: EngineHost, stopped: bool):
    engine = RemoteEngine(host=host, silent_s=SILENT_S)
    engine.settle()
    process = engines(host)[0]
    if stopped:
        process.send_signal(signal.SIGSTOP)
        for _ in range(200):
            engine.feed(b"x" * 100_000)  # more than is under way at once
    else:
        engine.feed(b"<hang>")
    assert reason(engine) == "no answer for 5 s"
    assert all_gone([process])


def test_patience_ends_and_the_answer_comes_later(host: EngineHost):
    engine = RemoteEngine(host=host)
    engine.feed(b"one\r\n")
    assert engine.screen()[0][0].text.startswith("one")
    process = engines(host)[0]
    process.send_signal(signal.SIGSTOP)
    engine.feed(b"two")
    for _ in range(3):
        engine.be_patient(0.05)
        with pytest.raises(EngineBusyError):
            engine.screen()
    process.send_signal(signal.SIGCONT)
    engine.be_patient(None)

    assert [row[0].text.strip() for row in engine.screen()[:2]] == ["one", "two"]
    assert engine.cursor() == (3, 1)


def test_a_screen_that_nobody_waited_for_does_not_confuse_the_next_one(host: EngineHost):
    engine = RemoteEngine(20, 3, host=host)
    engine.feed(b"one\r\ntwo")
    before = engine.screen()
    process = engines(host)[0]
    process.send_signal(signal.SIGSTOP)
    engine.feed(b"\x1b[1;1HONE")
    engine.be_patient(0.05)
    with pytest.raises(EngineBusyError):
        engine.screen()
    engine.feed(b"\x1b[3;1Hthree")
    process.send_signal(signal.SIGCONT)
    engine.be_patient(None)
    after = engine.screen()

    assert [row[0].text.strip() for row in after] == ["ONE", "two", "three"]
    assert after[1] is before[1]


def test_closing_wakes_who_waits_in_another_thread(host: EngineHost):
    engine = RemoteEngine(host=host)
    engine.settle()
    processes = engines(host)
    processes[0].send_signal(signal.SIGSTOP)
    found: list[EngineEndedError] = []

    def ask() -> None:
        try:
            engine.text()
        except EngineEndedError as error:
            found.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    while not engine.process._lock.locked():
        time.sleep(0.01)
    engine.close()
    asking.join(60)
    assert not asking.is_alive()
    assert [error.wanted for error in found] == [True]
    assert all_gone(processes)


def test_one_that_nobody_holds_is_ended(host: EngineHost):
    engine = RemoteEngine(host=host)
    engine.settle()
    processes = engines(host)
    del engine
    gc.collect()
    assert all_gone(processes)


def test_a_host_that_was_ended_is_started_again(host: EngineHost):
    engine = RemoteEngine(host=host)
    engine.feed(b"one")
    assert engine.text() == "one"
    left = engines(host)
    first = psutil.Process(host.pid)
    first.kill()
    first.wait(60)

    other = RemoteEngine(host=host)
    other.feed(b"two")
    assert (engine.text(), other.text()) == ("one", "two")
    left[0].kill()
    engine.feed(b"x")
    assert reason(engine) == "it is gone"
    assert not first.is_running()


def test_its_own_process_is_poor(host: EngineHost):
    secret = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(secret, True)
    os.environ["CABTRACE_TEST_SECRET"] = "hunter2"
    try:
        engine = RemoteEngine(host=host)
        engine.settle()
        first, process = psutil.Process(host.pid), engines(host)[0]
        assert "CABTRACE_TEST_SECRET" not in first.environ() | process.environ()
        if sys.platform == "linux":
            assert secret not in [int(name) for name in os.listdir(f"/proc/{process.pid}/fd")]  # noqa: PTH208 - names alone
            assert process.num_fds() == 3
            assert process.rlimit(psutil.RLIMIT_CORE) == process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
            assert 0 < process.rlimit(psutil.RLIMIT_AS)[0] <= 2**30
        assert os.getsid(process.pid) == os.getsid(first.pid) != os.getsid(0)
        for each in (first, process):
            each.send_signal(signal.SIGINT)
        engine.feed(b"still here")
        assert engine.text() == "still here"
    finally:
        os.close(secret)
        del os.environ["CABTRACE_TEST_SECRET"]


_PARENT = """
import os, sys, time
from replay.engine_answers import EngineBusyError
from replay.engine_host import EngineHost
from replay.engine_remote import RemoteEngine
host = EngineHost("tests.support.fragile_engine")
idle, hangs = RemoteEngine(host=host), RemoteEngine(host=host)
idle.settle()
hangs.settle()
hangs.feed(b"<hang>")
hangs.be_patient(0.1)
try:
    hangs.text()
except EngineBusyError:
    print(host.pid, flush=True)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize("killed", [True, False])
def test_they_end_with_the_replay_also_where_they_hang(killed: bool):
    seconds = "600" if killed else "0.5"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, seconds], stdout=subprocess.PIPE, env=env)
    assert parent.stdout is not None
    with parent.stdout:
        first = psutil.Process(int(parent.stdout.readline()))
        processes = [first, *first.children()]
        assert len(processes) == 3
        if killed:
            parent.kill()
        assert parent.wait(60) == (-signal.SIGKILL if killed else 0)
    assert all_gone(processes)


def test_where_no_process_can_be_started_that_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OSError, match="nowhere"):
        RemoteEngine(host=EngineHost())
    monkeypatch.undo()
    assert reason(RemoteEngine(host=EngineHost("replay.no_such_module"))) == "it cannot be loaded here"
