"""The replay while its terminal engine ends or hangs: the pane says so, everything else goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabtrace.store import layout
from cabtrace.store.cast import CastEvent
from replay.engine_host import EngineHost
from replay.run import ReplayRun
from replay.tui.widgets import terminal_pane
from tests.support.engines import all_gone, engines
from tests.support.pilot import Driver, drive
from tests.support.sample_run import build_sample_run
from tests.support.tape import write_cast

pytest.importorskip("pyghostty", reason="the VT engine has no wheel for this platform")
COUNT = 80
SIZE = (160, 50)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[EngineHost]:
    host = EngineHost("tests.support.fragile_engine")
    monkeypatch.setattr("replay.engine_remote.engine_host", lambda: host)
    yield host
    host.close()


def recorded(folder: Path, **instead: str) -> Path:
    path = build_sample_run(folder / "store")
    snapshot = ReplayRun(path).snapshot
    step_s = snapshot.timeline.duration_ns / 1e9 / (COUNT + 20)
    events = [CastEvent(n * step_s, "o", instead.get(f"_{n}", f"line {n}\r\n")) for n in range(1, COUNT + 1)]
    write_cast(path / layout.TERMINAL, events)
    return path


def test_what_ends_it_is_said_in_the_title(tmp_path: Path, host: EngineHost):
    run = recorded(tmp_path, _40="<SIGSEGV>boom\r\n")

    async def look(driver: Driver) -> list[str]:
        shown = []
        for key in ("2", "5", "home", "5"):
            await driver.press(key)
            shown.append(driver.text())
        return shown

    early, middle, home, again = drive(look, run.parents[4], run, size=SIZE)
    assert "terminal engine ended" not in early + home
    for screen in (middle, again):
        assert "the terminal engine ended (SIGSEGV) on what was written at" in screen
        assert "line 39" in screen
        assert "line 41" in screen
        assert "boom" not in screen
    assert "adapter_run" in middle
    assert not engines(host)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
def test_one_that_is_ended_is_replaced_at_the_next_key(tmp_path: Path, host: EngineHost, name: str):
    run = recorded(tmp_path)

    async def look(driver: Driver) -> list[str]:
        shown = []
        for key in ("3", "8", "5", "3"):
            await driver.press(key)
            shown.append(driver.text())
            processes = engines(host)
            for process in processes:
                process.send_signal(getattr(signal, name))
            assert all_gone(processes)
        await driver.press("8")
        shown.append(driver.text())
        return shown

    third, eighth, _, again, last = drive(look, run.parents[4], run, size=SIZE)
    assert (again, last) == (third, eighth)
    assert "line 2" in third
    assert "terminal engine" not in last


def test_while_it_hangs_the_keys_work(tmp_path: Path, host: EngineHost, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(terminal_pane, "_PATIENCE_S", 0.2)
    run = recorded(tmp_path)

    async def look(driver: Driver) -> list[str]:
        await driver.press("2")
        process = engines(host)[0]
        process.send_signal(signal.SIGSTOP)
        shown = []
        for key in ("5", "e", "d"):
            await driver.press(key)
            shown.append(driver.text())
        process.send_signal(signal.SIGCONT)
        for _ in range(600):
            await driver.pilot.pause(0.1)
            if "line 3" in driver.text():
                break
        return [*shown, driver.text()]

    *meanwhile, after = drive(look, run.parents[4], run, size=SIZE)
    for screen in meanwhile:
        assert "The terminal engine is at work" in screen
    assert meanwhile[0] != meanwhile[1]
    assert "line 3" in after
    assert "terminal engine" not in after


def test_who_quits_does_not_wait_for_one_that_hangs(tmp_path: Path, host: EngineHost, monkeypatch: pytest.MonkeyPatch):
    run = recorded(tmp_path, _40="<hang>")
    monkeypatch.setattr("replay.engine_remote.SILENT_S", 10_000.0)
    monkeypatch.setattr(terminal_pane, "_PATIENCE_S", 0.2)

    async def look() -> str:
        from replay.tui.app import ReplayApp

        app = ReplayApp(run.parents[4], run)
        async with app.run_test(size=SIZE) as pilot:
            while not any(engines(host)):
                await pilot.pause(0.05)
            await pilot.press("end")
            for _ in range(20):
                await pilot.pause(0.05)
        return "left"

    import asyncio

    assert asyncio.run(look()) == "left"
    assert all_gone(engines(host))
