"""What the recorded cause says by itself: the harness, the sandbox, the tests, the user, the end of the agent."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Finding, Severity
from cabtrace.diagnose.words import quote, tail
from cabtrace.model import semconv as sc
from cabtrace.model.outcome import ENDINGS, Cause, Verdict
from cabtrace.model.span import SpanState

_SIGNALS = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    4: "SIGILL",
    6: "SIGABRT",
    7: "SIGBUS",
    8: "SIGFPE",
    9: "SIGKILL",
    11: "SIGSEGV",
    15: "SIGTERM",
}
_KILLED = 137
_NOTHING_RUNS = re.compile(r"^\[FATAL tini \(\d+\)\] exec .{1,300} failed: .{1,300}$", re.MULTILINE)


def recorder_killed(run: Evidence) -> Iterator[Finding]:
    """The recorder itself was killed: the run is open without a recorder, or was closed by `cabtrace recover`."""
    recovered = run.header.status == "recovered" and run.cause is Cause.HARNESS_FAILED
    if not run.run.aborted and not recovered:
        return
    open_spans = [s for s in run.spans if s.state is SpanState.ABORTED or s.attributes.get(sc.ABORTED) is True]
    last = max(open_spans, key=lambda s: s.start_ns, default=None)
    tool = next(iter(run.pending), None)
    doing = f" while `{quote(last.name, 80)}` was open" if last else ""
    doing = f" while the tool {quote(tool.name, 40)} ran `{quote(tool.command, 120)}`" if tool else doing
    yield Finding(
        "recorder_killed",
        Severity.ERROR,
        run.run.end_ns,
        last.span_id if last else "",
        f"The recorder was killed{doing}; what the agent would have done is unknown.",
        run.header.cause_detail,
        1.0,
    )


def harness(run: Evidence) -> Iterator[Finding]:
    """The cell could not be run as it should: nothing is known of the agent."""
    header = run.header
    if run.run.aborted or header.status == "recovered" or header.verdict is not Verdict.ERROR or header.cause is None:
        return
    if header.cause is Cause.MODEL_FAILED or _nothing_runs(run):  # the rules for these say it better
        return
    span = run.verifier if header.cause is Cause.VERIFIER_FAILED else next(iter(run.error_leaves), None)
    missing = run.container is not None and run.container.text(sc.ERROR_TYPE) == "AgentNotFoundError"
    image = run.container.text(sc.CONTAINER_IMAGE_NAME) if run.container is not None else ""
    blamed = header.cause is Cause.SANDBOX_FAILED and bool(image) and f"The image {image} " in header.cause_detail
    meaning = ENDINGS[header.cause].meaning
    yield Finding(
        "agent_missing" if missing else "broken_image" if blamed else header.cause.value,
        Severity.ERROR,
        span.start_ns if span else run.run.end_ns,
        span.span_id if span else "",
        f"{meaning[:1].upper()}{meaning[1:]}: {quote(header.cause_detail, 400)}"
        if header.cause_detail
        else f"{meaning[:1].upper()}{meaning[1:]}.",
        tail(str(run.verification.get("stdout_tail") or "")) if header.cause is Cause.VERIFIER_FAILED else "",
        0.95,  # what broke the machine under it explains more
    )


def agent_exit(run: Evidence) -> Iterator[Finding]:
    """The agent ended with a code of its own, or by a signal."""
    code = run.header.exit_code
    if not code or run.header.timed_out or run.cause in (Cause.CANCELLED, Cause.TIMEOUT):
        return
    span_id = run.container.span_id if run.container else ""
    explains = 0.8 if run.cause is Cause.AGENT_ERROR else 0.0
    severity = Severity.ERROR if explains else Severity.WARNING
    last = tail(run.run.terminal_text(4_000), 6)
    if code in (126, 127) and not run.calls:
        why = "it was not found" if code == 127 else "it may not be executed"
        sentence = f"The agent could not be started: {why} (exit code {code})."
        yield Finding("agent_missing", severity, run.agent_end_ns, span_id, sentence, last, explains and 0.97)
    elif 128 < code < 160:
        name = _SIGNALS.get(code - 128, f"signal {code - 128}")
        sentence = f"The agent was killed by {name} (exit code {code}){_no_memory(run) if code == _KILLED else ''}."
        yield Finding("agent_killed", severity, run.agent_end_ns, span_id, sentence, last, explains and 0.96)
    else:
        yield Finding(
            "agent_error", severity, run.agent_end_ns, span_id, f"The agent ended with exit code {code}.", last, explains
        )


def _no_memory(run: Evidence) -> str:
    """What is known of memory where a cell ended as one does that has none left."""
    if run.container is None or not run.container.text(sc.CONTAINER_RUNTIME):
        return ", which is also how a program ends that is out of memory"
    if run.container.attributes.get(sc.CONTAINER_OOM_KILLED):
        return ""
    return "; not for want of memory, as its container engine says"


def broken_image(run: Evidence) -> Iterator[Finding]:
    """The container's init could not even start the image's shell: a wrong architecture, a loader that is not there."""
    said = _nothing_runs(run)
    if not said or run.container is None:
        return
    image = quote(run.container.text(sc.CONTAINER_IMAGE_NAME) or "the image", 120)
    sentence = f"Nothing can be run in {image}: {quote(said, 300)}."
    yield Finding("broken_image", Severity.ERROR, run.agent_end_ns, run.container.span_id, sentence, "", 1.0)


def _nothing_runs(run: Evidence) -> str:
    """What the container's init said when it could not start the shell, or ""."""
    if run.container is None or run.calls or not run.header.exit_code or not run.container.text(sc.CONTAINER_RUNTIME):
        return ""
    found = _NOTHING_RUNS.search(run.run.terminal_text(2_000))
    return found.group() if found else ""


def out_of_memory(run: Evidence) -> Iterator[Finding]:
    """The container engine says that the memory limit took a process."""
    if run.container is None or not run.container.attributes.get(sc.CONTAINER_OOM_KILLED):
        return
    explains = 0.98 if run.cause in (Cause.AGENT_ERROR, Cause.TESTS_FAILED, Cause.TIMEOUT) else 0.0
    limit = run.container.integer(sc.CONTAINER_MEMORY_LIMIT)
    allowed = f" of {limit / 2**20:,.0f} MiB" if limit else ""
    code = run.header.exit_code
    if code == _KILLED:
        what = f"The agent was killed at the memory limit{allowed} of its container (OOMKilled, exit code {code})"
    else:
        what = f"A process in the agent's container was killed at its memory limit{allowed} (OOMKilled), and the agent went on"
    yield Finding("out_of_memory", Severity.ERROR, run.agent_end_ns, run.container.span_id, f"{what}.", "", explains)


def first_error(run: Evidence) -> Iterator[Finding]:
    """The first error that mattered: the last of its cascade, and nothing that was put right later."""
    succeeded = {use.key: use.start_ns for use in run.tools if not use.failed}
    mended = {use.span_id for use in run.tools if use.failed and succeeded.get(use.key, 0) > use.start_ns}
    answered = {c.request_hash for c in run.calls if not c.error}
    mended |= {c.call_id for c in run.calls if c.error and c.request_hash in answered}
    looked = {use.span_id for use in run.tools if use.only_looks}
    for span in run.error_leaves:
        kind = span.attributes.get(sc.SPAN_KIND)
        if (
            span.span_id in mended
            or span.span_id in looked
            or kind == sc.SpanKind.CELL
            or span.attributes.get(sc.ABORTED) is True
        ):
            continue
        severity = Severity.WARNING if run.failed else Severity.INFO
        why = span.status_message or span.text(sc.ERROR_TYPE)
        yield Finding(
            "first_error",
            severity,
            span.end_ns if span.end_ns is not None else span.start_ns,
            span.span_id,
            f"The first error that mattered: {quote(span.name, 100)}{f': {quote(why, 300)}' if why else ''}.",
        )
        return
