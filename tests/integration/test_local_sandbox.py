"""The local sandbox with real processes: what it promises, what it leaves behind, what it does not promise."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cabtrace.errors import AgentNotFoundError, SandboxError
from cabtrace.protocols import Command
from cabtrace.runner.pty import Ending
from cabtrace.runner.sandbox.local import LEFT_OPEN, LocalSandbox
from cabtrace.runner.sandbox.owner import RUN_VARIABLE
from tests.support.local_box import HIDERS, NAP, RUN, reading, run, run_command, sleepers, wait_until


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[LocalSandbox]:
    made = LocalSandbox(tmp_path / "box", env_marker=f"{RUN}-{tmp_path.name}")
    yield made
    made.close()


def test_it_says_that_it_isolates_nothing(sandbox: LocalSandbox) -> None:
    facts = sandbox.open()

    assert facts.isolated is False
    assert facts.left_open == (LEFT_OPEN,)
    assert (facts.listen_host, facts.reach_host) == ("127.0.0.1", "127.0.0.1")
    assert all(
        Path(path).is_dir()
        for path in (facts.paths.workdir, facts.paths.home, facts.paths.tests, facts.paths.logs, facts.paths.solution)
    )


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

    ending, output = run(
        sandbox,
        facts,
        "stty size; test -t 0 && test -t 1 && test -t 2 && echo terminal; echo through >/dev/tty",
        columns=91,
        rows=17,
    )

    assert ending == Ending(0)
    assert output.split() == ["17", "91", "terminal", "through"]


def test_ctrl_c_typed_at_the_terminal_reaches_the_command(sandbox: LocalSandbox) -> None:
    facts = sandbox.open()
    process = sandbox.start(
        Command(("sh", "-c", "trap 'exit 42' INT; echo ready; while :; do sleep 0.05; done"), {}, facts.paths.workdir)
    )
    wait_until(lambda: b"ready" in reading(process))

    os.write(process.fileno(), b"\x03")

    wait_until(lambda: process.poll() is not None)
    assert process.poll() == 42


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
    sandbox.start(Command(("sleep", NAP), {}, facts.paths.workdir))
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
    run(
        sandbox,
        facts,
        f"echo 1 > {facts.paths.logs}/reward.txt; echo evil > {facts.paths.tests}/conftest.py; "
        f"rm -rf {facts.paths.solution}; ln -s / {facts.paths.solution}",
    )
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
