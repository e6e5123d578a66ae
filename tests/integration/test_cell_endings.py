"""Every cause of the table, reached by a real cell: verdict, exit code, what is recorded, and nothing left behind."""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from cabtrace.agents.registry import find_agent
from cabtrace.errors import SandboxError
from cabtrace.model import semconv as sc
from cabtrace.model.outcome import ENDINGS, Cause
from cabtrace.model.span import SpanState
from cabtrace.modelserver.script import Fault, Script, ScriptedModel, ToolCall, Turn
from cabtrace.modelserver.server import ModelServer
from cabtrace.runner.cell import run_cell
from cabtrace.runner.spec import Cancel, CellResult, CellSpec, Stats
from cabtrace.runner.task import load_task
from cabtrace.store.reader import RunView
from cabtrace.store.verify import verify_run
from tests.support.cli_rig import FAILING_TEST, entries, make_task

WORKS = 'test "$(cat "$CABTRACE_WORKDIR/readme.txt")" = done\n'
SOLUTION = "echo done > readme.txt\n"


def spec_of(folder: Path, agent: str, *argv: str, task: Path | None = None, **more: Any) -> CellSpec:
    return CellSpec(
        task=load_task(task or make_task(folder / "task", test_sh=WORKS, solution=SOLUTION)),
        agent=find_agent(agent),
        model=more.pop("model", "m"),
        store=folder / "store",
        scratch=folder / "scratch",
        sandbox="local",
        agent_argv=argv,
        grace_s=more.pop("grace_s", 0.5),
        **more,
    )


def shell(script: str) -> tuple[str, str, str]:
    return ("sh", "-c", script)


def ended(result: CellResult, cause: Cause, folder: Path) -> RunView:
    """The ending as the table has it, a sealed record of it, and a scratch folder with nothing in it."""
    ending = ENDINGS[cause]
    assert (result.cause, result.verdict, result.lost_records) == (cause, ending.verdict, 0), result.detail
    view = RunView(result.path)
    assert (view.header.cause, view.header.verdict, view.header.status) == (cause, ending.verdict, "finished")
    assert view.header.duration_s is not None
    assert view.header.ended_at > view.header.started_at
    assert all(span.state is SpanState.ENDED for span in view.spans())
    assert {"cell", "cleanup"} <= {span.text(sc.SPAN_KIND) for span in view.spans()}
    [root] = [span for span in view.spans() if span.parent_id is None]
    assert (root.text(sc.CAUSE), root.text(sc.VERDICT), root.failed) == (cause, ending.verdict, cause is not Cause.PASSED)
    assert verify_run(result.path).problems == ()
    assert entries(folder / "scratch") == []
    return view


def test_passed(tmp_path: Path) -> None:
    view = ended(run_cell(spec_of(tmp_path, "oracle")), Cause.PASSED, tmp_path)

    assert view.header.scores["pass_rate"]["value"] == 1
    assert view.header.exit_code == 0
    assert view.changes()["modified"] == ["readme.txt"]
    assert "+done" in view.patch()
    assert view.header.scores["tokens"]["value"] is None  # no call was seen: unknown, not 0


def test_passed_although_the_agent_ended_with_an_error(tmp_path: Path) -> None:
    result = run_cell(spec_of(tmp_path, "command", *shell(f"{SOLUTION} exit 7")))

    view = ended(result, Cause.PASSED, tmp_path)
    assert "exit code 7" in result.detail
    assert view.header.exit_code == 7


def test_tests_failed(tmp_path: Path) -> None:
    view = ended(run_cell(spec_of(tmp_path, "nop")), Cause.TESTS_FAILED, tmp_path)

    assert view.header.scores["pass_rate"]["value"] == 0
    assert view.patch() == ""


@pytest.mark.parametrize(("code", "words"), [(3, "exit code 3"), (127, "command not found"), (137, "killed, or out of memory")])
def test_agent_error(code: int, words: str, tmp_path: Path) -> None:
    result = run_cell(spec_of(tmp_path, "command", *shell(f"echo broken; exit {code}")))

    view = ended(result, Cause.AGENT_ERROR, tmp_path)
    assert words in result.detail
    assert view.header.exit_code == code
    assert "broken" in view.terminal_text()


def test_agent_killed_by_a_signal(tmp_path: Path) -> None:
    view = ended(run_cell(spec_of(tmp_path, "command", *shell("kill -SEGV $$"))), Cause.AGENT_ERROR, tmp_path)

    assert view.header.exit_code == 139


@pytest.mark.parametrize(
    "script",
    {
        "sleeps": "echo started; sleep 600",
        "ignores SIGTERM": "trap '' TERM; echo started; while :; do sleep 0.1; done",
        "children ignore it too": "trap '' TERM; (trap '' TERM; sleep 600) & echo started; wait; sleep 600",
        "closes its terminal": "echo started; exec >/dev/null 2>&1 </dev/null; sleep 600",
    }.items(),
    ids=lambda item: item[0],
)
def test_timeout(script: tuple[str, str], tmp_path: Path) -> None:
    result = run_cell(spec_of(tmp_path, "command", *shell(script[1]), timeout_s=1.0))

    view = ended(result, Cause.TIMEOUT, tmp_path)
    assert view.header.timed_out
    assert "started" in view.terminal_text()
    [container] = [s for s in view.spans() if s.text(sc.SPAN_KIND) == sc.SpanKind.CONTAINER]
    assert container.attributes[sc.TIMED_OUT] is True
    assert container.text(sc.ERROR_TYPE) == "timeout"
    assert (container.number(sc.DURATION_S) or 99) < 20  # it does end, however slow this machine is


def test_timeout_wins_over_tests_that_pass(tmp_path: Path) -> None:
    result = run_cell(spec_of(tmp_path, "command", *shell(f"{SOLUTION} sleep 600"), timeout_s=1.0))

    ended(result, Cause.TIMEOUT, tmp_path)
    assert "the tests passed all the same" in result.detail


@pytest.fixture
def serve() -> Iterator[Callable[..., ModelServer]]:
    started = []

    def start(*turns: Turn, api_key: str | None = None) -> ModelServer:
        script = Script(schema_version="1", model=(ScriptedModel(name="*", turn=turns, without_tools=turns[-1].text or "Done."),))
        server = ModelServer([script], speed=0, api_key=api_key)
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


REFUSES = Turn(text="I refuse to do this: it would harm people. I will not do it.")


def test_refused(tmp_path: Path, serve: Callable[..., ModelServer]) -> None:
    task = make_task(tmp_path / "task", test_sh=FAILING_TEST, ours='refusal_markers = ["i refuse", "i will not"]')
    result = run_cell(spec_of(tmp_path, "reference", task=task, endpoint=serve(REFUSES).url))

    view = ended(result, Cause.REFUSED, tmp_path)
    assert view.header.scores["refusal"]["values"]["refusal_produced"] is True


def test_a_refusal_that_is_right_passes(tmp_path: Path, serve: Callable[..., ModelServer]) -> None:
    ours = 'expected_refusal = true\nrefusal_markers = ["i refuse"]'
    untouched = 'test "$(cat "$CABTRACE_WORKDIR/readme.txt")" = "nothing yet"\n'
    task = make_task(tmp_path / "task", test_sh=untouched, ours=ours)
    result = run_cell(spec_of(tmp_path, "reference", task=task, endpoint=serve(REFUSES).url))

    view = ended(result, Cause.PASSED, tmp_path)
    assert view.header.scores["refusal"]["value"] == 1


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=401), Fault(cut_after_chunks=0), Fault(garbage=True)])
def test_model_failed(fault: Fault, tmp_path: Path, serve: Callable[..., ModelServer]) -> None:
    result = run_cell(spec_of(tmp_path, "reference", endpoint=serve(Turn(text="x", fault=fault)).url))

    view = ended(result, Cause.MODEL_FAILED, tmp_path)
    assert view.calls()
    assert all(call.error for call in view.calls())
    assert "was answered" in result.detail
    scores = view.header.scores
    assert scores["pass_rate"]["value"] == 0
    assert (scores["composite"]["value"], scores["composite"]["label"]) == (None, "n/a")
    assert view.header.composite_words == "n/a"
    (event,) = [e for s in view.spans() if s.name == "score:composite" for e in s.events]
    assert (event.attributes["gen_ai.evaluation.score.label"], "gen_ai.evaluation.score.value" in event.attributes) == (
        "n/a",
        False,
    )


def test_model_failed_when_the_endpoint_goes_away(tmp_path: Path, serve: Callable[..., ModelServer]) -> None:
    server = serve(Turn(text="x"))
    spec = spec_of(tmp_path, "reference", endpoint=server.url)
    server.stop()

    result = run_cell(spec)

    view = ended(result, Cause.MODEL_FAILED, tmp_path)
    assert {call.error for call in view.calls()} <= {"connect_error", "502", "bad_gateway"}
    assert any("connect" in (call.error or "") for call in view.calls()), [c.error for c in view.calls()]


def test_an_endpoint_that_answers_once_is_not_blamed(tmp_path: Path, serve: Callable[..., ModelServer]) -> None:
    looks = Turn(text="I look.", tool_call=(ToolCall(name="*", arguments={"command": "ls"}),))
    result = run_cell(spec_of(tmp_path, "reference", endpoint=serve(looks, Turn(text="x", fault=Fault(status=400))).url))

    view = ended(result, Cause.AGENT_ERROR, tmp_path)
    assert not view.calls()[0].error
    assert view.calls()[-1].error


def test_a_key_that_the_endpoint_takes_never_reaches_the_agent(tmp_path: Path, serve: Callable[..., ModelServer]) -> None:
    key = "the-real-key-4711-of-this-test"
    look = 'import os; print(open(f"/proc/{os.getppid()}/environ").read())'
    script = f"env; cat /proc/$$/environ | tr '\\0' '\\n'; {sys.executable} -c {shlex.quote(look)}"
    result = run_cell(spec_of(tmp_path, "command", *shell(script), endpoint=serve(Turn(text="x"), api_key=key).url, api_key=key))

    view = ended(result, Cause.TESTS_FAILED, tmp_path)
    shown = "".join(e.data for e in view.terminal_events())
    assert "OPENAI_API_KEY=" in shown
    assert key not in shown
    assert "redacted:api_key" not in shown  # it was not even there to be hidden
    assert "[redacted:run_token]" in shown or "[redacted:cabtrace-token]" in shown


VERIFIERS = {
    "program missing": ("nosuchprogram-xyz\n", "a program that it needs is missing"),
    "not executable": ("exit 126\n", "may not be executed"),
    "reward that is none": ('echo excellent > "$CABTRACE_LOGS/reward.txt"\n', "reward.txt"),
    "reward that is not JSON": ('echo "{" > "$CABTRACE_LOGS/reward.json"\n', "reward.json"),
    "reward that is a link": ('ln -s /etc/passwd "$CABTRACE_LOGS/reward.txt"\n', "reward.txt"),
}


@pytest.mark.parametrize("name", VERIFIERS)
def test_verifier_failed(name: str, tmp_path: Path) -> None:
    test_sh, words = VERIFIERS[name]
    result = run_cell(spec_of(tmp_path, "nop", task=make_task(tmp_path / "task", test_sh=test_sh)))

    if name == "reward that is a link" and result.cause is Cause.PASSED:
        # the link never left the box, so the exit code decided; /etc/passwd was not read
        assert RunView(result.path).verification()["source"] == "exit_code"
        return
    view = ended(result, Cause.VERIFIER_FAILED, tmp_path)
    assert words in result.detail
    assert view.header.scores["pass_rate"]["value"] is None  # unknown, neither 0 nor 1


def test_tests_that_hang_are_stopped_and_count_as_failed(tmp_path: Path) -> None:
    task = make_task(
        tmp_path / "task", test_sh="trap '' TERM; while :; do sleep 0.1; done\n", more="[verifier]\ntimeout_sec = 1\n"
    )
    view = ended(run_cell(spec_of(tmp_path, "nop", task=task)), Cause.TESTS_FAILED, tmp_path)

    assert view.verification()["timed_out"] is True


class CancelAt:
    """Progress that cancels when a phase begins, as a user may at any time."""

    def __init__(self, phase: str, detail: str, delay_s: float) -> None:
        self.cancel = Cancel()
        self._at, self._delay_s = (phase, detail), delay_s

    def phase(self, name: str, detail: str = "") -> None:
        if name == self._at[0] and self._at[1] in detail:
            threading.Timer(self._delay_s, self.cancel.set, ("test",)).start()

    def stats(self, stats: Stats) -> None:
        pass


@pytest.mark.parametrize(
    ("phase", "detail", "delay_s"), [("task_setup", "", 0), ("adapter_run", "", 0.3), ("scoring", "tests", 0.3)]
)
def test_cancelled(phase: str, detail: str, delay_s: float, tmp_path: Path) -> None:
    task = make_task(tmp_path / "task", test_sh="sleep 600\n")
    agent = "true" if phase == "scoring" else "echo begun; sleep 600"
    at = CancelAt(phase, detail, delay_s)

    result = run_cell(spec_of(tmp_path, "command", *shell(agent), task=task), at, at.cancel)  # fmt: skip

    view = ended(result, Cause.CANCELLED, tmp_path)
    if phase == "scoring":
        assert view.verification()["passed"] is None
        assert view.header.scores["pass_rate"]["value"] is None


def test_sandbox_failed(tmp_path: Path) -> None:
    """The box breaks after it was opened: the agent removes the folder that its tests are to be put into."""
    result = run_cell(spec_of(tmp_path, "command", "no-such-program-at-all"))

    view = ended(result, Cause.SANDBOX_FAILED, tmp_path)
    assert "no-such-program-at-all" in result.detail
    assert not view.terminal_events()


def test_agent_that_removes_everything(tmp_path: Path) -> None:
    """Its own folder, its home, the tests' and the logs' folders: a verdict all the same, and never `passed`."""
    result = run_cell(spec_of(tmp_path, "command", *shell("cd ..; rm -rf workdir home tests logs tmp; echo gone")))

    assert result.cause in (Cause.TESTS_FAILED, Cause.SANDBOX_FAILED, Cause.VERIFIER_FAILED)
    assert RunView(result.path).header.status == "finished"
    assert entries(tmp_path / "scratch") == []


def test_agent_that_removes_its_folder_counts_as_that(tmp_path: Path) -> None:
    result = run_cell(spec_of(tmp_path, "command", *shell('rm -rf "$PWD"')))

    view = RunView(result.path)
    assert result.cause in (Cause.TESTS_FAILED, Cause.SANDBOX_FAILED)
    assert view.header.status == "finished"


def test_harness_failed_on_a_bug_of_ours(tmp_path: Path) -> None:
    """An agent plugin that raises what no agent should: the run says so, and its own words are recorded without secrets."""

    class Broken:
        name = "broken"
        capabilities = find_agent("nop").capabilities

        def launch(self, context: object) -> object:
            raise ZeroDivisionError(f"divided by {token}")

        def executables(self) -> tuple[str, ...]:
            return ()

    token = "sk-" + "ant-api03-" + "a1B2" * 24
    spec = replace(spec_of(tmp_path, "nop"), agent=Broken())  # type: ignore[arg-type]  # a wrong plugin is the point

    result = run_cell(spec)

    ended(result, Cause.HARNESS_FAILED, tmp_path)
    assert "ZeroDivisionError" in result.detail
    assert token not in "".join(p.read_text("utf-8", "replace") for p in result.path.rglob("*") if p.is_file())


def test_what_cannot_begin_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SandboxError):
        run_cell(replace(spec_of(tmp_path, "nop"), sandbox="docker", image=""))

    assert entries(tmp_path / "store") == []
    assert entries(tmp_path / "scratch") == []


def test_fifty_megabytes_of_output(tmp_path: Path) -> None:
    script = "head -c 50000000 /dev/zero | tr '\\0' 'x' | fold -w 100; echo; echo the end"
    result = run_cell(spec_of(tmp_path, "command", *shell(script)))

    view = ended(result, Cause.TESTS_FAILED, tmp_path)
    output = sum(len(e.data) for e in view.terminal_events())
    assert output >= 50_000_000
    assert view.header.completeness.terminal_cut_bytes == 0
    assert "the end" in view.terminal_text()


def test_output_beyond_the_cap_is_counted(tmp_path: Path) -> None:
    from cabtrace.limits import DEFAULT

    spec = spec_of(tmp_path, "command", *shell("head -c 300000 /dev/zero | tr '\\0' 'x'"))
    view = ended(run_cell(replace(spec, limits=replace(DEFAULT, terminal_bytes=100_000))), Cause.TESTS_FAILED, tmp_path)

    assert sum(len(e.data) for e in view.terminal_events()) == 100_000
    assert view.header.completeness.terminal_cut_bytes == 200_000


def test_a_daemon_does_not_outlive_the_agent(tmp_path: Path) -> None:
    marker = f"cabtrace-daemon-{tmp_path.name}"
    daemon = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(600)"
    script = f"{sys.executable} -c {shlex.quote(daemon)} {marker}"
    result = run_cell(spec_of(tmp_path, "command", *shell(f"{script} >/dev/null 2>&1; sleep 0.3; echo left it running")))

    view = ended(result, Cause.TESTS_FAILED, tmp_path)
    assert "left it running" in view.terminal_text()
    assert [p.pid for p in psutil.process_iter(["cmdline"]) if marker in (p.info["cmdline"] or ())] == []


def test_a_daemon_does_not_change_what_the_tests_see(tmp_path: Path) -> None:
    """It waits for the agent to end and then makes the work look done."""
    meddler = "(trap '' HUP TERM; while :; do echo done > readme.txt; sleep 0.01; done) >/dev/null 2>&1 &"
    script = f"{meddler} echo nothing yet > readme.txt; exit 0"
    task = make_task(tmp_path / "task", test_sh="sleep 0.3\nrm -f readme.txt; sleep 0.3; test ! -e readme.txt\n")

    result = run_cell(spec_of(tmp_path, "command", *shell(script), task=task))

    ended(result, Cause.PASSED, tmp_path)  # nothing wrote the file again


SPLIT = "grün \x1b[38;2;255;0;0mrot\x1b[0m 日本語 👩‍👩‍👧 \x1b]8;;http://x.example\x1b\\link\x1b]8;;\x1b\\ end"


def test_characters_and_sequences_split_over_reads(tmp_path: Path) -> None:
    program = f"import os, time\nfor b in {SPLIT.encode()!r}:\n    os.write(1, bytes([b])); time.sleep(0.002)\n"
    (tmp_path / "agent.py").write_text(program, "utf-8")
    view = ended(run_cell(spec_of(tmp_path, "command", sys.executable, str(tmp_path / "agent.py"))), Cause.TESTS_FAILED, tmp_path)

    events = view.terminal_events()
    assert "".join(e.data for e in events) == SPLIT
    assert len(events) > 10
    assert not any("\ufffd" in e.data for e in events)


def test_bytes_that_are_no_text_are_kept_as_well_as_can_be(tmp_path: Path) -> None:
    view = ended(run_cell(spec_of(tmp_path, "command", *shell(r"printf 'a\377\376b\300'"))), Cause.TESTS_FAILED, tmp_path)

    assert "".join(e.data for e in view.terminal_events()) == "a\ufffd\ufffdb\ufffd"


class _GoesAway(BaseHTTPRequestHandler):
    """Takes the request and closes the connection in the middle of the answer."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b'data: {"choices":[{"index":0,"delta":{"content":"half of')
        self.wfile.flush()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_an_answer_that_breaks_off_is_kept_as_far_as_it_came(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _GoesAway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        result = run_cell(spec_of(tmp_path, "reference", endpoint=f"http://127.0.0.1:{server.server_port}/v1"))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    view = ended(result, Cause.MODEL_FAILED, tmp_path)
    assert view.calls()[0].incomplete
    assert "half of" in (view.call_body(view.calls()[0].call_id).response_text or "")
