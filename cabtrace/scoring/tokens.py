"""How many tokens the run took."""

from __future__ import annotations

from collections.abc import Sequence

from cabtrace.model.model_call import ModelCall
from cabtrace.model.score import AxisResult
from cabtrace.scoring.base import ScoredRun
from cabtrace.scoring.pass_rate import PassRate

_HTTP_ERROR = 400


class Tokens:
    """Sums over all model calls, retries included. One call of unknown usage makes the sums unknown, never smaller.

    A call that the endpoint refused (HTTP 4xx and 5xx) is known to have cost nothing. Tokens per correct task need a
    correct task: they are unknown for a failing run.
    """

    name = "tokens"
    version = "1"

    def score(self, run: ScoredRun) -> AxisResult:
        """Headline: `tokens_per_correct_task`."""
        calls = run.calls()
        recorded = run.header.completeness.model_calls
        # no call is only a fact if every call would have been seen; a partial record is a lower bound, hence unknown
        whole = recorded == "complete" or (recorded == "unknown" and bool(calls))
        answered = [call for call in calls if not _refused(call)]
        prompt = _total([call.usage.input for call in answered]) if whole else None
        completion = _total([call.usage.output for call in answered]) if whole else None
        total = None if prompt is None or completion is None else prompt + completion
        passed = PassRate().score(run).values["pass"]
        per_correct = total if passed else None
        return AxisResult(
            axis=self.name,
            version=self.version,
            value=per_correct,
            values={
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": total,
                "model_calls": len(calls) if calls or whole else None,
                "tokens_per_correct_task": per_correct,
                "pass_used_for_division": passed,
            },
            inputs={
                "model_calls_recorded": recorded,
                "calls_of_unknown_usage": sum(call.usage.total is None for call in answered),
                "known_tokens": sum(call.usage.total or 0 for call in answered),
            },
        )


def _refused(call: ModelCall) -> bool:
    return call.usage.total is None and call.http_status is not None and call.http_status >= _HTTP_ERROR


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
