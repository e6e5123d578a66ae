"""The playhead. Its position is a function of an injected clock, never a sum of ticks, so playback does not drift."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from replay.idle import IdleMap

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
#: What one tick may catch up with: after a stall, playback goes on where it was instead of leaping ahead.
MAX_CATCH_UP_NS: Final = 250_000_000


class ReplayClock:
    """Play, pause, seek, step and speed on an axis from 0 to `duration_ns`."""

    def __init__(self, duration_ns: int, now_ns: Callable[[], int], *, following: bool = False) -> None:
        """`now_ns` is any clock that never goes back. `following` keeps the playhead at the end of a run that grows."""
        self._now_ns = now_ns
        self._duration_ns = max(duration_ns, 0)
        self._anchor_ns = self._duration_ns if following else 0
        self._anchored_at_ns = now_ns()
        self._ticked_at_ns = self._anchored_at_ns
        self._speed = 1.0
        self._playing = False
        self._following = following
        self._idle = IdleMap()

    @property
    def duration_ns(self) -> int:
        """Length of the axis."""
        return self._duration_ns

    @property
    def playing(self) -> bool:
        """Whether time passes."""
        return self._playing

    @property
    def following(self) -> bool:
        """Whether the playhead stays at the end as the run grows."""
        return self._following

    @property
    def speed(self) -> float:
        """Nanoseconds of the run for each nanosecond of `now_ns`."""
        return self._speed

    @property
    def position_ns(self) -> int:
        """Where the playhead is now, within 0 and `duration_ns`."""
        if not self._playing:
            return self._anchor_ns
        elapsed = int((self._now_ns() - self._anchored_at_ns) * self._speed)
        return min(self._idle.advance(self._anchor_ns, elapsed), self._duration_ns)

    def ahead(self, percent: int) -> int:
        """The instant so many percent of the whole after the position; before it, and maybe before 0, where they are negative."""
        return self.position_ns + self._duration_ns * percent // 100

    def tick(self) -> int:
        """Called once a frame: caps what a stall may skip, stops at the end; returns the position."""
        if not self._playing:
            return self._anchor_ns
        now = self._now_ns()
        lost = now - self._ticked_at_ns - MAX_CATCH_UP_NS
        if lost > 0:
            self._anchored_at_ns += lost
        self._ticked_at_ns = now
        position = self.position_ns
        if position >= self._duration_ns:
            self._anchor(self._duration_ns)
            self._playing = False
        return position

    def play(self) -> None:
        """Starts; from the beginning when the playhead stands at the end."""
        self._anchor(0 if self._anchor_ns >= self._duration_ns and not self._playing else self.position_ns)
        self._following = False
        self._playing = self._duration_ns > 0

    def pause(self) -> None:
        """Stops where it is."""
        self._anchor(self.position_ns)
        self._playing = False
        self._following = False

    def toggle(self) -> None:
        """Plays when paused, pauses when playing or following."""
        if self._playing or self._following:
            self.pause()
        else:
            self.play()

    def seek(self, position_ns: int) -> None:
        """Goes there, clamped to the axis; playing goes on from there."""
        self._following = False
        self._anchor(position_ns)

    def step(self, by_ns: int) -> None:
        """Moves by so much and pauses, as one looks at single instants then."""
        position = self.position_ns
        self.pause()
        self._anchor(position + by_ns)

    def faster(self) -> None:
        """The next speed up."""
        self.set_speed(next((s for s in SPEEDS if s > self._speed), SPEEDS[-1]))

    def slower(self) -> None:
        """The next speed down."""
        self.set_speed(next((s for s in reversed(SPEEDS) if s < self._speed), SPEEDS[0]))

    def set_speed(self, speed: float) -> None:
        """Clamped to the range of `SPEEDS`; the position does not jump."""
        self._anchor(self.position_ns)
        self._speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])

    def compress_idle(self, idle: IdleMap) -> None:
        """Passes quickly over stretches in which nothing happens; `IdleMap()` turns that off."""
        self._anchor(self.position_ns)
        self._idle = idle

    def follow(self) -> None:
        """Keeps to the end from now on."""
        self._playing = False
        self._following = True
        self._anchor(self._duration_ns)

    def extend(self, duration_ns: int) -> None:
        """The run grew (or, after a correction, shrank)."""
        position = self.position_ns
        self._duration_ns = max(duration_ns, 0)
        self._anchor(self._duration_ns if self._following else position)

    def _anchor(self, position_ns: int) -> None:
        self._anchor_ns = min(max(position_ns, 0), self._duration_ns)
        self._anchored_at_ns = self._ticked_at_ns = self._now_ns()
