"""What an importer reads from: spans in pieces, as often as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from cabtrace.errors import UsageError
from cabtrace.model.span import SpanRecord

_AT_A_TIME = 4_096


class UnreadableError(UsageError):
    """What was given is no trace that can be read."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`rejected` counts spans that were none, `bad_lines` lines that held nothing readable; `problem` is the first in words."""

    spans: Sequence[SpanRecord] = ()
    rejected: int = 0
    bad_lines: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """`where` names a file or an address, `kind` what it is: `otlp-json`, `otlp-protobuf`, `jaeger`, `tempo`."""

    where: str
    kind: str
    pieces: Callable[[], Iterator[Piece]]
    sha256: str = ""


def in_memory(where: str, kind: str, spans: Sequence[SpanRecord]) -> Source:
    """Spans that are at hand already."""

    def pieces() -> Iterator[Piece]:
        for start in range(0, len(spans), _AT_A_TIME):
            yield Piece(spans[start : start + _AT_A_TIME])

    return Source(where, kind, pieces)
