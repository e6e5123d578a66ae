"""Forty secrets, in everything that a run takes in: not one byte of them in the store, finished, killed or recovered."""

from __future__ import annotations

import base64
import json
import os
import random
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from cabtrace.modelserver.script import Script, ScriptedModel, ToolCall, Turn
from cabtrace.modelserver.server import ModelServer
from cabtrace.store.catalog import list_runs
from cabtrace.store.reader import RunView
from cabtrace.store.recover import recover
from cabtrace.store.verify import verify_run
from tests.security.secrets_corpus import fake_secrets, known_values
from tests.support.cli_rig import CommandLine, make_task

KILLS = 200 if os.environ.get("CABTRACE_SOAK") else 50
AT_ONCE = 4
AGENT = Path(__file__).parents[1] / "support" / "leaky_agent.py"

PLANTED = fake_secrets()
# A second set, of which no format gives any away: secret by the name of a variable or a flag, and then echoed on their own.
_VALUES = random.Random(11)
NAMED = [f"{_VALUES.randbytes(9).hex()}-{number}-{_VALUES.randbytes(6).hex()}" for number in range(12)]
HOST_ENV = {
    "PLANTED_API_KEY": NAMED[0],
    "PLANTED_SECRET": NAMED[1],
    "DATABASE_PASSWORD": NAMED[2],
    "CI_JOB_TOKEN": NAMED[3],
    "SESSION_COOKIE": NAMED[4],
    "DB_PASS": NAMED[5],
    "DATABASE_URL": f"postgres://ann:{NAMED[6]}@db.example:5432/app",
}
ARGV = ["--api-key", NAMED[7], f"--password={NAMED[8]}", "-u", f"ann:{NAMED[9]}", f"SERVICE_TOKEN={NAMED[10]}"]
IN_TASK_ENV = NAMED[11]
ECHOED = [*NAMED[:10], NAMED[10], IN_TASK_ENV]


def forms(value: str) -> Iterator[bytes]:
    """A value as it would stand in one of the files: as it is, and as JSON writes it."""
    yield value.encode()
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1].encode()


NEEDLES = sorted(
    {form for value in [*(s.value for s in PLANTED), *known_values(PLANTED).values(), *NAMED] for form in forms(value)}
)


def hits(folder: Path) -> dict[str, list[str]]:
    """Where a secret is found, in the bytes and in the name of everything below a folder; by file, with the secrets' heads."""
    found: dict[str, list[str]] = {}
    for path in [folder, *folder.rglob("*")]:
        name = os.fsencode(path.relative_to(folder))
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        leaked = [needle.decode() for needle in NEEDLES if needle in data or needle in name]
        if leaked:
            found[str(path.relative_to(folder))] = leaked
    return found


def leaky_task(folder: Path) -> Path:
    """A task whose prompt, files, environment, tests and solution hold all of them."""
    carriers = [secret.carrier for secret in PLANTED]
    listed = "\n".join(carriers)
    test_sh = f'cat <<\'SECRETS\'\n{listed}\nSECRETS\ncat "$CABTRACE_WORKDIR/notes.txt"\necho "$TASK_API_KEY"\nexit 1\n'
    return make_task(
        folder,
        instruction=f"Use these:\n{listed}\n",
        files={"given.txt": listed, "notes.txt": "nothing yet\n", "secrets.json": json.dumps([*carriers, *ECHOED])},
        test_sh=test_sh,
        more=f'[environment.env]\nTASK_API_KEY = "{IN_TASK_ENV}"\n[verifier.env]\nTASK_API_KEY = "{IN_TASK_ENV}"\n',
    )


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A model that says every secret, in text and in the arguments of its tool calls, streamed in pieces."""
    carriers = [*(secret.carrier for secret in PLANTED), *ECHOED]
    turns = tuple(
        Turn(
            text=f"I know {' and '.join(carriers[part::3])}.",
            tool_call=(ToolCall(name="*", arguments={"command": f"printf '%s\\n' {shlex.join(carriers[part::3])}"}),),
        )
        for part in range(3)
    )
    server = ModelServer([Script(schema_version="1", model=(ScriptedModel(name="*", turn=turns),))], speed=0, api_key=NAMED[0])
    server.start()
    yield server.url
    server.stop()


def command_line(folder: Path, endpoint: str) -> CommandLine:
    told = {f"KNOWN_{number}_TOKEN": value for number, value in enumerate(known_values(PLANTED).values())}
    env = {**HOST_ENV, **told, "CABTRACE_API_KEY": NAMED[0], "CABTRACE_ENDPOINT": endpoint}
    return CommandLine(folder, env)


def leaky_argv(task: Path, extra: Sequence[str] = ()) -> list[str]:
    return ["run", "--task", str(task), "--sandbox", "local", "--agent", "command", "--model", f"m-{PLANTED[0].value}", *extra,
            "--", sys.executable, str(AGENT), "secrets.json", *ARGV]  # fmt: skip


def test_a_finished_run_holds_none(tmp_path: Path, endpoint: str) -> None:
    cabtrace = command_line(tmp_path, endpoint)
    done = cabtrace.run(*leaky_argv(leaky_task(tmp_path / "task"), ["--sweep", f"s {PLANTED[20].value}"]))

    assert done.code == 1, done.err
    [summary] = list_runs(cabtrace.store)
    view = RunView(summary.path)
    # they did come by: in the terminal, the calls, the patch, the names of files, the tests' output
    assert view.header.cause == "agent_error"
    assert len(view.calls()) == 6
    assert sum(view.header.redactions.values()) > 40 * 6
    for text in (
        view.terminal_text(10**7),
        view.patch(),
        str(view.changes()),
        str(view.verification()),
        view.header.task.instruction,
    ):
        assert "[redacted:" in text
    assert all("[redacted:" in str(view.call_body(call.call_id)) for call in view.calls())
    assert "RuntimeError" in view.terminal_text(10**6)
    assert verify_run(summary.path).problems == ()

    assert hits(cabtrace.store) == {}
    needles = [needle.decode() for needle in NEEDLES]
    assert [n for n in needles if n in done.out or n in done.err] == []
    for command in (["ls"], ["show", "@last"], ["show", "--json", "@last"], ["replay", "--plain", "@last"]):
        shown = cabtrace.run(*command)
        assert [n for n in needles if n in shown.out] == [], command


def streamed_text(sse: str) -> str:
    """What the pieces of a streamed answer say when they are put together again, as any reader would."""
    said = []
    for line in sse.splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:]).get("choices", ()):
            delta = choice.get("delta") or {}
            said += [delta.get("content") or "", *(c["function"].get("arguments") or "" for c in delta.get("tool_calls") or ())]
    return "".join(said)


def test_a_streamed_answer_cannot_be_put_together_again(tmp_path: Path, endpoint: str) -> None:
    cabtrace = command_line(tmp_path, endpoint)
    cabtrace.run(*leaky_argv(leaky_task(tmp_path / "task")))

    [summary] = list_runs(cabtrace.store)
    view = RunView(summary.path)
    streams = [body.response_text or "" for body in (view.call_body(c.call_id) for c in view.calls())]
    streamed = [streamed_text(text) for text in streams if text.startswith("data: ")]
    assert len(streamed) == 3
    assert all("I know" in text and "[redacted:" in text for text in streamed)
    leaked = [needle for needle in NEEDLES for text in streamed if needle.decode() in text]
    assert leaked == []


def test_the_reference_agent_leaks_none(tmp_path: Path, endpoint: str) -> None:
    cabtrace = command_line(tmp_path, endpoint)
    argv = ["run", "--task", str(leaky_task(tmp_path / "task")), "--sandbox", "local", "--agent", "reference", "--model", "m"]

    done = cabtrace.run(*argv, "--", *ARGV)

    assert done.code == 1, done.err
    view = RunView(list_runs(cabtrace.store)[0].path)
    assert len(view.calls()) == 4
    assert any(span.name == "execute_tool shell" for span in view.spans())
    assert hits(cabtrace.store) == {}


def test_no_bodies_means_no_bodies(tmp_path: Path, endpoint: str) -> None:
    cabtrace = command_line(tmp_path, endpoint)

    cabtrace.run(*leaky_argv(leaky_task(tmp_path / "task"), ["--no-bodies"]))

    run = list_runs(cabtrace.store)[0].path
    assert not (run / "calls.jsonl").exists()
    assert hits(cabtrace.store) == {}


def _kill_at(cabtrace: CommandLine, task: Path, seed: int) -> None:
    """Starts a run, lets it come to a seeded line of its progress and a seeded moment after it, and kills it outright."""
    moment = random.Random(seed)
    process = cabtrace.start(*leaky_argv(task, ["--sweep", f"kill{seed}"]))
    assert process.stderr is not None
    assert process.stdout is not None
    try:
        for _ in range(moment.choice((0, 1, 2, 2, 2, 3, 4, 5))):
            process.stderr.readline()
        time.sleep(moment.random() * 0.5)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        process.stderr.close()


def processes_of(cabtrace: CommandLine) -> list[str]:
    """Programs that run in a sandbox of this store; their home is in its scratch folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HOME", "").startswith(str(cabtrace.scratch)):
                found.append(" ".join(process.cmdline()))
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_moment_it_holds_none_and_gc_leaves_nothing(tmp_path: Path, endpoint: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    cabtrace = command_line(tmp_path, endpoint)
    task = leaky_task(tmp_path / "task")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda seed: _kill_at(cabtrace, task, seed), range(KILLS)))

    assert hits(cabtrace.store) == {}
    runs = list_runs(cabtrace.store)
    assert len(runs) > KILLS // 2  # most were killed after they had begun
    assert {r.header.status for r in runs if r.header} >= {"running"}
    for run in runs:
        assert run.header is not None, run.error
        view = RunView(run.path)
        assert view.spans() or run.aborted
        recover(run.path)
        assert RunView(run.path).header.status in ("recovered", "finished")
        assert verify_run(run.path).problems == ()
    assert hits(cabtrace.store) == {}
    begun = [run.path for run in runs]  # killed before its first run.json, an attempt is a folder and no run yet
    assert [p.name for path in begun for p in path.rglob("*.tmp")] == []

    done = cabtrace.run("gc")
    assert done.code == 0, done.err
    assert sorted(p.name for p in cabtrace.scratch.iterdir()) == []
    assert processes_of(cabtrace) == []


def test_base64_of_something_longer_is_found_too(tmp_path: Path, endpoint: str) -> None:
    """What stands in the middle of encoded text is not its own base64; the terminal of the agent's last words holds such."""
    cabtrace = command_line(tmp_path, endpoint)
    whole = base64.b64encode(f"user:{NAMED[1]}:more".encode()).decode()
    task = make_task(tmp_path / "task")

    cabtrace.cell(task, "--agent", "command", "--", "echo", f"data {whole} end")

    shown = RunView(list_runs(cabtrace.store)[0].path).terminal_text()
    middle = base64.b64encode(NAMED[1].encode()).decode()[4:-8]
    assert middle not in shown
    assert "data " in shown
