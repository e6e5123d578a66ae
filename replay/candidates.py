"""Which spans may hold some words: spans that can tell by themselves are asked, of others all are looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from cabtrace.store.line_filter import line_filter

if TYPE_CHECKING:
    from cabtrace.model.span import SpanRecord
    from cabtrace.store.line_filter import LineFilter


@runtime_checkable
class KnowsWords(Protocol):
    """Spans that need not all be read to be searched."""

    def with_words(self, words: LineFilter, stop: Callable[[], bool]) -> Iterator[tuple[int, SpanRecord]]:
        """Places and spans that may hold the words, in any order."""


def spans_with(
    spans: Sequence[SpanRecord], query: str, stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[int, SpanRecord]]:
    """Places and spans in whose texts `query` may stand, whatever its case; never too few. In any order."""
    return spans.with_words(line_filter(query), stop) if isinstance(spans, KnowsWords) else iter(enumerate(spans))
