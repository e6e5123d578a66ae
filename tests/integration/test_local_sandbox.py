"""The local sandbox with real processes: what it promises, what it leaves behind, what it does not promise."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cabtrace.errors import AgentNotFoundError, SandboxError, StoreError
from cabtrace.protocols import Command, SandboxFacts
from cabtrace.runner.leftovers import Leftover, claim_scratch, find_leftovers, release_scratch, remove
from cabtrace.runner.pty import Ending, pump
from cabtrace.runner.sandbox.local import LEFT_OPEN, LocalSandbox
from cabtrace.runner.sandbox.owner import RUN_VARIABLE, current_owner
from cabtrace.runner.sandbox.processes import marked_processes

RUN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSandbox]:
    made = LocalSandbox(tmp_path / "box", env_marker=f"{RUN}-{tmp_path.name}")
    yield made
    made.close()


def run(sandbox: LocalSandbox, facts: SandboxFacts, script: str, *, timeout_s: float = 60, **options: object) -> tuple[Ending, str]:
    command = Command(("sh", "-c", script), {}, facts.paths.workdir)
    return run_command(sandbox, Command(**{**{name: getattr(command, name) for name in command.__slots__}, **options}), timeout_s)  # type: ignore[arg-type]  # options are fields of Command


def run_command(sandbox: LocalSandbox, command: Command, timeout_s: float = 60) -> tuple[Ending, str]:
    output = bytearray()
    process = sandbox.start(command)
    ending = pump(
        process,
        on_output=lambda _when, data: output.extend(data),
        now_ns=time.monotonic_ns,
        deadline_ns=time.monotonic_ns() + int(timeout_s * 1e9),
        grace_s=1,
        cancelled=threading.Event(),
    )
    process.close()
    return ending, output.decode("utf-8", "replace")


def wait_until(done: object, timeout_s: float = 30) -> None:
    until = time.monotonic() + timeout_s
    while not done():  # type: ignore[operator]  # any callable
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def test_it_says_that_it_isolates_nothing(sandbox: LocalSandbox) -> None:
    facts = sandbox.open()

    assert facts.isolated is False
    assert facts.left_open == (LEFT_OPEN,)
    assert (facts.listen_host, facts.reach_host) == ("127.0.0.1", "127.0.0.1")
    assert all(Path(path).is_dir() for path in (facts.paths.workdir, facts.paths.home, facts.paths.tests, facts.paths.logs, facts.paths.solution))


def test_the_environment_is_clean(sandbox: LocalSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-users-own")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    facts = sandbox.open()

    _, output = run(sandbox, facts, "env", env={"GIVEN": "a b", "TERM": "dumb"})

    variables = dict(line.split("=", 1) for line in output.splitlines())
    variables.pop("_", None)
    assert set(variables) == {"PATH", "LANG", "TERM", "HOME", "TMPDIR", "GIVEN", "PWD", RUN_VARIABLE, "CABTRACE_OWNER"}
    assert variables["PATH"] == os.environ["PATH"]
    assert variables["HOME"] == facts.paths.home
    assert (variables["GIVEN"], variables["TERM"], variables["LANG"]) == ("a b", "dumb", "C.UTF-8")


def test_the_terminal_has_its_size_and_controls_the_command(sandbox: LocalSandbox) -> None:
    facts = sandbox.open()

    ending, output = run(sandbox, facts, "stty size; test -t 0 && test -t 1 && test -t 2 && echo terminal; echo through >/dev/tty", columns=91, rows=17)

    assert ending == Ending(0)
    assert output.split() == ["17", "91", "terminal", "through"]


def test_ctrl_c_typed_at_the_terminal_reaches_the_command(sandbox: LocalSandbox) -> None:
    facts = sandbox.open()
    process = sandbox.start(Command(("sh", "-c", "trap 'exit 42' INT; echo ready; while :; do sleep 0.05; done"), {}, facts.paths.workdir))
    wait_until(lambda: b"ready" in reading(process))

    os.write(process.fileno(), b"\x03")

    wait_until(lambda: process.poll() is not None)
    assert process.poll() == 42


def reading(process: object) -> bytes:
    with contextlib.suppress(BlockingIOError):
        return process.read()  # type: ignore[attr-defined, no-any-return]  # a LocalProcess
    return b""


def test_a_missing_program_is_named(sandbox: LocalSandbox, tmp_path: Path) -> None:
    facts = sandbox.open()
    for name in ("no-such-agent", "./no-such-agent", "/no/such/agent", ""):
        with pytest.raises(AgentNotFoundError, match=name or "empty"):
            run_command(sandbox, Command((name,), {}, facts.paths.workdir))
    text = tmp_path / "box" / "workdir" / "text"
    text.write_text("not a program")
    text.chmod(0o755)
    with pytest.raises(AgentNotFoundError, match="cannot be run"):
        run_command(sandbox, Command(("./text",), {}, facts.paths.workdir))
    with pytest.raises(SandboxError, match="does not exist"):
        run_command(sandbox, Command(("true",), {}, "/no/such/folder"))
    with pytest.raises(SandboxError, match="longer"):
        run_command(sandbox, Command(("true", "x" * 5_000_000), {}, facts.paths.workdir))
    with pytest.raises(SandboxError, match="zero byte"):
        run_command(sandbox, Command(("true", "\0"), {}, facts.paths.workdir))


def test_a_path_of_the_commands_own_counts(sandbox: LocalSandbox) -> None:
    facts = sandbox.open()
    tool = Path(facts.paths.home) / "bin" / "own-tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho found\n")
    tool.chmod(0o755)

    _, output = run_command(sandbox, Command(("own-tool",), {"PATH": f"{tool.parent}:{os.environ['PATH']}"}, facts.paths.workdir))

    assert output == "found\r\n"


HIDERS = {
    "in the background": "sleep 987 &",
    "in a session of its own": "(setsid sleep 987 >/dev/null 2>&1 &);",
    "with a clean environment": "(env -i setsid sleep 987 >/dev/null 2>&1 &);",
    "forked twice": "(env -i setsid sh -c '(setsid sleep 987 &) ; exit' &);",
    "deaf": "(setsid sh -c \"trap '' TERM HUP INT; sleep 987\" &);",
}


def sleepers() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[:2] == ["sleep", "987"]:
                found.append(process)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="a process that cleared its environment is only found on Linux")
@pytest.mark.parametrize("script", HIDERS.values(), ids=HIDERS.keys())
def test_nothing_outlives_its_command(sandbox: LocalSandbox, script: str) -> None:
    facts = sandbox.open()

    ending, _ = run(sandbox, facts, f"{script} sleep 0.3; exit 3")

    assert ending == Ending(3)
    assert sleepers() == []


@pytest.mark.parametrize("script", HIDERS.values(), ids=HIDERS.keys())
def test_nothing_outlives_a_kill(sandbox: LocalSandbox, script: str) -> None:
    facts = sandbox.open()
    process = sandbox.start(Command(("sh", "-c", f"{script} sleep 0.3; echo ready; sleep 100"), {}, facts.paths.workdir))
    wait_until(lambda: b"ready" in reading(process))

    process.kill()

    assert process.poll() == 137
    assert sleepers() == []


def test_an_earlier_command_is_over_when_the_next_starts(sandbox: LocalSandbox) -> None:
    facts = sandbox.open()
    sandbox.start(Command(("sleep", "987"), {}, facts.paths.workdir))
    wait_until(lambda: len(sleepers()) == 1)

    ending, _ = run(sandbox, facts, "exit 0")

    assert ending == Ending(0)
    assert sleepers() == []


def test_folders_in_and_out(sandbox: LocalSandbox, tmp_path: Path) -> None:
    facts = sandbox.open()
    source, back = tmp_path / "source", tmp_path / "back"
    (source / "sub").mkdir(parents=True)
    back.mkdir()
    (source / "sub" / "a").write_text("1")
    (source / "link").symlink_to("sub/a")
    (source / "evil").symlink_to("/etc/passwd")

    sandbox.put(source, facts.paths.workdir)
    run(sandbox, facts, "echo 2 >> sub/a; ln -s / root; mkfifo pipe; echo new > new")
    sandbox.get(facts.paths.workdir, back)

    assert (back / "sub" / "a").read_text() == "12\n"
    assert (back / "new").read_text() == "new\n"
    assert (back / "link").readlink() == Path("sub/a")
    assert sorted(path.name for path in back.iterdir()) == ["link", "new", "sub"]
    assert {name for name, _ in sandbox.skipped} == {"evil", "root", "pipe"}


def test_the_verifiers_folders_are_fresh(sandbox: LocalSandbox, tmp_path: Path) -> None:
    facts = sandbox.open()
    run(sandbox, facts, f"echo 1 > {facts.paths.logs}/reward.txt; echo evil > {facts.paths.tests}/conftest.py; rm -rf {facts.paths.solution}; ln -s / {facts.paths.solution}")
    tests = tmp_path / "given"
    tests.mkdir()
    (tests / "test.sh").write_text("true")

    sandbox.put(tests, facts.paths.tests)
    sandbox.put(tests, facts.paths.solution)

    assert [path.name for path in Path(facts.paths.tests).iterdir()] == ["test.sh"]
    assert list(Path(facts.paths.logs).iterdir()) == []
    assert not Path(facts.paths.solution).is_symlink()


def test_a_workdir_that_became_a_link_is_not_followed(sandbox: LocalSandbox, tmp_path: Path) -> None:
    facts = sandbox.open()
    back = tmp_path / "back"
    back.mkdir()
    run(sandbox, facts, f"cd /; rm -rf {facts.paths.workdir}; ln -s /etc {facts.paths.workdir}")

    sandbox.get(facts.paths.workdir, back)

    assert list(back.iterdir()) == []
    assert sandbox.skipped


@pytest.mark.parametrize("target", ["/tmp/elsewhere", "{box}", "{box}/..", "{box}/workdir/../../x", "relative"])
def test_only_folders_of_the_box_are_written(sandbox: LocalSandbox, tmp_path: Path, target: str) -> None:
    sandbox.open()
    with pytest.raises(SandboxError, match="not a folder of this sandbox"):
        sandbox.put(tmp_path, target.format(box=tmp_path / "box"))


def test_close_removes_everything_once(tmp_path: Path) -> None:
    sandbox = LocalSandbox(tmp_path / "box", env_marker=RUN)
    facts = sandbox.open()
    run(sandbox, facts, "mkdir -p deep/er; chmod 000 deep; touch ../home/x")

    assert sandbox.close() == [f"folder {tmp_path / 'box'}"]
    assert sandbox.close() == []
    assert list(tmp_path.iterdir()) == []


def test_a_failed_open_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    sandbox = LocalSandbox(tmp_path / "file" / "box", env_marker=RUN)

    with pytest.raises(SandboxError):
        sandbox.open()

    assert sandbox.close() == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_open_over_another_box_is_refused_and_leaves_that_alone(tmp_path: Path) -> None:
    first = LocalSandbox(tmp_path / "box", env_marker=RUN)
    facts = first.open()
    (Path(facts.paths.home) / "mine").write_text("kept")

    with pytest.raises(SandboxError, match="cannot be made"):
        LocalSandbox(tmp_path / "box", env_marker=RUN).open()

    assert (Path(facts.paths.home) / "mine").read_text() == "kept"
    first.close()


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
    return subprocess.Popen([sys.executable, "-c", RUNNER, str(root), run_id, script, str(rest_s)], stdout=subprocess.PIPE, text=True)


def ours(root: Path, run_id: str) -> list[Leftover]:
    return [item for item in find_leftovers(root) if item.run_id == run_id]


def test_a_living_run_is_not_touched(tmp_path: Path) -> None:
    runner = start_runner(tmp_path, RUN, "sleep 987", 60)
    try:
        assert runner.stdout is not None
        wait_until(lambda: runner.stdout.readline() == "started\n")  # type: ignore[union-attr]  # asserted above

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
    wait_until(lambda: runner.stdout.readline() == "started\n")  # type: ignore[union-attr]  # asserted above
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
    """25 runners, killed after ever longer times, from before their folder is made until after it is gone."""
    for turn in range(25):
        run_id = f"{turn:032x}"
        runner = start_runner(tmp_path, run_id, "(setsid sleep 987 &) sleep 0.05", 0.05)
        assert runner.stdout is not None
        runner.stdout.readline()
        with contextlib.suppress(subprocess.TimeoutExpired):
            runner.wait(turn * 0.012)
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
subprocess.Popen(["sleep", "987"], env=env, start_new_session=True)
"""
    subprocess.run([sys.executable, "-c", code], check=True)

    found = [item for item in ours(tmp_path, RUN) if item.kind == "process"]
    assert [remove(item) for item in found] == [True]

    assert sleepers() == []


def test_a_stray_of_this_living_process_is_left_alone(tmp_path: Path) -> None:
    env = {**os.environ, RUN_VARIABLE: RUN, "CABTRACE_OWNER": str(current_owner())}
    with subprocess.Popen(["sleep", "987"], env=env) as stray:
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
    code = f"from pathlib import Path; from cabtrace.runner.leftovers import claim_scratch; claim_scratch(Path({str(elsewhere)!r}), {RUN!r})"
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
