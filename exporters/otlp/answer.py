"""What a receiver made of a request, whatever protocol it came over."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from cabtrace.text import safe

_MESSAGE_CHARS = 500


class Outcome(StrEnum):
    """`unavailable`: try again; `refused`: this data; `failed`: the receiver broke on it; `misdirected`: not as set up."""

    ACCEPTED = "accepted"
    UNAVAILABLE = "unavailable"
    TOO_LARGE = "too large"
    REFUSED = "refused"
    FAILED = "failed"
    MISDIRECTED = "misdirected"


@dataclass(frozen=True, slots=True)
class Answer:
    """`rejected` spans of an accepted request were dropped by the receiver, `message` is its own words, made harmless."""

    outcome: Outcome
    message: str = ""
    rejected: int = 0
    retry_after_s: float | None = None


class Transport(Protocol):
    """Sends one encoded request; never raises for what the network or the receiver does."""

    def send(self, body: bytes) -> Answer:
        """The receiver's answer."""

    def close(self) -> None:
        """Releases connections."""


def words(value: object) -> str:
    """A receiver's words as one harmless line."""
    return safe(value, max_chars=_MESSAGE_CHARS, newlines=False).strip()


def accepted(rejected: int, message: str) -> Answer:
    """An accepted request, with its `partial_success`."""
    return Answer(Outcome.ACCEPTED, words(message), max(rejected, 0))
