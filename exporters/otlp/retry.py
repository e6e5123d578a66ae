"""When to try again: exponential backoff with jitter, what the receiver asks for, and an end to patience."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Patience:
    """`total_s` is how long one batch is tried; the waits between tries grow from `first_s` to `most_s`."""

    total_s: float = 60.0
    first_s: float = 0.5
    most_s: float = 15.0


@dataclass(slots=True)
class Waiting:
    """The waits of one batch. Clock, sleep and random numbers are given, so that a test needs no time."""

    patience: Patience
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    uniform: Callable[[float, float], float] = random.uniform
    _tries: int = 0
    _began_s: float | None = field(default=None)

    def wait(self, asked_s: float | None) -> bool:
        """Waits, as long as the receiver asked for at least; False at once where that would be longer than patience lasts."""
        now = self.clock()
        if self._began_s is None:
            self._began_s = now
        backoff_s = min(self.patience.first_s * 2**self._tries, self.patience.most_s)
        delay_s = self.uniform(backoff_s / 2, backoff_s)
        if asked_s is not None:
            delay_s = asked_s + self.uniform(0, 0.1 * asked_s)
        if now - self._began_s + delay_s > self.patience.total_s:
            return False
        self._tries += 1
        self.sleep(delay_s)
        return True
