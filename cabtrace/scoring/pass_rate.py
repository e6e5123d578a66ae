"""Did the task's tests pass."""

from __future__ import annotations

from cabtrace.model.score import AxisResult
from cabtrace.scoring.base import ScoredRun, flag, integer, number, text


class PassRate:
    """1 or 0 as the tests said; unknown where they could not be run. `partial_score` is a reward between the two."""

    name = "pass_rate"
    version = "1"

    def score(self, run: ScoredRun) -> AxisResult:
        """Headline: `pass`."""
        verification = run.verification()
        passed = None if text(verification, "problem") else flag(verification, "passed")
        value = None if passed is None else int(passed)
        return AxisResult(
            axis=self.name,
            version=self.version,
            value=value,
            values={
                "pass": value,
                "exit_code": integer(verification, "exit_code"),
                "timed_out": flag(verification, "timed_out"),
                "stdout_tail": text(verification, "stdout_tail"),
                "stderr_tail": text(verification, "stderr_tail"),
                "partial_score": number(verification, "reward"),
            },
            inputs={"source": text(verification, "source"), "problem": text(verification, "problem")},
        )
