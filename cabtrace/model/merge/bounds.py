"""When a tool call must have happened of which no witness tells the time: between two model calls."""

from __future__ import annotations

from dataclasses import dataclass

from cabtrace.model import semconv as sc
from cabtrace.model.merge.work import Work
from cabtrace.model.span import SpanRecord


@dataclass(frozen=True, slots=True)
class Bounds:
    """From the end of the answer that it followed from, the span `asked_by`, to what the agent did next."""

    start_ns: int
    end_ns: int
    asked_by: str


class CallBounds:
    """Of the agent's answered calls, the n-th is the transcript's n-th, where both count as many of them.

    Failed and incomplete calls answered nothing; the agent's transcript does not count them.
    """

    def __init__(self, work: Work, told_calls: int | None) -> None:
        calls = [s for s in work.ended() if s.attributes.get(sc.SPAN_KIND) == sc.SpanKind.MODEL_CALL and s.end_ns is not None]
        calls.sort(key=lambda s: (s.start_ns, s.span_id))
        answered = [s for s in calls if not s.failed and s.attributes.get(sc.CALL_INCOMPLETE) is not True]
        self._answered = answered if told_calls == len(answered) else []
        self._starts = [s.start_ns for s in calls]
        self._end_ns = _end_ns(work)

    def after(self, number: int | None) -> Bounds | None:
        """Between the answer of that number and the next request, or the agent's end; None where that is not known."""
        if number is None or not 0 <= number < len(self._answered):
            return None
        call = self._answered[number]
        start_ns = call.end_ns or call.start_ns
        later = [start for start in self._starts if start >= start_ns]
        end_ns = min(later) if later else self._end_ns
        return None if end_ns is None else Bounds(start_ns, max(start_ns, end_ns), call.span_id)


def _end_ns(work: Work) -> int | None:
    containers: list[SpanRecord] = [s for s in work.ended() if s.attributes.get(sc.SPAN_KIND) == sc.SpanKind.CONTAINER]
    return max((s.end_ns for s in containers if s.end_ns is not None), default=None)
