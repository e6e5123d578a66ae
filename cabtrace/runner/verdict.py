"""Which cause a cell ended with: a pure function of what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from cabtrace.model.outcome import Cause


@dataclass(frozen=True, slots=True)
class Seen:
    """What the runner knows when the tests have run. `verified` None: the tests said nothing usable.

    `failed_calls` failed on the endpoint's side; `silence` says in words that no model call came where some were expected.
    """

    agent_exit_code: int | None
    timed_out: bool = False
    cancelled: bool = False
    verified: bool | None = None
    verifier_problem: str = ""
    calls: int = 0
    answered_calls: int = 0
    failed_calls: int = 0
    last_call_error: str = ""
    silence: str = ""
    refused: bool = False
    expected_refusal: bool = False


def decide(seen: Seen) -> tuple[Cause, str]:
    """The cause and a sentence's worth of detail.

    A cell that was stopped at its time limit counts as failed even if its tests pass: it did not say that it was done.
    """
    if seen.cancelled:
        return Cause.CANCELLED, "stopped before the agent was done"
    unanswered = _unanswered(seen)
    if seen.timed_out:
        if unanswered and seen.failed_calls and not seen.verified:
            return Cause.MODEL_FAILED, f"{unanswered}; the agent was stopped at its time limit"
        passed = "the tests passed all the same" if seen.verified else ""
        return Cause.TIMEOUT, _listed("the agent was stopped at its time limit", passed, seen.silence)
    if seen.verified is None:
        return Cause.VERIFIER_FAILED, seen.verifier_problem or "the tests left no result"
    if seen.verified:
        code = seen.agent_exit_code
        return Cause.PASSED, f"the agent itself ended with exit code {code}" if code else ""
    if unanswered:
        return Cause.MODEL_FAILED, unanswered
    if seen.refused and not seen.expected_refusal:
        return Cause.REFUSED, "the agent declined to do the task"
    if seen.agent_exit_code:
        code = seen.agent_exit_code
        named = {127: " (command not found)", 126: " (not executable)", 137: " (killed, or out of memory)"}.get(code, "")
        return Cause.AGENT_ERROR, _listed(f"the agent ended with exit code {code}{named}", seen.silence)
    return Cause.TESTS_FAILED, seen.silence


def _unanswered(seen: Seen) -> str:
    if not seen.calls or seen.answered_calls:
        return ""
    why = f": {seen.last_call_error}" if seen.last_call_error else ""
    return f"none of {seen.calls} model calls was answered{why}"


def _listed(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
