"""Terminal recordings made in a test: in memory, or as the file of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cabtrace.store.cast import CastEvent, CastHeader, encode_event, encode_header
from cabtrace.store.cast_log import CastLog


class MemorySource:
    """A `TapeSource` over events that are at hand."""

    def __init__(self, events: Iterable[CastEvent]) -> None:
        self.events = list(events)
        self.generation = 0

    def __len__(self) -> int:
        return len(self.events)

    @property
    def times_ns(self) -> Sequence[int]:
        """When each event was."""
        return [round(event.time_s * 1e9) for event in self.events]

    def between(self, start: int, stop: int) -> Iterator[CastEvent]:
        """Some of them."""
        return iter(self.events[start:stop])

    def bytes_between(self, start: int, stop: int) -> int:
        """Characters, near enough."""
        return sum(len(event.data) for event in self.events[start:stop])


def write_cast(path: Path, events: Iterable[CastEvent], *, columns: int = 80, rows: int = 24) -> CastLog:
    """The events as an asciicast, and a reader of it that has read it."""
    lines = [encode_event(round(event.time_s * 1e9), event.code, event.data) for event in events]
    path.write_bytes(encode_header(CastHeader(columns, rows)) + b"".join(lines))
    log = CastLog(path)
    log.refresh()
    return log
