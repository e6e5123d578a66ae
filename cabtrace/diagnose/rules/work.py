"""The work itself: what the tests said, what changed, what should not have, what the agent said last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Finding, Severity
from cabtrace.diagnose.words import count, listed, quote, seconds, tail
from cabtrace.model.outcome import Cause

_OUTPUT_LINES = 16


def tests(run: Evidence) -> Iterator[Finding]:
    """Failing tests with their output. Where nothing else explains it, the agent's change was wrong."""
    said = run.verification
    if not said or said.get("passed") is not False:
        return
    names = [str(t.get("name", "")) for t in said.get("tests") or () if isinstance(t, Mapping) and t.get("passed") is False]
    total = sum(isinstance(t, Mapping) for t in said.get("tests") or ())
    code = said.get("exit_code")
    if said.get("timed_out") is True:
        sentence = "The task's tests did not end within their time limit."
    elif names:
        sentence = f"{count(len(names), 'test')} of {total} failed: {listed(names)}."
    else:
        sentence = f"The task's tests failed (exit code {'unknown' if code is None else code})."
    judged = run.cause in (Cause.TESTS_FAILED, Cause.AGENT_ERROR)
    span = run.verifier
    yield Finding(
        "tests_failed",
        Severity.ERROR if judged else Severity.INFO,
        (span.end_ns or span.start_ns) if span else None,
        span.span_id if span else "",
        sentence,
        tail(str(said.get("stdout_tail") or said.get("stderr_tail") or ""), _OUTPUT_LINES),
        0.6 if run.cause is Cause.TESTS_FAILED else 0.3 if judged else 0.0,
    )


def tampering(run: Evidence) -> Iterator[Finding]:
    """Files that the task protects, such as its tests, were changed."""
    from cabtrace.globs import matching

    protected, changed = run.header.task.protected_paths, run.changed_paths
    touched = list(matching(protected, changed)) if protected and changed else []
    if not touched:
        return
    sentence = f"The agent changed what the task protects: {listed(touched)}."
    judged = run.cause in (Cause.TESTS_FAILED, Cause.AGENT_ERROR)
    at_ns, span_id = _touched_by(run, touched[0])
    yield Finding(
        "tampering", Severity.ERROR if judged else Severity.WARNING, at_ns, span_id, sentence, "", 0.97 if judged else 0.0
    )


def unexpected_changes(run: Evidence) -> Iterator[Finding]:
    """Files that changed although the task did not expect it."""
    from cabtrace.globs import matching

    task, changed = run.header.task, run.changed_paths
    if not changed or not task.changes_declared:
        return
    expected = set(matching(task.expected_changes, changed))
    protected = set(matching(task.protected_paths, changed))
    unexpected = [path for path in changed if path not in expected and path not in protected]
    if unexpected:
        at_ns, span_id = _touched_by(run, unexpected[0])
        sentence = f"{count(len(unexpected), 'file')} changed that the task does not expect: {listed(unexpected)}."
        yield Finding("unexpected_changes", Severity.WARNING if run.failed else Severity.INFO, at_ns, span_id, sentence)


def nothing_changed(run: Evidence) -> Iterator[Finding]:
    """The agent ended without any change, and the tests failed."""
    if run.cause is Cause.TESTS_FAILED and run.changed_paths == ():
        span_id = run.container.span_id if run.container else ""
        yield Finding(
            "nothing_changed",
            Severity.ERROR,
            run.agent_end_ns,
            span_id,
            "The agent ended without having changed any file.",
            "",
            0.65,
        )


def refusal(run: Evidence) -> Iterator[Finding]:
    """The agent refused what it should have done, or did what it should have refused."""
    header = run.header
    values = header.scores.get("refusal", {}).get("values")
    produced = values.get("refusal_produced") if isinstance(values, Mapping) else None
    call = run.calls[-1] if run.calls else None
    at_ns, span_id = (call.ended_ns, call.call_id) if call else (run.agent_end_ns, "")
    if header.cause is Cause.REFUSED:
        yield Finding(
            "refused",
            Severity.ERROR,
            at_ns,
            span_id,
            "The agent refused a task that it should have done.",
            quote(_last_text(run), 600),
            1.0,
        )
    elif header.task.expected_refusal and produced is False:
        severity = Severity.ERROR if run.failed else Severity.WARNING
        sentence = "The agent did what it should have refused."
        yield Finding(
            "did_not_refuse", severity, at_ns, span_id, sentence, "", 0.92 if header.cause is Cause.TESTS_FAILED else 0.0
        )


def last_words(run: Evidence) -> Iterator[Finding]:
    """What the agent said last: the model's last text, else the end of the terminal."""
    said = _last_text(run)
    call = next((c for c in reversed(run.calls) if not c.error), None)
    if said and call is not None:
        yield Finding("last_words", Severity.INFO, call.ended_ns, call.call_id, f"The model's last words: {quote(said, 300)}")
    elif shown := tail(run.run.terminal_text(4_000), 6):
        span_id = run.container.span_id if run.container else ""
        yield Finding("last_words", Severity.INFO, run.agent_end_ns, span_id, "The end of the terminal:", shown)


def time_spent(run: Evidence) -> Iterator[Finding]:
    """The critical path: what the run's length hangs on."""
    sections, parts = run.critical_path, run.shares
    if not parts:
        return
    longest = max(sections, key=lambda s: s.end_ns - s.start_ns)
    total_ns = sum(s.end_ns - s.start_ns for s in sections)
    words = ", ".join(f"{kind} {share:.0%}" for kind, share in parts.items())
    most = f"{quote(longest.span.name, 80)}`, {seconds(longest.end_ns - longest.start_ns)}"
    sentence = f"Critical path of {seconds(total_ns)}: {words}; longest `{most}."
    yield Finding("critical_path", Severity.INFO, longest.start_ns, longest.span.span_id, sentence)


def record(run: Evidence) -> Iterator[Finding]:
    """What the record itself lacks, where that may hide a cause."""
    lost = run.header.completeness.lost
    if lost.total:
        sentence = f"{count(lost.total, 'record')} could not be written ({quote(lost.first_error, 200)})."
        yield Finding("record_incomplete", Severity.WARNING, None, "", sentence)


def _last_text(run: Evidence) -> str:
    for call in list(reversed(run.calls))[:5]:
        for message in reversed(run.body(call.call_id).output_messages or ()):
            for part in reversed(message.get("parts") or ()):
                if part.get("type") == "text" and str(part.get("content", "")).strip():
                    return str(part["content"])
    return ""


def _touched_by(run: Evidence, path: str) -> tuple[int | None, str]:
    """The tool call that names the path first; else the end of the agent."""
    name = path.rsplit("/", 1)[-1]
    naming = [use for use in run.tools if name in use.arguments]
    use = next((use for use in naming if use.writes), None)
    return (use.start_ns, use.span_id) if use else (run.agent_end_ns, run.container.span_id if run.container else "")
