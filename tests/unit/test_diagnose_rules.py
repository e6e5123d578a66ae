"""Rules on small runs; the faults of real cells are in tests/integration/test_why_faults.py."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from cabtrace.diagnose import registry
from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Diagnosis, Finding, Severity
from cabtrace.diagnose.why import diagnose
from cabtrace.model import semconv as sc
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import Completeness, Losses, TaskInfo
from cabtrace.store.calls import CallBody
from tests.support.plain_run import PlainRun, call, header, tool
from tests.support.spans import MS, span


def rules(diagnosis: Diagnosis) -> dict[str, Finding]:
    return {finding.rule: finding for finding in diagnosis.findings}


def test_a_run_without_anything_is_taken() -> None:
    diagnosis = diagnose(PlainRun(header(verdict=None, cause=None, exit_code=None, status="running"), live=True))

    assert diagnosis.cause.rule == "unknown"
    assert diagnosis.shares == {}


def test_a_failing_run_without_any_evidence_still_has_its_recorded_cause() -> None:
    diagnosis = diagnose(PlainRun())

    assert diagnosis.cause.rule == "tests_failed"
    assert diagnosis.cause.severity is Severity.ERROR


def test_evidence_is_in_order_of_time_and_what_has_none_comes_last() -> None:
    run = PlainRun(
        header(completeness=Completeness(lost=Losses(trace=2, first_error="disk full"))),
        [call(1, 0, 10, **{sc.GEN_AI_INPUT_TOKENS: 5, sc.GEN_AI_OUTPUT_TOKENS: 5}), tool("t", 10, 20, "false", "[exit code 1]")],
    )
    times = [finding.time_ns for finding in diagnose(run).findings]

    assert times[-1] is None
    assert [t for t in times if t is not None] == sorted(t for t in times if t is not None)
    assert "2 records" in rules(diagnose(run))["record_incomplete"].sentence


def test_the_first_error_is_the_last_of_its_cascade() -> None:
    run = PlainRun(
        header(cause=Cause.AGENT_ERROR, exit_code=1),
        [
            span("root", 0, 100, kind="cell", failed=True),
            span("launch", 1, 90, parent="root", kind="container", failed=True),
            span("step", 5, 60, parent="launch", failed=True),
            span("inner", 10, 50, parent="step", failed=True, name="open settings"),
            span("later", 70, 80, parent="launch", failed=True),
        ],
    )

    found = rules(diagnose(run))["first_error"]
    assert (found.span_id, "open settings" in found.sentence) == ("inner", True)


def test_an_error_that_was_put_right_did_not_matter() -> None:
    run = PlainRun(
        recorded=[
            tool("t1", 0, 10, "make", "[exit code 2]", **{sc.PROCESS_EXIT_CODE: 2}),
            tool("t2", 20, 30, "make", "[exit code 0]"),
        ]
    )

    assert "first_error" not in rules(diagnose(run))
    assert "ignored_tool_error" not in rules(diagnose(run))


def test_unknown_tokens_are_said_and_not_counted() -> None:
    run = PlainRun(recorded=[call(1, 0, 10, **{sc.GEN_AI_INPUT_TOKENS: 100, sc.GEN_AI_OUTPUT_TOKENS: 5}), call(2, 20, 30)])

    assert "105 tokens in 1 call" in rules(diagnose(run))["tokens"].sentence
    assert "Of 1 call they are unknown" in rules(diagnose(run))["tokens"].sentence
    assert "tokens" not in rules(diagnose(PlainRun(recorded=[call(1, 0, 10)])))


def test_growth_and_cutting_of_the_context_are_told() -> None:
    sizes = [2_000, 9_000, 40_000, 8_000]
    run = PlainRun(recorded=[call(n, n * 10, n * 10 + 5, **{sc.GEN_AI_INPUT_TOKENS: size}) for n, size in enumerate(sizes, 1)])
    found = rules(diagnose(run))

    assert "from 2,000 to 40,000" in found["context_growth"].sentence
    assert found["context_cut"].span_id == "c4"


@pytest.mark.parametrize(
    ("attributes", "rule"),
    [
        ({"error": "429", sc.HTTP_STATUS: 429}, "rate_limited"),
        ({"error": "503", sc.HTTP_STATUS: 503}, "model_errors"),
        ({"error": "connect_error"}, "endpoint_gone"),
        ({"error": "upstream_reset", sc.HTTP_STATUS: 200, sc.CALL_INCOMPLETE: True}, "answer_cut"),
        ({"error": "incomplete", sc.HTTP_STATUS: 200, sc.CALL_INCOMPLETE: True}, "garbage_answer"),
        ({"error": "403", sc.HTTP_STATUS: 403}, "key_refused"),
        ({"error": "context_length_exceeded", sc.HTTP_STATUS: 400}, "context_overflow"),
        ({"error": "400", sc.HTTP_STATUS: 400}, "request_refused"),
    ],
)
def test_a_call_that_failed_to_the_end_is_named_by_how(attributes: dict[str, Any], rule: str) -> None:
    run = PlainRun(header(verdict=Verdict.ERROR, cause=Cause.MODEL_FAILED), [call(n, n, n + 1, **attributes) for n in (1, 2)])

    assert diagnose(run).cause.rule == rule


@pytest.mark.parametrize(("tools", "rule"), [(("shell",), "key_refused"), ((), "agent_error")])
def test_an_answer_beside_the_conversation_is_not_getting_over_a_failure(tools: tuple[str, ...], rule: str) -> None:
    """An agent that asks for its session's title at the same time; one that never offers tools asks nothing beside."""
    bodies = {"c1": CallBody(input_messages=[], tool_names=tools), "c2": CallBody(input_messages=[])}
    run = PlainRun(
        header(cause=Cause.AGENT_ERROR, exit_code=1),
        [call(1, 0, 5, error="401", **{sc.HTTP_STATUS: 401}), call(2, 6, 9)],
        bodies,
    )

    assert diagnose(run).cause.rule == rule


def test_what_the_agent_broke_off_itself_is_no_failure_of_the_model() -> None:
    run = PlainRun(recorded=[call(1, 0, 5), call(2, 10, 20, error="agent_disconnected")])

    assert diagnose(run).cause.rule == "tests_failed"


def test_a_cell_out_of_memory_is_said_to_be_perhaps_so() -> None:
    run = PlainRun(header(cause=Cause.AGENT_ERROR, exit_code=137), [span("launch", 0, 50, kind="container")])

    assert diagnose(run).cause.rule == "agent_killed"
    assert "out of memory" in diagnose(run).cause.sentence


CONTAINED = {"container.runtime.name": "docker", "container.image.name": "some/image:1"}
OOM = {**CONTAINED, "cabtrace.container.oom_killed": 1, "cabtrace.container.memory_limit_bytes": 512 * 2**20}


def test_what_the_engine_says_of_memory_outranks_the_signal() -> None:
    killed = span("launch", 0, 50, kind="container", **OOM)
    run = PlainRun(header(cause=Cause.AGENT_ERROR, exit_code=137), [killed])

    assert diagnose(run).cause.rule == "out_of_memory"
    assert all(word in diagnose(run).cause.sentence for word in ("512 MiB", "OOMKilled", "137"))
    assert not any("not for want of memory" in f.sentence for f in diagnose(run).findings)


def test_a_child_that_the_memory_limit_took_is_no_dead_agent() -> None:
    run = PlainRun(header(exit_code=0), [span("launch", 0, 50, kind="container", **OOM)])

    assert diagnose(run).cause.rule == "out_of_memory"
    assert "the agent went on" in diagnose(run).cause.sentence


def test_a_killed_agent_with_memory_to_spare_is_said_to_be_that() -> None:
    run = PlainRun(header(cause=Cause.AGENT_ERROR, exit_code=137), [span("launch", 0, 50, kind="container", **CONTAINED)])

    assert diagnose(run).cause.rule == "agent_killed"
    assert "not for want of memory" in diagnose(run).cause.sentence


NO_SHELL = "[FATAL tini (7)] exec /bin/sh failed: Exec format error\n"


@pytest.mark.parametrize(
    ("cause", "code", "terminal", "attributes", "rule"),
    [
        (Cause.AGENT_ERROR, 1, NO_SHELL, CONTAINED, "broken_image"),
        (Cause.VERIFIER_FAILED, 127, NO_SHELL, CONTAINED, "broken_image"),
        (Cause.AGENT_ERROR, 1, f"a log: {NO_SHELL}", CONTAINED, "agent_error"),
        (Cause.AGENT_ERROR, 1, NO_SHELL, {}, "agent_error"),
        (Cause.TESTS_FAILED, 0, NO_SHELL, CONTAINED, "tests_failed"),
    ],
)
def test_an_image_in_which_nothing_runs(cause: Cause, code: int, terminal: str, attributes: dict[str, Any], rule: str) -> None:
    verdict = Verdict.ERROR if cause is Cause.VERIFIER_FAILED else Verdict.FAILED
    run = PlainRun(header(cause=cause, exit_code=code, verdict=verdict), [span("launch", 0, 50, kind="container", **attributes)])
    run.terminal = terminal

    assert diagnose(run).cause.rule == rule


def test_an_image_that_lacks_what_the_tests_need_is_blamed_and_not_the_sandbox() -> None:
    said = "The image some/image:1 has no program 'bash'. Install it in the image, or give its full path."
    failed = header(cause=Cause.SANDBOX_FAILED, cause_detail=said, verdict=Verdict.ERROR)

    assert diagnose(PlainRun(failed, [span("launch", 0, 50, kind="container", **CONTAINED)])).cause.rule == "broken_image"
    assert diagnose(PlainRun(failed, [span("launch", 0, 50, kind="container")])).cause.rule == "sandbox_failed"


@pytest.mark.parametrize("cause", [Cause.SANDBOX_FAILED, Cause.HARNESS_FAILED, Cause.VERIFIER_FAILED])
def test_a_full_disk_is_what_broke_the_harness(cause: Cause) -> None:
    told = header(cause=cause, verdict=Verdict.ERROR, cause_detail="git failed: No space left on device.")
    by_tool = header(cause=cause, verdict=Verdict.ERROR, cause_detail="git failed.")

    assert diagnose(PlainRun(told)).cause.rule == "disk_full"
    assert (
        diagnose(PlainRun(by_tool, [tool("t", 0, 5, "cp a b", "cp: No space left on device\n[exit code 1]")])).cause.rule
        == "disk_full"
    )
    assert diagnose(PlainRun(by_tool)).cause.rule == cause.value


def test_what_an_agent_without_known_tools_shows_of_the_machine_counts() -> None:
    run = PlainRun(header(cause=Cause.AGENT_ERROR, exit_code=1))
    run.terminal = "saving\nOSError: [Errno 28] No space left on device\n"

    assert diagnose(run).cause.rule == "disk_full"
    assert "Errno 28" in diagnose(run).cause.sentence


def test_a_wait_out_of_proportion_is_a_hang_and_a_usual_one_is_not() -> None:
    def stopped_with_open_call(usual_ms: int) -> str:
        calls = [call(n, n * 1_000, n * 1_000 + usual_ms) for n in (1, 2, 3)]
        spans = [span("launch", 0, 10_000, kind="container"), *calls, call(4, 7_500, 10_000, error="cancelled")]
        return diagnose(PlainRun(header(cause=Cause.TIMEOUT, timed_out=True, timeout_s=10.0), spans)).cause.rule

    assert stopped_with_open_call(100) == "model_hung"
    assert stopped_with_open_call(900) == "timeout"


def test_protected_files_outrank_the_failing_test() -> None:
    task = TaskInfo(id="unit/task", protected_paths=("tests/**",), expected_changes=("src/**",))
    changed = {"added": ["notes.md"], "removed": [], "modified": ["tests/test_a.py", "src/a.py"]}
    run = PlainRun(
        header(task=task), changed=changed, tests={"passed": False, "exit_code": 1, "tests": [{"name": "a", "passed": False}]}
    )
    found = diagnose(run)

    assert found.cause.rule == "tampering"
    assert "notes.md" in rules(found)["unexpected_changes"].sentence
    assert "test_a" not in rules(found)["unexpected_changes"].sentence


def test_tampering_in_a_passing_run_is_a_warning_and_no_cause() -> None:
    task = TaskInfo(id="unit/task", protected_paths=("tests/**",))
    run = PlainRun(
        header(task=task, verdict=Verdict.PASSED, cause=Cause.PASSED),
        changed={"modified": ["tests/test_a.py"], "added": [], "removed": []},
    )
    found = diagnose(run)

    assert found.cause.rule == "passed"
    assert rules(found)["tampering"].severity is Severity.WARNING


def test_repeats_with_different_results_are_no_loop() -> None:
    polling = PlainRun(
        recorded=[tool(f"t{n}", n * 10, n * 10 + 5, "curl -s localhost", "up" if n == 4 else "x" * n) for n in range(5)]
    )
    stuck = PlainRun(recorded=[tool(f"t{n}", n * 10, n * 10 + 5, "curl -s localhost", f"took {n} ms") for n in range(5)])

    assert "loop" not in rules(diagnose(polling))
    assert "5 times" in rules(diagnose(stuck))["loop"].sentence


def test_a_hung_call_outranks_what_failed_before() -> None:
    limit = header(cause=Cause.TIMEOUT, timed_out=True, timeout_s=10.0, exit_code=143)
    run = PlainRun(
        limit,
        [
            span("launch", 0, 12_000, kind="container"),
            tool("t", 10, 20, "false", "[exit code 1]"),
            call(1, 1_000, 11_000, error="cancelled"),
        ],
    )

    assert diagnose(run).cause.rule == "model_hung"
    assert "sent 9.0 s earlier" in diagnose(run).cause.sentence


def test_offsets_count_from_the_start_of_the_run() -> None:
    run = PlainRun(recorded=[span("root", 0, 100, kind="cell"), tool("t", 30, 40, "false", "[exit code 1]")])
    diagnosis = diagnose(run)

    assert diagnosis.offset_s(rules(diagnosis)["ignored_tool_error"]) == pytest.approx(0.040)
    assert diagnosis.start_ns == run.start_ns
    assert rules(diagnosis)["ignored_tool_error"].time_ns == run.start_ns + 40 * MS


def test_the_last_words_are_the_models_else_the_terminals() -> None:
    said = {"c1": CallBody(output_messages=[{"role": "assistant", "parts": [{"type": "text", "content": "I am done."}]}])}

    assert "I am done." in rules(diagnose(PlainRun(recorded=[call(1, 0, 5)], bodies=said)))["last_words"].sentence
    assert "panic" in rules(diagnose(PlainRun(terminal="starting\npanic: no config\n")))["last_words"].detail


def failing_rule(run: Evidence) -> list[Finding]:
    raise ValueError("no idea")


def other_rule(run: Evidence) -> list[Finding]:
    return [Finding("house_rule", Severity.ERROR, run.start_ns, "", "Somebody else's rule knows better.", "", 0.99)]


def test_rules_of_other_packages_are_heard_and_their_failure_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [EntryPoint(name, f"{__name__}:{name}", registry.GROUP) for name in ("failing_rule", "other_rule", "missing_rule")]
    monkeypatch.setattr("cabtrace.entry_points.entry_points", lambda group: entries if group == registry.GROUP else [])
    monkeypatch.setitem(
        __import__("sys").modules, __name__, __import__("types").SimpleNamespace(failing_rule=failing_rule, other_rule=other_rule)
    )

    found = diagnose(PlainRun(), registry.plugin_rules())

    assert found.cause.rule == "house_rule"
    failed = [f.sentence for f in found.findings if f.rule == "rule_failed"]
    assert len(failed) == 2
    assert any("ValueError: no idea" in sentence for sentence in failed)
