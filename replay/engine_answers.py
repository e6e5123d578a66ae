"""What an engine in a process of its own adds to a `ScreenEngine`: it can be gone, and it can take its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

CLOSED: Final = "closed"


class EngineEndedError(Exception):
    """The engine is gone: `reason` is the signal's name, or what else it was, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the terminal engine ended ({reason})")
        self.reason = reason

    @property
    def wanted(self) -> bool:
        """Whether `close` ended it."""
        return self.reason == CLOSED


class EngineBusyError(Exception):
    """The engine has not answered yet; ask again."""


@runtime_checkable
class AwaitedEngine(Protocol):
    """Whatever asks it something raises EngineEndedError once it is gone, and EngineBusyError when patience is at its end."""

    def be_patient(self, patience_s: float | None) -> None:
        """From now on, answers are waited for so long, all told; None: for as long as it does anything at all."""

    def settle(self) -> None:
        """Waits for the answers that are due."""

    def check(self) -> None:
        """Raises EngineEndedError where it ended meanwhile, while nothing was asked of it."""

    def text_later(self, then: Callable[[str], None]) -> None:
        """Calls `then` with the text as it is now, before the next answer that is waited for; many are under way at once."""

    def close(self) -> None:
        """Ends it; from any thread."""
