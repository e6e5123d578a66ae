"""The time limit: what was waiting on what when it came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Finding, Severity
from cabtrace.diagnose.tools import ToolUse
from cabtrace.diagnose.words import quote, seconds
from cabtrace.model.model_call import ModelCall
from cabtrace.model.outcome import Cause

_MOST = 0.5  # of the time limit: nobody waits that long without something being wrong
_MUCH = 0.2  # of the time limit, if it is also out of proportion to what the same took before
_OUT_OF_PROPORTION = 10
_SLACK_NS = 1_000_000


def timeout(run: Evidence) -> Iterator[Finding]:
    """The agent was stopped at its limit, and what it was waiting for."""
    if run.cause is not Cause.TIMEOUT and not run.header.timed_out:
        return
    started_ns = run.container.start_ns if run.container else run.start_ns
    limit_ns = int((run.header.timeout_s or 0) * 1e9) or run.agent_end_ns - started_ns
    deadline_ns = started_ns + limit_ns
    limit = f"The agent was stopped at its limit of {seconds(limit_ns)}"
    call, tool = _open_call(run, deadline_ns), _open_tool(run, deadline_ns)
    if call is not None:
        waited_ns = max(0, deadline_ns - call.started_ns)
        hung = _hung(waited_ns, limit_ns, [c.ended_ns - c.started_ns for c in run.calls if c.ended_ns and not c.error])
        sentence = f"{limit}, waiting for the answer to model call {call.index}, sent {seconds(waited_ns)} earlier."
        yield _waiting("model_hung" if hung else "timeout", call.started_ns, call.call_id, sentence)
    elif tool is not None:
        waited_ns = max(0, deadline_ns - tool.start_ns)
        hung = _hung(waited_ns, limit_ns, [u.end_ns - u.start_ns for u in run.tools if u.end_ns and u.end_ns < deadline_ns])
        what = f"{quote(tool.name, 60)}, started {seconds(waited_ns)} earlier: {quote(tool.command, 200)}"
        span_id = tool.span_id or tool.asked_by
        yield _waiting("tool_hung" if hung else "timeout", tool.start_ns, span_id, f"{limit}, waiting for the tool {what}")
    else:
        last = run.calls[-1] if run.calls else None
        since = (
            f"; its last model call ended {seconds(max(0, deadline_ns - last.ended_ns))} before that"
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


def _hung(waited_ns: int, limit_ns: int, others_ns: Sequence[int]) -> bool:
    usual_ns = median(others_ns) if others_ns else 0
    return waited_ns >= _MOST * limit_ns or waited_ns >= max(_MUCH * limit_ns, _OUT_OF_PROPORTION * usual_ns)


def _waiting(rule: str, time_ns: int, span_id: str, sentence: str) -> Finding:
    return Finding(rule, Severity.ERROR, time_ns, span_id, sentence, "", 0.86 if rule == "timeout" else 0.95)


def _open_call(run: Evidence, deadline_ns: int) -> ModelCall | None:
    """The oldest call that was still unanswered at the limit."""
    sent = (c for c in run.calls if c.started_ns < deadline_ns)
    return next(
        (c for c in sent if c.ended_ns is None or (c.ended_ns >= deadline_ns - _SLACK_NS and (c.error or c.incomplete))), None
    )


def _open_tool(run: Evidence, deadline_ns: int) -> ToolUse | None:
    """The tool that ran at the limit. An agent that is asked to end may still report that its tool was stopped."""
    at_limit = (u for u in run.tools if u.start_ns < deadline_ns and (u.end_ns is None or u.end_ns >= deadline_ns - _SLACK_NS))
    return next(at_limit, None) or next(iter(run.pending), None)
