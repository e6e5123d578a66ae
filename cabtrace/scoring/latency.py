"""How long the run took."""

from __future__ import annotations

from collections.abc import Iterable

from cabtrace.model.score import AxisResult
from cabtrace.model.semconv import SpanKind
from cabtrace.scoring.base import ScoredRun, spans_of_kind


class Latency:
    """Wall clock from the start of the cell to the end of the agent; the tests' own time is not the agent's.

    Where no span tells, the run's whole duration stands in. `model_call_ms` is the time with at least one call in
    flight, so that it never exceeds the wall clock.
    """

    name = "latency"
    version = "1"

    def score(self, run: ScoredRun) -> AxisResult:
        """Headline: `wall_clock_ms`."""
        wall_ms, source = _wall_ms(run)
        containers = [(s.start_ns, s.end_ns) for s in spans_of_kind(run, SpanKind.CONTAINER)]
        calls = [(call.started_ns, call.ended_ns) for call in run.calls()]
        calls_known = bool(calls) or run.header.completeness.model_calls == "complete"
        return AxisResult(
            axis=self.name,
            version=self.version,
            value=wall_ms,
            values={
                "wall_clock_ms": wall_ms,
                "container_active_ms": _covered_ms(containers) if containers else None,
                "model_call_ms": _covered_ms(calls) if calls_known else None,
            },
            inputs={"wall_clock_from": source},
        )


def _wall_ms(run: ScoredRun) -> tuple[float | None, str | None]:
    starts = [span.start_ns for span in spans_of_kind(run, SpanKind.CELL)]
    ends = [span.end_ns for span in spans_of_kind(run, SpanKind.ADAPTER_RUN) if span.end_ns is not None]
    if starts and ends and max(ends) >= min(starts):
        return (max(ends) - min(starts)) / 1e6, "spans"
    if run.header.duration_s is not None:
        return run.header.duration_s * 1e3, "duration_s"
    return None, None


def _covered_ms(intervals: Iterable[tuple[int, int | None]]) -> float | None:
    """Milliseconds that at least one of the intervals (nanoseconds) covers; None while one has no end."""
    covered = 0
    last = None
    for start, end in sorted(intervals, key=lambda interval: interval[0]):
        if end is None:
            return None
        begin = start if last is None else max(start, last)
        covered += max(0, end - begin)
        last = end if last is None else max(last, end)
    return covered / 1e6
