"""The time limit: what was waiting on what when it came."""

from __future__ import annotations

from collections.abc import Iterator

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Finding, Severity
from cabtrace.diagnose.tools import ToolUse
from cabtrace.diagnose.words import quote, seconds
from cabtrace.model.model_call import ModelCall
from cabtrace.model.outcome import Cause

_NEAR_NS = 10_000_000_000  # SIGTERM, grace and SIGKILL lie between the limit and the end
_MOST = 0.5


def timeout(run: Evidence) -> Iterator[Finding]:
    """The agent was stopped at its limit, and what it was waiting for."""
    if run.cause is not Cause.TIMEOUT and not run.header.timed_out:
        return
    started_ns = run.container.start_ns if run.container else run.start_ns
    limit_ns = int((run.header.timeout_s or 0) * 1e9) or run.agent_end_ns - started_ns
    deadline_ns = started_ns + limit_ns
    limit = f"The agent was stopped at its limit of {seconds(limit_ns)}"
    call, tool = _open_call(run, deadline_ns), _open_tool(run)
    if call is not None:
        waited_ns = max(0, deadline_ns - call.started_ns)
        sentence = f"{limit}, waiting for the answer to model call {call.index}, sent {seconds(waited_ns)} earlier."
        long = waited_ns >= _MOST * limit_ns
        yield Finding(
            "model_hung" if long else "timeout",
            Severity.ERROR,
            call.started_ns,
            call.call_id,
            sentence,
            "",
            0.95 if long else 0.86,
        )
    elif tool is not None:
        waited_ns = max(0, deadline_ns - tool.start_ns)
        what = f"{quote(tool.name, 60)}, started {seconds(waited_ns)} earlier: {quote(tool.command, 200)}"
        sentence = f"{limit}, waiting for the tool {what}"
        long = waited_ns >= _MOST * limit_ns
        yield Finding(
            "tool_hung" if long else "timeout",
            Severity.ERROR,
            tool.start_ns,
            tool.span_id or tool.asked_by,
            sentence,
            "",
            0.95 if long else 0.86,
        )
    else:
        last = run.calls[-1] if run.calls else None
        since = (
            f"; its last model call ended {seconds(max(0, deadline_ns - last.ended_ns))} earlier"
            if last and last.ended_ns
            else ""
        )
        none = "" if last else "; it had made no model call"
        yield Finding(
            "timeout",
            Severity.ERROR,
            deadline_ns,
            run.container.span_id if run.container else "",
            f"{limit}{since}{none}.",
            "",
            0.86,
        )


def _open_call(run: Evidence, deadline_ns: int) -> ModelCall | None:
    """The oldest call that was still unanswered at the limit."""
    return next(
        (c for c in run.calls if c.ended_ns is None or (c.ended_ns >= deadline_ns - 1_000_000 and (c.error or c.incomplete))),
        None,
    )


def _open_tool(run: Evidence) -> ToolUse | None:
    return next(iter(run.pending), None) or next(
        (use for use in run.tools if use.end_ns is None or use.end_ns > run.agent_end_ns), None
    )
