"""What the merge wants to know of a transcript's tool call; `cabtrace.protocols.TranscriptToolCall` has it."""

from __future__ import annotations

from typing import Protocol


class ToolCallLike(Protocol):
    """None is unknown; times are Unix nanoseconds."""

    @property
    def tool_call_id(self) -> str:
        """The model's id of the call; "" where there is none."""

    @property
    def name(self) -> str:
        """The tool."""

    @property
    def arguments(self) -> str:
        """As text, JSON as a rule."""

    @property
    def result(self) -> str:
        """What the tool gave back."""

    @property
    def started_ns(self) -> int | None:
        """When it began."""

    @property
    def ended_ns(self) -> int | None:
        """When it ended."""

    @property
    def exit_code(self) -> int | None:
        """Of the program that it ran."""

    @property
    def error(self) -> str:
        """Why it failed; "" where it did not."""

    @property
    def model_call(self) -> int | None:
        """Which of the transcript's model calls it followed from, counted from 0; for calls that it tells no time of."""
