"""Memory that was needed for a while."""

from __future__ import annotations


def give_back_memory() -> None:
    """What was freed, to the system, where the C library can do that: else it keeps the most that was ever needed."""
    import ctypes

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return
