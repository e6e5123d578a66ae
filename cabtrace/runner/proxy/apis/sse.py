"""Server-sent events, tolerant of everything that servers send and of an end anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name (may be empty) and its data, lines joined by a newline."""

    name: str
    data: str


def looks_like_events(content_type: str, body: bytes) -> bool:
    """Whether a body is an event stream, by its type or by its first bytes."""
    if "event-stream" in content_type.lower():
        return True
    return body.lstrip()[:6].startswith((b"data:", b"event:", b"id:", b": ", b":\n", b"retry:"))


def read_events(body: bytes) -> Iterator[Event]:
    """All events with data. A last one that lacks its blank line is given too: its data may still be whole."""
    name, data = "", list[str]()
    # bytes.splitlines cuts at LF, CR and CRLF and, unlike str.splitlines, at nothing else
    for raw in body.removeprefix(b"\xef\xbb\xbf").splitlines():
        line = raw.decode("utf-8", "replace")
        if not line:
            if data:
                yield Event(name, "\n".join(data))
            name, data = "", []
            continue
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "data":
            data.append(value)
        elif key == "event":
            name = value
    if data:
        yield Event(name, "\n".join(data))
