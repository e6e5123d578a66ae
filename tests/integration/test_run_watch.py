"""`cabtrace run --watch` on a real pseudo-terminal: the cell is a process of its own, and the replay follows it."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cabtrace.cli.main import main
from cabtrace.modelserver.server import ModelServer
from cabtrace.store.catalog import list_runs, summarize
from cabtrace.store.reader import RunView
from tests.support.cells import DONE, LOOK, MEND, Cells, Step, fault, says, script
from tests.support.pty_app import PtyApp

PATIENCE_S = 120.0


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cells:
    monkeypatch.setenv("CABTRACE_SCRATCH", str(tmp_path / "scratch"))
    return Cells(tmp_path)


def argv(cells: Cells, *more: str) -> list[str]:
    words = ["run", "--task", str(cells.task()), "--agent", "reference", "--model", "m", "--sandbox", "local"]
    return [*words, "--store", str(cells.store), "--timeout", "100", *more]


@contextmanager
def watching(cells: Cells, *steps: Step, columns: int = 120) -> Iterator[PtyApp]:
    server = ModelServer([script(*steps)], speed=0)
    server.start()
    os.environ["CABTRACE_ENDPOINT"] = server.url
    try:
        with PtyApp([sys.executable, "-m", "cabtrace.cli.main", *argv(cells, "--watch")], columns=columns) as app:
            yield app
    finally:
        del os.environ["CABTRACE_ENDPOINT"]
        server.stop()


def plain(app: PtyApp) -> str:
    return re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", app.output).decode("utf-8", "replace")


def ended(run: Path) -> str:
    until = time.monotonic() + PATIENCE_S
    while summarize(run).live:
        assert time.monotonic() < until
        time.sleep(0.05)
    return RunView(run).header.status


def only_run(cells: Cells) -> Path:
    (run,) = list_runs(cells.store)
    return run.path


def test_it_is_followed_to_its_end_and_the_report_comes_after_the_replay(cells: Cells):
    with watching(cells, LOOK, MEND, says(DONE)) as app:
        app.wait_for("✓ PASS".encode(), PATIENCE_S)
        app.settle(0.3)
        app.send(b"q")
        assert app.wait() == 0
    tail = plain(app)[-2_000:]
    assert "✓ passed (passed)" in tail
    assert "Next: cabtrace replay" in tail


def test_a_call_that_hangs_is_named_and_the_cell_goes_on_in_the_background(cells: Cells):
    with watching(cells, LOOK, fault(MEND, hang_s=90.0, times=1), says(DONE)) as app:
        app.wait_for(b": no answer for", PATIENCE_S)
        assert "chat #2" in plain(app)
        app.send(b"q", quiet_s=0.1)
        app.wait_for(b"still running")
        app.send(b"\x1b", quiet_s=0.1)
        time.sleep(0.8)  # on its own: an escape right before a letter is that letter with alt
        app.send(b"q", quiet_s=0.1)
        app.send(b"b")
        assert app.wait() == 0
        run = only_run(cells)
        assert "goes on in the background" in plain(app)
        assert f"--follow {run}" in plain(app)
        assert summarize(run).live
        (process,) = re.findall(r"\(process (\d+)\)", plain(app))
        os.kill(int(process), signal.SIGTERM)
        assert ended(run) == "finished"


def test_a_tool_that_hangs_is_a_silence(cells: Cells):
    with watching(cells, LOOK, "sleep 60", says(DONE)) as app:
        app.wait_for(b"tools of chat #2: nothing heard for", PATIENCE_S)
        app.send(b"q", quiet_s=0.1)
        app.send(b"s")
        assert app.wait(PATIENCE_S) == 3


def test_it_can_be_stopped_and_its_records_are_finished(cells: Cells):
    with watching(cells, "sleep 90", says(DONE)) as app:
        app.wait_for(b"LIVE", PATIENCE_S)
        app.settle(0.1)  # a live run's time goes on twice a second
        app.send(b"q", quiet_s=0.1)
        app.wait_for(b"still running")
        app.send(b"s")
        assert app.wait(PATIENCE_S) == 3
    run = only_run(cells)
    assert "cancelled" in plain(app)
    assert RunView(run).header.status == "finished"
    assert RunView(run).header.cause == "cancelled"


def test_a_terminal_that_goes_away_does_not_take_the_cell_with_it(cells: Cells):
    with watching(cells, "sleep 3", MEND, says(DONE)) as app:
        app.wait_for(b"LIVE", PATIENCE_S)
        app.settle(0.3)
        app.signal(signal.SIGHUP)
        app.wait(PATIENCE_S)
        run = only_run(cells)
        assert ended(run) == "finished"
    assert RunView(run).header.verdict == "passed"


def test_what_is_wrong_is_said_before_anything_is_shown(cells: Cells):
    with PtyApp(
        [sys.executable, "-m", "cabtrace.cli.main", *argv(cells, "--watch", "--endpoint", "http://127.0.0.1:9/v1")]
    ) as app:
        assert app.wait() == 3
    assert b"?1049h" not in app.output
    assert b"cabtrace: " in app.output


@pytest.mark.parametrize(("more", "sentence"), [((), "--watch needs a terminal."), (("--json",), "--watch and --json exclude")])
def test_it_needs_a_terminal(cells: Cells, capsys: pytest.CaptureFixture[str], more: Sequence[str], sentence: str):
    server = ModelServer([script(says(DONE))], speed=0)
    server.start()
    try:
        assert main(argv(cells, "--watch", "--endpoint", server.url, *more)) == 2
    finally:
        server.stop()
    assert sentence in capsys.readouterr().err
