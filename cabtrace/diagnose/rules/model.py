"""The model's side: calls that failed, storms, garbage, truncation, a context that ran over."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from cabtrace.diagnose.evidence import Evidence
from cabtrace.diagnose.finding import Finding, Severity
from cabtrace.diagnose.words import count, quote
from cabtrace.model.model_call import ModelCall
from cabtrace.model.outcome import Cause

_CUT = frozenset(("length", "max_tokens", "MAX_TOKENS", "max_output_tokens", "model_context_window_exceeded"))
_OVERFLOW = re.compile(
    r"context[_ ](?:length|window)|maximum context|too many tokens|prompt is too long|input is too long", re.IGNORECASE
)
_STORM = 3
_MOST_BESIDE = 3
_LABELS = {
    "rate_limited": "the endpoint said that there were too many requests (429)",
    "key_refused": "the endpoint refused the key",
    "model_unknown": "the endpoint does not know what was asked for (404)",
    "context_overflow": "the conversation no longer fitted into the model's context",
    "endpoint_gone": "the endpoint could not be reached",
    "answer_cut": "the connection broke within the answer",
    "garbage_answer": "the answer could not be read to its end",
    "model_errors": "the endpoint failed",
    "request_refused": "the endpoint refused the request",
}


def label(call: ModelCall, message: str = "") -> str:
    """A word for how a call failed."""
    status = call.http_status or 0
    if _OVERFLOW.search(message) or "context_length" in call.error:
        return "context_overflow"
    if call.error == "connect_error" or (status in (502, 504) and "connect" in message):
        return "endpoint_gone"
    known = {429: "rate_limited", 401: "key_refused", 403: "key_refused", 404: "model_unknown"}
    if status in known:
        return known[status]
    if call.error in ("upstream_reset", "timeout"):
        return "answer_cut"
    if call.error == "incomplete" or (200 <= status < 300 and call.incomplete):
        return "garbage_answer"
    return "model_errors" if status >= 500 or not status else "request_refused"


def failing_calls(run: Evidence) -> Iterator[Finding]:
    """Calls that failed: those at the end explain a failure, those that were got over do not."""
    failed = [c for c in run.calls if c.error and c.error not in ("cancelled", "agent_disconnected")]
    if not failed:
        return
    tail = _tail(run)
    yield from _end_of_run(run, tail)
    if got_over := [c for c in failed if c not in tail]:
        labels = Counter(label(c) for c in got_over).most_common()
        ways = ", ".join(f"{n} × {name}" for name, n in labels)
        sentence = f"{count(len(got_over), 'model call')} failed and the agent went on: {ways}."
        yield Finding("model_retries", Severity.INFO, got_over[0].started_ns, got_over[0].call_id, sentence)


def _tail(run: Evidence) -> list[ModelCall]:
    """The failed calls after the last one that was answered, not counting answers beside the conversation."""
    found: list[ModelCall] = []
    beside = 0
    for call in reversed(run.calls):
        if call.error:
            found.append(call)
        elif beside < _MOST_BESIDE and _is_beside(run, call):
            beside += 1
        else:
            break
    if beside and not any(run.body(c.call_id).tool_names for c in found):
        return []  # it is no agent that offers tools, so those answers were its conversation
    return [c for c in reversed(found) if c.error not in ("cancelled", "agent_disconnected")]


def _is_beside(run: Evidence, call: ModelCall) -> bool:
    """Whether an agent asked this without its tools, as for the title of a session, at the same time as for its work."""
    body = run.body(call.call_id)
    return body.input_messages is not None and not body.tool_names


def _end_of_run(run: Evidence, tail: list[ModelCall]) -> Iterator[Finding]:
    if not tail:
        return
    messages = {c.call_id: _message(run, c) for c in tail[-_STORM:]}
    named = Counter(label(c, messages.get(c.call_id, "")) for c in tail)
    name = (
        label(tail[-1], messages[tail[-1].call_id])
        if len(named) > 1 and named.most_common(1)[0][1] == 1
        else named.most_common(1)[0][0]
    )
    explains = {
        Cause.MODEL_FAILED: 1.0,
        Cause.AGENT_ERROR: 0.95,
        Cause.TIMEOUT: 0.93 if len(tail) >= _STORM else 0.87,
        Cause.TESTS_FAILED: 0.9,
    }
    first, last = tail[0], tail[-1]
    every = len(tail) == len(run.calls)
    calls = f"{'All' if every else 'The last'} {count(len(tail), 'model call')}" if len(tail) > 1 else f"Model call {last.index}"
    detail = messages[last.call_id] or last.error
    yield Finding(
        name,
        Severity.ERROR,
        first.started_ns,
        first.call_id,
        f"{calls} failed: {_LABELS[name]}{f' ({quote(detail, 300)})' if detail else ''}.",
        f"{count(last.retries, 'retry', 'retries')} of the same request" if last.retries else "",
        explains.get(run.cause, 0.0) if run.cause else 0.0,
    )


def _message(run: Evidence, call: ModelCall) -> str:
    span = next((s for s in run.error_leaves if s.span_id == call.call_id), None)
    return span.status_message if span is not None else ""


def truncated(run: Evidence) -> Iterator[Finding]:
    """Answers that the token limit cut off."""
    cut = [c for c in run.calls if _CUT.intersection(c.finish_reasons)]
    if not cut:
        return
    last_answered = next((c for c in reversed(run.calls) if not c.error), None)
    at_end = cut[-1] is last_answered
    failed = run.cause in (Cause.TESTS_FAILED, Cause.AGENT_ERROR)
    first = cut[-1] if at_end else cut[0]
    used = "" if first.usage.output is None else f" after {first.usage.output:,} tokens"
    where = (
        "and the agent took it for the end"
        if at_end
        else f"one of {len(cut)} such answers"
        if len(cut) > 1
        else "and the agent went on"
    )
    yield Finding(
        "truncated",
        Severity.ERROR if failed else Severity.WARNING,
        first.ended_ns or first.started_ns,
        first.call_id,
        f"The answer of model call {first.index} was cut at its token limit{used}, {where}.",
        explains=(0.9 if at_end else 0.65) if failed else 0.0,
    )


def empty_answer(run: Evidence) -> Iterator[Finding]:
    """The last answer was neither text nor a tool call, so the agent had nothing to go on with."""
    last = run.calls[-1] if run.calls else None
    if last is None or last.error or run.cause not in (Cause.TESTS_FAILED, Cause.AGENT_ERROR):
        return
    messages = run.body(last.call_id).output_messages
    if messages is None or any(p.get("content") or p.get("name") for m in messages for p in m.get("parts") or ()):
        return
    yield Finding(
        "empty_answer",
        Severity.ERROR,
        last.ended_ns,
        last.call_id,
        f"The last answer of the model (call {last.index}) was empty.",
        "",
        0.88,
    )


def context(run: Evidence) -> Iterator[Finding]:
    """How the context grew, and where it was cut back."""
    sized = [(c, c.usage.input) for c in run.calls if c.usage.input]
    if len(sized) < 2:
        return
    largest, most = max(sized, key=lambda pair: pair[1])
    least = sized[0][1]
    if most >= 4 * least and most >= 20_000:
        sentence = f"The context grew from {least:,} to {most:,} tokens in {count(len(sized), 'call')}."
        yield Finding("context_growth", Severity.INFO, largest.started_ns, largest.call_id, sentence)
    for (_, before), (call, now) in pairwise(sized):
        if before >= 8_000 and now < before / 2 and call.usage.input is not None:
            yield Finding(
                "context_cut",
                Severity.INFO,
                call.started_ns,
                call.call_id,
                f"The context shrank from {before:,} to {now:,} tokens at call {call.index}.",
            )
            return


def tokens(run: Evidence) -> Iterator[Finding]:
    """Where the tokens went."""
    known = [(c, c.usage.total) for c in run.calls if c.usage.total is not None]
    if not known:
        return
    total = sum(n for _, n in known)
    most, n_most = max(known, key=lambda pair: pair[1])
    failed = sum(n for c, n in known if c.error)
    unknown = len(run.calls) - len(known)
    sentence = f"{total:,} tokens in {count(len(known), 'call')}; the most in call {most.index} ({n_most:,})."
    if unknown:
        sentence += f" Of {count(unknown, 'call')} they are unknown."
    if failed:
        sentence += f" {failed:,} in calls that failed."
    yield Finding("tokens", Severity.INFO, most.started_ns, most.call_id, sentence)
