"""What killed runners left behind is found and removed; what is alive, or not ours, is not touched."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cabtrace.errors import StoreError
from cabtrace.runner.leftovers import Leftover, claim_scratch, find_leftovers, release_scratch, remove
from cabtrace.runner.sandbox.owner import RUN_VARIABLE, current_owner
from cabtrace.runner.sandbox.processes import marked_processes
from tests.support.local_box import HIDERS, NAP, RUN, sleepers, wait_until

RUNNER = textwrap.dedent(
    """
    import sys, time, threading
    from pathlib import Path
    from cabtrace.protocols import Command
    from cabtrace.runner.leftovers import claim_scratch, release_scratch
    from cabtrace.runner.sandbox.local import LocalSandbox
    root, run_id, script = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    print("begin", flush=True)
    scratch = claim_scratch(root, run_id)
    sandbox = LocalSandbox(scratch / "box", env_marker=run_id)
    facts = sandbox.open()
    for name in range(50):
        (Path(facts.paths.workdir) / str(name)).write_text("x")
    process = sandbox.start(Command(("sh", "-c", script), {}, facts.paths.workdir))
    print("started", flush=True)
    time.sleep(float(sys.argv[4]))
    sandbox.close()
    release_scratch(scratch)
    print("closed", flush=True)
    """
)


def start_runner(root: Path, run_id: str, script: str, rest_s: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(root), run_id, script, str(rest_s)], stdout=subprocess.PIPE, text=True
    )


def ours(root: Path, run_id: str) -> list[Leftover]:
    return [item for item in find_leftovers(root) if item.run_id == run_id]


def test_a_living_run_is_not_touched(tmp_path: Path) -> None:
    runner = start_runner(tmp_path, RUN, f"sleep {NAP}", 60)
    try:
        assert runner.stdout is not None
        wait_until(lambda: runner.stdout.readline() == "started\n")

        assert ours(tmp_path, RUN) == []
        assert (tmp_path / RUN / "owner.json").exists()
    finally:
        runner.kill()
        runner.communicate()
    wait_until(lambda: not sleepers())
    for item in ours(tmp_path, RUN):
        assert remove(item)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", HIDERS.values(), ids=HIDERS.keys())
def test_a_killed_runner_takes_its_processes_along_and_gc_the_rest(script: str, tmp_path: Path) -> None:
    runner = start_runner(tmp_path, RUN, f"{script} sleep 100", 60)
    assert runner.stdout is not None
    wait_until(lambda: runner.stdout.readline() == "started\n")
    runner.send_signal(signal.SIGKILL)
    runner.communicate()

    if sys.platform == "linux":
        wait_until(lambda: not sleepers())
    for item in ours(tmp_path, RUN):
        remove(item)

    wait_until(lambda: not sleepers())
    assert list(tmp_path.iterdir()) == []
    assert ours(tmp_path, RUN) == []
    assert list(marked_processes(RUN)) == []


def test_any_kill_point_is_cleaned_up(tmp_path: Path) -> None:
    """20 runners, killed after ever longer times, from before their folder is made until after it is gone."""
    for turn in range(20):
        run_id = f"{turn:032x}"
        runner = start_runner(tmp_path, run_id, f"(setsid sleep {NAP} &); sleep 0.05", 0.05)
        assert runner.stdout is not None
        runner.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            runner.wait(turn * 0.015)
        runner.kill()
        runner.communicate()
        for item in ours(tmp_path, run_id):
            assert remove(item) or item.kind == "process"

    wait_until(lambda: not sleepers())
    assert list(tmp_path.iterdir()) == []


def test_a_stray_with_the_mark_of_a_dead_runner_is_found_and_killed(tmp_path: Path) -> None:
    code = f"""
import subprocess, os
from cabtrace.runner.sandbox.owner import current_owner
env = {{**os.environ, "{RUN_VARIABLE}": "{RUN}", "CABTRACE_OWNER": str(current_owner())}}
subprocess.Popen(["sleep", "{NAP}"], env=env, start_new_session=True)
"""
    subprocess.run([sys.executable, "-c", code], check=True)

    found = [item for item in ours(tmp_path, RUN) if item.kind == "process"]
    assert [remove(item) for item in found] == [True]

    assert sleepers() == []


def test_a_stray_of_this_living_process_is_left_alone(tmp_path: Path) -> None:
    env = {**os.environ, RUN_VARIABLE: RUN, "CABTRACE_OWNER": str(current_owner())}
    with subprocess.Popen(["sleep", NAP], env=env) as stray:
        try:
            wait_until(lambda: len(sleepers()) == 1)
            assert ours(tmp_path, RUN) == []
        finally:
            stray.kill()


def test_folders_that_are_not_ours_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "owner.json").write_text('{"owner": "x"}')
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "owner.json").write_text("[" * 100_000)
    (tmp_path / "fifo").mkdir()
    os.mkfifo(tmp_path / "fifo" / "owner.json")
    (tmp_path / "file").write_text("x")

    assert [item for item in find_leftovers(tmp_path) if item.kind == "folder"] == []


def test_a_link_to_a_dead_runs_folder_is_left_alone(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    code = f"from cabtrace.runner.leftovers import claim_scratch, Path; claim_scratch(Path({str(elsewhere)!r}), {RUN!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    root.mkdir()
    (root / RUN).symlink_to(elsewhere / RUN)

    assert [item for item in find_leftovers(root) if item.kind == "folder"] == []
    assert [item.kind for item in ours(elsewhere, RUN)] == ["folder"]


def test_claims(tmp_path: Path) -> None:
    folder = claim_scratch(tmp_path / "new" / "root", RUN)

    assert [path.name for path in folder.iterdir()] == ["owner.json"]
    with pytest.raises(StoreError, match="cannot be made"):
        claim_scratch(tmp_path / "new" / "root", RUN)
    with pytest.raises(StoreError, match="no run id"):
        claim_scratch(tmp_path, "../x")
    assert [path.name for path in (tmp_path / "new" / "root").iterdir()] == [RUN]
    assert release_scratch(folder)
    assert list((tmp_path / "new" / "root").iterdir()) == []
