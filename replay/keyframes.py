"""States of a screen engine along a recording, packed and bounded: when they become too many, every second one goes."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from cabtrace.limits import MIB

_MOST_BYTES = 48 * MIB


@dataclass(frozen=True, slots=True)
class Keyframe:
    """The state after so many events; "" is the blank screen."""

    events: int
    packed: bytes

    def unpack(self) -> bytes:
        """What the engine gave; b"" where there is none."""
        return zlib.decompress(self.packed) if self.packed else b""


_BLANK = Keyframe(0, b"")


class Keyframes:
    """In order. May be read while another thread lays more."""

    def __init__(self, kept: Sequence[Keyframe] = (), *, most_bytes: int = _MOST_BYTES) -> None:
        self.kept = [k for k in kept if k.events > 0]
        self.bytes = sum(len(k.packed) for k in self.kept)
        self._most_bytes = most_bytes
        self._every = self._skipped = 0

    def before(self, events: int) -> Keyframe:
        """The last one that is not after so many events."""
        kept = self.kept
        place = bisect_right(kept, events, key=lambda k: k.events)
        return kept[place - 1] if place else _BLANK

    def lay(self, events: int, state: bytes) -> None:
        """Keeps a state that is later than those kept; an engine that could not give one gives b""."""
        if not state or (self.kept and self.kept[-1].events >= events):
            return
        self._skipped += 1
        if self._skipped <= self._every:
            return
        self._skipped = 0
        keyframe = Keyframe(events, zlib.compress(state, 1))
        self.kept.append(keyframe)
        self.bytes += len(keyframe.packed)
        if self.bytes > self._most_bytes:
            self.kept = self.kept[1::2]
            self.bytes = sum(len(k.packed) for k in self.kept)
            self._every = 2 * self._every + 1

    def drop(self, events: int) -> None:
        """Forgets a state that cannot be used."""
        self.kept = [k for k in self.kept if k.events != events]
        self.bytes = sum(len(k.packed) for k in self.kept)
