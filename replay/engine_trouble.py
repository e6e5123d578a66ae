"""What ended the terminal engine in a recording: found to the event by trying once more, left out from then on, and said. Pure.

Events are counted from 1, so that number n is the last of the first n.
"""

from __future__ import annotations

import threading
from bisect import bisect_right, insort
from collections.abc import Mapping
from typing import Final

from replay.engine_answers import CLOSED

MOST_LEFT_OUT: Final = 16
_MOST_ENDS: Final = 64  # of whatever cause
_MOST_STARTS: Final = 3  # in vain
_MOST_HEALED: Final = 3  # more, and a stretch that passes event by event goes on being passed so


class Trouble:
    """Of one recording, for all of its engines. An end is first a suspicion against a stretch, then walked event by event."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.left_out: dict[int, str] = {}
        self._order: list[int] = []
        self.suspects: list[tuple[int, int]] = []  # first and last event
        self._ends = self._starts = self._healed = 0
        self.known: int | None = None  # so many events at most are played, if that is settled
        self._last = ""

    def adopt(self, left_out: Mapping[int, str]) -> None:
        """Takes what was found at an earlier reading."""
        with self._lock:
            self.left_out.update(left_out)
            self._order = sorted(self.left_out)

    def is_suspect(self, event: int) -> bool:
        """Whether that event may have ended an engine."""
        return any(first <= event <= last for first, last in self.suspects)

    def ended(self, survived: int, fed: int, reason: str) -> None:
        """An engine that is known to have survived `survived` events is gone after `fed` of them, or by a question then."""
        with self._lock:
            self._count(reason)
            if not fed:
                return
            first = min(survived + 1, fed)
            if first < fed or not self.is_suspect(fed):
                self.suspects.append((first, fed))
                return
            if fed not in self.left_out:
                insort(self._order, fed)
                self.left_out[fed] = reason
            if len(self.left_out) >= MOST_LEFT_OUT:
                self._give_up(self._order[-1] - 1)

    def idle(self, reason: str) -> None:
        """An engine was gone that had nothing to do."""
        if reason != CLOSED:
            with self._lock:
                self._count(reason)

    def did_not_start(self, reason: str) -> None:
        """An engine was gone before it was fed anything."""
        with self._lock:
            self._starts += 1
            self._count(reason)
            if self._starts >= _MOST_STARTS:
                self._give_up(-1)

    def passed(self, since: int, fed: int) -> None:
        """An engine that stood at `since` has answered at `fed`: what was suspect between did nothing this time."""
        self._starts = 0
        with self._lock:
            kept = [s for s in self.suspects if not (since < s[0] and s[1] <= fed)]
            if len(kept) < len(self.suspects) and self._healed < _MOST_HEALED:
                self._healed += 1
                self.suspects = kept

    def last_left_out(self, events: int) -> int | None:
        """The last event that was left out on the way to `events`."""
        place = bisect_right(self._order, events)
        return self._order[place - 1] if place else None

    def lost(self, events: int) -> str:
        """Why the engine is not tried on so many events; "" where it is."""
        return self._last if self.known is not None and events > self.known else ""

    def _count(self, reason: str) -> None:
        self._ends += 1
        self._last = f"The terminal engine ended again and again ({reason}): the screen here is not known."
        if self._ends >= _MOST_ENDS:
            self._give_up(-1)

    def _give_up(self, events: int) -> None:
        self.known = events if self.known is None else min(self.known, events)
