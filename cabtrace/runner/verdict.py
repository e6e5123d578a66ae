"""Which cause a cell ended with: a pure function of what was seen."""

from __future__ import annotations

from dataclasses import dataclass

from cabtrace.model.outcome import Cause


@dataclass(frozen=True, slots=True)
class Seen:
    """What the runner knows when the tests have run. `verified` None: the tests said nothing usable."""

    agent_exit_code: int | None
    timed_out: bool = False
    cancelled: bool = False
    verified: bool | None = None
    verifier_problem: str = ""
    calls: int = 0
    answered_calls: int = 0
    last_call_error: str = ""
    refused: bool = False
    expected_refusal: bool = False


def decide(seen: Seen) -> tuple[Cause, str]:
    """The cause and a sentence's worth of detail.

    A cell that was stopped at its time limit counts as failed even if its tests pass: it did not say that it was done.
    """
    if seen.cancelled:
        return Cause.CANCELLED, "stopped before the agent was done"
    if seen.timed_out:
        passed = "; the tests passed all the same" if seen.verified else ""
        return Cause.TIMEOUT, f"the agent was stopped at its time limit{passed}"
    if seen.verified is None:
        return Cause.VERIFIER_FAILED, seen.verifier_problem or "the tests left no result"
    if seen.verified:
        code = seen.agent_exit_code
        return Cause.PASSED, f"the agent itself ended with exit code {code}" if code else ""
    if seen.calls and not seen.answered_calls:
        why = f": {seen.last_call_error}" if seen.last_call_error else ""
        return Cause.MODEL_FAILED, f"none of {seen.calls} model calls was answered{why}"
    if seen.refused and not seen.expected_refusal:
        return Cause.REFUSED, "the agent declined to do the task"
    if seen.agent_exit_code:
        code = seen.agent_exit_code
        named = {127: " (command not found)", 126: " (not executable)", 137: " (killed, or out of memory)"}.get(code, "")
        return Cause.AGENT_ERROR, f"the agent ended with exit code {code}{named}"
    return Cause.TESTS_FAILED, ""
