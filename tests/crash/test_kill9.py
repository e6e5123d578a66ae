"""SIGKILL at seeded moments: what was acknowledged is there, what was running is shown as aborted."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from cabtrace.model.span import SpanState
from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from cabtrace.store.recover import recover
from cabtrace.store.verify import verify_run

KILLS = 2000 if os.environ.get("CABTRACE_SOAK") else 200
AT_ONCE = 4


def kill_one(store: Path, seed: int) -> list[str]:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.recording_child", str(store)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    # the moment is counted in acknowledged records plus a little time, so that it does not hang on the machine's speed
    moment = random.Random(seed)
    acks = [child.stdout.readline() for _ in range(moment.randint(1, 120))]
    time.sleep(moment.random() / 500)
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read()
    child.wait()
    child.stdout.close()
    whole = (b"".join(acks) + rest).decode()
    return whole[: whole.rfind("\n") + 1].splitlines()


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("quarter", range(AT_ONCE))
def test_no_acknowledged_record_is_lost(tmp_path: Path, quarter: int) -> None:
    lost: Counter[str] = Counter()
    for seed in range(quarter, KILLS, AT_ONCE):
        store = tmp_path / str(seed)
        acks = kill_one(store, seed)
        (summary,) = list_runs(store)
        assert summary.aborted, summary
        run = RunView(summary.path)
        ended = {s.name for s in run.spans() if s.state is SpanState.ENDED}
        open_ = {s.name for s in run.spans() if s.state is SpanState.ABORTED}
        printed = "".join(e.data for e in run.terminal_events())
        for kind, _, name in (a.partition(" ") for a in acks):
            match kind:
                case "open":
                    lost[kind] += name not in ended | open_
                case "span":
                    lost[kind] += name not in ended
                case "call":
                    lost[kind] += run.call_body(f"{int(name):016x}").request != {"n": int(name)}
                case "terminal":
                    lost[kind] += f"line {name}\r\n" not in printed
        assert "cell" in open_, "a running span is shown as aborted"

        recover(summary.path)

        again = RunView(summary.path)
        assert again.header.status == "recovered"
        assert all(s.state is SpanState.ENDED for s in again.spans())
        assert {s.name for s in again.spans()} == ended | open_
        assert verify_run(summary.path).problems == ()

    assert +lost == Counter()
