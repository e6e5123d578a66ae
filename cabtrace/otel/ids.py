"""Ids of the recorder's own spans: known, and given out ahead of the span where something must name it first."""

from __future__ import annotations

import threading

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator


class SpanIds(RandomIdGenerator):
    """Remembers every span id that it made, so that nobody else's span can pass for one of ours."""

    def __init__(self) -> None:
        self._next = threading.local()
        self._made: set[str] = set()

    def generate_span_id(self) -> int:
        reserved: int = getattr(self._next, "id", 0)
        self._next.id = 0
        return reserved or int(self.reserve(), 16)

    def reserve(self) -> str:
        """A new span id, 16 hex digits."""
        span_id = f"{super().generate_span_id():016x}"
        self._made.add(span_id)
        return span_id

    def use(self, span_id: str) -> None:
        """The next span that this thread starts gets a reserved id."""
        self._next.id = int(span_id, 16)

    def __contains__(self, span_id: object) -> bool:
        return span_id in self._made
