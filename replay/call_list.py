"""The model calls of a run as a sequence of which only those that are looked at are in memory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

from cabtrace.model.model_call import ModelCall, TokenUsage, call_from_span
from replay.intervals import IntervalIndex

if TYPE_CHECKING:
    from replay.timeline import Timeline

_KEPT = 1_000


class CallList(Sequence[ModelCall]):
    """Calls by start, each made from its span."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._kept: dict[int, ModelCall] = {}  # those around the playhead are asked for again with each key
        self._flying = IntervalIndex(timeline.columns.call_start, timeline.columns.call_latest)

    def __len__(self) -> int:
        return len(self._timeline.columns.call_span)

    @overload
    def __getitem__(self, place: int) -> ModelCall: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[ModelCall]: ...
    def __getitem__(self, place: int | slice) -> ModelCall | Sequence[ModelCall]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        call = self._kept.get(place)
        if call is None:
            if len(self._kept) >= _KEPT:
                self._kept.clear()
            call = self._kept[place] = call_from_span(self._timeline.spans[self._span(place)])
        return call

    def __iter__(self) -> Iterator[ModelCall]:
        return map(self.__getitem__, range(len(self)))

    def _span(self, place: int) -> int:
        return self._timeline.columns.call_span[place] % len(self._timeline.spans)

    def call_id(self, place: int) -> str:
        """The id of a call, mostly without looking at its span."""
        return self._timeline.key(self.row(place))[0]

    def row(self, place: int) -> int:
        """The row of a call."""
        return self._timeline.row_of(self._span(place))

    def of_row(self, row: int) -> int | None:
        """The place of the call of a row; None where the row is no call's."""
        starts, start_ns = self._timeline.columns.call_start, self._timeline.start_ns + self._timeline.start_of(row)
        same = range(bisect_left(starts, start_ns), bisect_right(starts, start_ns))
        return next((place for place in same if self.row(place) == row), None)

    def at(self, time_ns: int) -> int | None:
        """The place of the call in flight at an instant (Unix ns), else of the last before it; None before the first."""
        if (flying := self._flying.last_at(time_ns)) is not None:
            return flying
        started = bisect_right(self._timeline.columns.call_start, time_ns)
        return started - 1 if started else None

    def numbered(self, number: int) -> int | None:
        """The place of the first call with that number."""
        numbers = self._timeline.columns.call_number
        return next((place for place in range(len(numbers)) if numbers[place] == number), None)

    @property
    def tokens(self) -> tuple[TokenUsage, int]:
        """Sums over the calls that know their tokens, and how many do not know both."""
        summary = self._timeline.summary
        return TokenUsage(input=summary.input_tokens, output=summary.output_tokens), summary.unknown_calls
