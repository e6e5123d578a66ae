"""Terminal recordings by a seed: a build log with progress bars, then a full-screen program that redraws, in turn."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

_WORDS = (
    "compiling",
    "linking",
    "test",
    "passed",
    "failed",
    "warning",
    "unused",
    "variable",
    "borrow",
    "checker",
    "crate",
    "miss",
)
_PHASE_EVENTS = 4_000


def write_cast(path: Path, size_bytes: int, *, seed: int, columns: int = 200, rows: int = 50, rate_hz: float = 200.0) -> int:
    """Writes an asciicast v2 of about that size; returns how many events it has. Events come at `rate_hz` on average."""
    rng = random.Random(seed)
    output = _output(rng, columns, rows)
    written = events = 0
    time_s = 0.0
    with path.open("w", encoding="utf-8") as out:
        header = {"version": 2, "width": columns, "height": rows, "env": {"TERM": "xterm-256color"}}
        written += out.write(json.dumps(header) + "\n")
        while written < size_bytes:
            time_s += rng.expovariate(rate_hz)
            if rng.random() < 0.0001:
                time_s += 5.0
            written += out.write(json.dumps([round(time_s, 6), "o", next(output)], ensure_ascii=False) + "\n")
            events += 1
    return events


def _output(rng: random.Random, columns: int, rows: int) -> Iterator[str]:
    number = 0
    while True:
        for _ in range(_PHASE_EVENTS):
            number += 1
            yield _log_lines(rng, number)
        yield "\x1b[?1049h\x1b[2J"
        for _ in range(_PHASE_EVENTS):
            number += 1
            yield _redraw(rng, number, columns, rows)
        yield "\x1b[?1049l"


def _log_lines(rng: random.Random, number: int) -> str:
    if rng.random() < 0.3:
        done = number % 100
        return f"\r\x1b[32mBuilding\x1b[0m [{'=' * (done // 3)}>{' ' * (33 - done // 3)}] {done}/100: {rng.choice(_WORDS)}"
    words = " ".join(rng.choice(_WORDS) for _ in range(rng.randrange(4, 18)))
    return f"\r\x1b[K\x1b[1;{rng.randrange(31, 37)}m{rng.choice(_WORDS):>12}\x1b[0m {words} ({number} ms)\r\n"


def _redraw(rng: random.Random, number: int, columns: int, rows: int) -> str:
    first = rng.randrange(1, rows)
    parts = ["\x1b[?2026h"]
    for row in range(first, min(first + 3, rows)):
        colour = f"38;2;{rng.randrange(256)};{rng.randrange(256)};{rng.randrange(256)}"
        text = " ".join(rng.choice(_WORDS) for _ in range(4))
        parts.append(f"\x1b[{row};{rng.randrange(1, columns // 2)}H\x1b[{colour}m│ {text[: columns // 3]}\x1b[0m")
    parts.append(f"\x1b[{rows};1H\x1b[7m frame {number} \x1b[0m\x1b[?2026l")
    return "".join(parts)
