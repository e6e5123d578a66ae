"""Which cause wins where several things went wrong at once."""

from __future__ import annotations

from typing import Any

import pytest

from cabtrace.model.outcome import Cause
from cabtrace.runner.verdict import Seen, decide

LIMIT = "the agent was stopped at its time limit"
STORM: dict[str, Any] = {"calls": 9, "failed_calls": 8, "last_call_error": "HTTP 429: slow down"}
HUNG: dict[str, Any] = {"calls": 1, "last_call_error": "cancelled"}


@pytest.mark.parametrize(
    ("seen", "cause", "detail"),
    [
        (Seen(0, verified=True), Cause.PASSED, ""),
        (Seen(3, verified=True), Cause.PASSED, "the agent itself ended with exit code 3"),
        (Seen(0, verified=False), Cause.TESTS_FAILED, ""),
        (Seen(0, verified=False, silence="no call"), Cause.TESTS_FAILED, "no call"),
        (Seen(2, verified=False, silence="no call"), Cause.AGENT_ERROR, "the agent ended with exit code 2; no call"),
        (Seen(127, verified=False), Cause.AGENT_ERROR, "the agent ended with exit code 127 (command not found)"),
        (Seen(1, verified=False, **STORM), Cause.MODEL_FAILED, "none of 9 model calls was answered: HTTP 429: slow down"),
        (
            Seen(143, timed_out=True, verified=False, **STORM),
            Cause.MODEL_FAILED,
            f"none of 9 model calls was answered: HTTP 429: slow down; {LIMIT}",
        ),
        (Seen(143, timed_out=True, verified=None, **STORM), Cause.MODEL_FAILED, None),
        (Seen(143, timed_out=True, verified=True, **STORM), Cause.TIMEOUT, f"{LIMIT}; the tests passed all the same"),
        (Seen(143, timed_out=True, verified=False, **{**STORM, "answered_calls": 1}), Cause.TIMEOUT, LIMIT),
        (Seen(143, timed_out=True, verified=False, **HUNG), Cause.TIMEOUT, LIMIT),
        (Seen(143, timed_out=True, verified=False, silence="no call"), Cause.TIMEOUT, f"{LIMIT}; no call"),
        (Seen(None, cancelled=True, **STORM), Cause.CANCELLED, "stopped before the agent was done"),
        (Seen(0, verified=None, verifier_problem="no tests"), Cause.VERIFIER_FAILED, "no tests"),
        (Seen(0, verified=False, refused=True), Cause.REFUSED, "the agent declined to do the task"),
        (Seen(0, verified=False, refused=True, expected_refusal=True), Cause.TESTS_FAILED, ""),
    ],
)  # fmt: skip
def test_the_cause_and_its_sentence(seen: Seen, cause: Cause, detail: str | None) -> None:
    found, words = decide(seen)

    assert found is cause
    assert detail is None or words == detail
