"""What a scan of a text finds: where secrets are, and from where on the text must wait for more of itself."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

KNOWN, VENDOR, CONTEXT, PATH = range(4)  # who names the rule when finds overlap; the lower wins

TOKEN, PEM = "token", "pem"  # what goes on when a secret is longer than what is held back
HOLD_CHARS = 4_096  # a candidate that is still arriving is held back up to here, then it is judged as it stands


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` to `end` (exclusive) are to be replaced by `marker`."""

    start: int
    end: int
    rule: str
    rank: int
    placeholder: str = ""  # of a path; a secret has none

    @property
    def marker(self) -> str:
        """What is written instead."""
        return self.placeholder or f"[redacted:{self.rule}]"


@dataclass(frozen=True, slots=True)
class Found:
    """`hold` is where a secret may be beginning (None: nowhere).

    `open_ended` (`TOKEN` or `PEM`): a span that reaches the end goes on in what follows.
    """

    spans: tuple[Span, ...] = ()
    hold: int | None = None
    open_ended: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A text with some of it left out, and where each kept piece came from."""

    text: str
    starts: tuple[int, ...]  # of each piece, in the view
    origins: tuple[int, ...]  # of each piece, in the original

    def origin(self, index: int) -> int:
        """Where the character at `index` of the view is in the original."""
        piece = max(bisect_right(self.starts, index) - 1, 0)
        return self.origins[piece] + index - self.starts[piece]

    def span(self, span: Span) -> Span:
        """A span of the view as a span of the original; what was left out inside it is inside it."""
        return Span(self.origin(span.start), self.origin(span.end - 1) + 1, span.rule, span.rank, span.placeholder)


def merge(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans in order, overlapping ones made one under the name of the most telling."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, -s.end, s.rank)):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            name = span if span.rank < last.rank else last
            merged[-1] = Span(last.start, max(last.end, span.end), name.rule, name.rank, name.placeholder)
        else:
            merged.append(span)
    return tuple(merged)


def earlier(a: int | None, b: int | None) -> int | None:
    """The smaller of two positions, None being none."""
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)
