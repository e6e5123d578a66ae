"""How a cell ended: one table of causes, each with its verdict and exit code."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cabtrace.errors import EXIT_FAILED, EXIT_HARNESS, EXIT_PASSED

#: what every surface says of a run that `cabtrace check` made
PROVISIONAL_NOTE: Final = "provisional \N{EM DASH} not for citation"


class Verdict(StrEnum):
    """`error`: the harness, the sandbox or the model endpoint failed, so nothing is known of the agent."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"


class Cause(StrEnum):
    """Why a cell ended as it did."""

    PASSED = "passed"
    TESTS_FAILED = "tests_failed"
    AGENT_ERROR = "agent_error"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    SANDBOX_FAILED = "sandbox_failed"
    MODEL_FAILED = "model_failed"
    VERIFIER_FAILED = "verifier_failed"
    HARNESS_FAILED = "harness_failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Ending:
    """A row of the table: what the cause means for verdict, exit code, and in words."""

    verdict: Verdict
    exit_code: int
    meaning: str


ENDINGS: Final[dict[Cause, Ending]] = {
    Cause.PASSED: Ending(Verdict.PASSED, EXIT_PASSED, "the task's tests passed"),
    Cause.TESTS_FAILED: Ending(Verdict.FAILED, EXIT_FAILED, "the agent finished and the task's tests failed"),
    Cause.AGENT_ERROR: Ending(
        Verdict.FAILED,
        EXIT_FAILED,
        "the agent ended with an error and the tests failed",
    ),
    Cause.TIMEOUT: Ending(Verdict.FAILED, EXIT_FAILED, "the agent was stopped at its time limit"),
    Cause.REFUSED: Ending(Verdict.FAILED, EXIT_FAILED, "the agent refused a task that it should have done"),
    Cause.SANDBOX_FAILED: Ending(Verdict.ERROR, EXIT_HARNESS, "the sandbox could not be made or broke"),
    Cause.MODEL_FAILED: Ending(
        Verdict.ERROR,
        EXIT_HARNESS,
        "the model endpoint failed every call that mattered",
    ),
    Cause.VERIFIER_FAILED: Ending(Verdict.ERROR, EXIT_HARNESS, "the tests themselves could not be run"),
    Cause.HARNESS_FAILED: Ending(Verdict.ERROR, EXIT_HARNESS, "cabtrace itself failed"),
    Cause.CANCELLED: Ending(Verdict.ERROR, EXIT_HARNESS, "stopped by the user"),
}
