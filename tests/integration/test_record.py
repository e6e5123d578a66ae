"""`cabtrace record` on a real terminal: what the program and the user see is as without it, and the record is whole."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import textwrap
from pathlib import Path

import psutil
import pytest

from cabtrace.examples import example_script
from cabtrace.modelserver.script import load_script
from cabtrace.modelserver.server import ModelServer
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run
from tests.support.pty_app import PtyApp

KEY = "sk-real-key-of-the-endpoint"
CABTRACE = [sys.executable, "-m", "cabtrace"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CABTRACE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("CABTRACE_SCRATCH", str(tmp_path / "scratch"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def recording(*argv: str, options: tuple[str, ...] = (), **size: int) -> PtyApp:
    return PtyApp([*CABTRACE, "record", *options, "--", *argv], **size)


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-u", "-c", textwrap.dedent(code))


def the_run(folder: Path) -> RunView:
    (found,) = folder.parent.joinpath("store").rglob("run.json")
    return RunView(found.parent)


def events(folder: Path) -> list[list[object]]:
    lines = (the_run(folder).path / "terminal.cast").read_text().splitlines()
    return [json.loads(line) for line in lines[1:]]


def text(folder: Path) -> str:
    return "".join(str(event[2]) for event in events(folder) if event[1] == "o")


def resize(app: PtyApp, columns: int, rows: int) -> None:
    fcntl.ioctl(app._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def test_the_record_is_a_runs_and_holds_together(folder: Path) -> None:
    with recording("sh", "-c", "echo on the screen; echo new > made.txt; exit 5") as app:
        assert app.wait() == 5
        assert b"on the screen\r\n" in app.output

    run = the_run(folder)
    header = run.header
    assert (header.status, header.verdict, header.cause, header.exit_code) == ("finished", None, None, 5)
    assert (header.agent.name, header.model, header.timeout_s) == ("sh", "unknown", None)
    assert header.completeness.model_calls == "unknown"
    kinds = [span.text("cabtrace.span.kind") for span in run.spans()]
    assert sorted(kinds) == sorted(["cell", "task_setup", "adapter_run", "tool_call", "container", "cleanup"])
    assert [span.name for span in run.spans() if span.parent_id is None] == ["cell sh interactive/work"]
    assert run.changes()["added"] == ["made.txt"]
    assert b"made.txt" in (run.path / "workspace.patch").read_bytes()
    assert verify_run(run.path).problems == ()
    assert list((folder.parent / "scratch").iterdir()) == []


def test_it_lists_shows_and_exports_like_any_run(folder: Path) -> None:
    with recording("sh", "-c", "echo on the screen") as app:
        assert app.wait() == 0
    listed = subprocess.run([*CABTRACE, "ls"], capture_output=True, text=True, check=True).stdout
    shown = subprocess.run([*CABTRACE, "replay", "--plain", "@last"], capture_output=True, text=True, check=True).stdout
    cast = subprocess.run(
        [*CABTRACE, "export", "asciicast", "@last", "--output", "-"], capture_output=True, text=True, check=False
    )

    assert "recorded" in listed
    assert "sh:launch" in shown
    assert "RECORDED" in shown
    assert cast.returncode == 0, cast.stderr
    assert "on the screen" in cast.stdout


def test_a_resize_reaches_the_program_and_the_record(folder: Path) -> None:
    program = python("""
        import os, signal, time
        seen = []
        signal.signal(signal.SIGWINCH, lambda *_: seen.append(tuple(os.get_terminal_size())))
        print("first", *os.get_terminal_size())
        while (132, 43) not in seen:
            time.sleep(0.02)
        print("now 132 43")
    """)
    with recording(*program, columns=90, rows=30) as app:
        app.wait_for(b"first")
        resize(app, 132, 43)
        assert app.wait() == 0
        assert b"now 132 43" in app.output

    found = events(folder)
    sizes = [event[2] for event in found if event[1] == "r"]
    assert sizes[-1] == "132x43"
    after = [e for e in found if "now 132 43" in str(e[2])]
    assert found.index(after[0]) > found.index(next(e for e in found if e[2] == "132x43"))
    assert [e[0] for e in found] == sorted(e[0] for e in found)


def test_characters_cut_in_the_middle_arrive_whole(folder: Path) -> None:
    words = "grüße → 日本語 😀"
    program = python(f"""
        import os, time
        for byte in {words.encode()!r}:
            os.write(1, bytes([byte]))
            time.sleep(0.002)
    """)
    with recording(*program) as app:
        assert app.wait() == 0
        assert words.encode() in app.output

    assert text(folder) == words


def test_ctrl_c_is_the_programs(folder: Path) -> None:
    program = python("""
        import time
        try:
            print("running")
            time.sleep(60)
        except KeyboardInterrupt:
            print("interrupted, as it should")
            raise SystemExit(42)
    """)
    with recording(*program) as app:
        app.wait_for(b"running")
        app.send(b"\x03")
        assert app.wait() == 42

    assert "interrupted, as it should" in text(folder)
    assert the_run(folder).header.exit_code == 42


def test_what_is_typed_is_not_recorded(folder: Path) -> None:
    program = python("""
        import getpass
        word = getpass.getpass("password: ")
        print("it has", len(word))
    """)
    with recording(*program) as app:
        app.wait_for(b"password: ")
        app.send(b"hunter2-and-more\r")
        assert app.wait() == 0
        assert b"it has 16" in app.output

    assert all(b"hunter2" not in path.read_bytes() for path in the_run(folder).path.rglob("*") if path.is_file())
    assert {event[1] for event in events(folder)} <= {"o", "r"}


def test_the_programs_input_may_be_a_pipe(folder: Path) -> None:
    done = subprocess.run(
        [*CABTRACE, "record", "--", "cat"], input=b"line of input", capture_output=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout) == (0, b"line of input")
    assert text(folder) == "line of input"


def test_a_program_ended_by_a_signal(folder: Path) -> None:
    with recording("sh", "-c", "kill -KILL $$") as app:
        assert app.wait() == 128 + signal.SIGKILL

    assert the_run(folder).header.exit_code == 128 + signal.SIGKILL


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("printf '\\033[?1049h\\033[?1003h\\033[?25l\\033[>1u'; stty raw -echo; kill -KILL $$", 137),
        ("printf ready; exec sleep 60", 143),
    ],
    ids=["killed in the middle of its screen", "cabtrace itself is asked to end"],
)
def test_the_terminal_is_as_it_was(folder: Path, program: str, code: int) -> None:
    command = f'stty -g; {sys.executable} -m cabtrace record -- sh -c "$PROGRAM" & echo pid $!; wait $!; echo rc $?; stty -g'
    # A job that is not in the foreground may not change the terminal, so the shell is told not to make jobs of them.
    script = command.replace(" & echo pid $!; wait $!;", ";") if "kill" in program else command
    os.environ["PROGRAM"] = program
    try:
        with PtyApp(["sh", "-c", script]) as app:
            if "kill" not in program:
                app.wait_for(b"ready")
                os.kill(int(re.findall(rb"pid (\d+)", app.output)[0]), signal.SIGTERM)
            assert app.wait() == 0
    finally:
        del os.environ["PROGRAM"]

    before, *_, after = app.output.split(b"\r\n")[:-1]
    assert f"rc {code}".encode() in app.output
    assert after.strip() == before.strip()
    if code == 137:
        undone = app.output.rpartition(b"\x1b[>1u")[2]
        assert all(mode in undone for mode in (b"\x1b[<1u", b"\x1b[?1049l", b"\x1b[?1003l", b"\x1b[?25h"))
    else:
        assert "The recording was ended by SIGTERM." in the_run(folder).header.warnings


def test_a_closed_terminal_ends_program_and_record(folder: Path) -> None:
    app = recording("sh", "-c", "echo pid $$; exec sleep 600")
    app.wait_for(b"pid ")
    app.settle()
    pid = int(re.findall(rb"pid (\d+)", app.output)[0])
    os.close(app._master)
    os.waitpid(app._pid, 0)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    header = the_run(folder).header
    assert (header.status, header.exit_code) == ("finished", 128 + signal.SIGHUP)


def test_a_program_that_is_not_there_leaves_nothing(folder: Path) -> None:
    done = subprocess.run([*CABTRACE, "record", "--", "no-such-program"], capture_output=True, text=True, check=False)

    assert done.returncode == 3
    assert "'no-such-program' is not on PATH" in done.stderr
    assert not list(folder.parent.joinpath("store").rglob("run.json"))


def test_the_environment_is_the_users(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SETTING", "kept")
    names = python("import os; print(sorted(n for n in os.environ if n != 'LC_CTYPE'), os.environ['SOME_SETTING'], os.getcwd())")
    plain = subprocess.run(names, capture_output=True, text=True, check=True).stdout
    with recording(*names, columns=250) as app:
        app.wait()

    expected = sorted({*json.loads(plain.split("]")[0].replace("'", '"') + "]"), "TERM", "COLORTERM", "PYTHONPATH"})
    assert str(expected) in text(folder).replace("\r\n", "")
    assert text(folder).rstrip().endswith(f"kept {folder}")


def test_files_that_git_ignores_are_no_changes(folder: Path) -> None:
    subprocess.run(["git", "init", "-q", "."], check=True)
    (folder / ".gitignore").write_text("out/\n*.log\n")
    (folder / "kept.txt").write_text("one\n")
    with recording("sh", "-c", "mkdir out; echo x > out/a; echo y > b.log; echo two > kept.txt; rm .gitignore") as app:
        assert app.wait() == 0

    changes = the_run(folder).changes()
    assert (changes["added"], changes["modified"], changes["removed"]) == ([], ["kept.txt"], [".gitignore"])


def test_a_large_folder_is_not_compared_and_the_record_says_so(folder: Path) -> None:
    for number in range(2_001):
        (folder / f"{number}.txt").touch()
    with recording("true") as app:
        assert app.wait() == 0

    run = the_run(folder)
    assert any("Changes of files were not recorded" in warning for warning in run.header.warnings)
    assert not (run.path / "workspace.patch").exists()


ASKS = """
    import json, os, sys, urllib.request
    body = {"model": sys.argv[2], "messages": [{"role": "user", "content": "Make the file."}], "stream": False}
    headers = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"], "Content-Type": "application/json"}
    request = urllib.request.Request(sys.argv[1] + "/v1/chat/completions", json.dumps(body).encode(), headers)
    print(json.load(urllib.request.urlopen(request))["choices"][0]["finish_reason"], end=" ")
    print("key" if any("sk-real-key" in value for value in os.environ.values()) else "no key")
"""


def test_model_calls_go_through_the_proxy_where_the_agent_says_how(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CABTRACE_API_KEY", KEY)
    server = ModelServer([load_script(example_script("hello"))], speed=0, api_key=KEY)
    server.start()
    try:
        options = ("--agent", "command", "--model", "scripted/careful", "--endpoint", server.url)
        with recording(*python(ASKS), "{base_url}", "{model}", options=options) as app:
            assert app.wait() == 0, app.output
            assert b"no key" in app.output
    finally:
        server.stop()

    run = the_run(folder)
    (call,) = run.calls()
    assert [served.request_hash for served in server.requests if served.request_hash] == [call.request_hash]
    assert call.usage.input
    assert call.usage.output
    assert call.finish_reasons
    assert run.header.completeness.model_calls == "complete"
    assert run.header.agent.name == "command"
    known = {(span.trace_id, span.span_id) for span in run.spans()}
    assert all(s.parent_id is None or (s.trace_id, s.parent_id) in known for s in run.spans())
    files = [path.read_bytes() for path in run.path.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in data or b"cbt-" in data for data in files)


def test_what_an_agent_leaves_running_ends_with_its_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ModelServer([load_script(example_script("hello"))], speed=0)
    server.start()
    try:
        options = ("--agent", "command", "--endpoint", server.url)
        program = python("""
            import subprocess
            print("pid", subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.DEVNULL).pid)
        """)
        with recording(*program, options=options) as app:
            assert app.wait() == 0, app.output
    finally:
        server.stop()

    pid = int(re.findall(r"pid (\d+)", text(folder))[0])
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    (cleanup,) = [s for s in the_run(folder).spans() if s.text("cabtrace.span.kind") == "cleanup"]
    assert any("stray process" in str(removed) for removed in cleanup.attributes["cabtrace.cleanup.removed"])
