"""The Logs panel: what was noted while the run went on, in order of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from replay import display
from replay.document import Line, Tone, line, words
from replay.journal import Entry
from replay.run import Snapshot

_SHOWN = 400  # around the playhead
_SIGNS = {"bad": ("✗ ", Tone.BAD), "warn": ("! ", Tone.WARN), "mark": ("⚑ ", Tone.NOW)}


def logs_panel(snapshot: Snapshot, entries: Sequence[Entry], offset_ns: int) -> Iterator[Line]:
    """One line an entry; those after the playhead are dim."""
    if not entries:
        yield line(words("No span noted an event, and the agent sent no log records.", Tone.DIM))
        return
    timeline = snapshot.timeline
    current = bisect_right(entries, timeline.start_ns + offset_ns, key=lambda entry: entry.time_ns) - 1
    first = max(current - _SHOWN // 2, 0)
    for i, entry in enumerate(entries[first : first + _SHOWN], first):
        at_ns = min(max(entry.time_ns - timeline.start_ns, 0), timeline.duration_ns)
        yield _row(entry, at_ns, current=i == current, past=i <= current)
    if len(entries) > _SHOWN:
        yield line(words(f"{_SHOWN:,} of {len(entries):,} entries are listed, those around the playhead.", Tone.DIM))


def _row(entry: Entry, at_ns: int, *, current: bool, past: bool) -> Line:
    sign, tone = _SIGNS.get(entry.grade, ("", Tone.TEXT if past else Tone.DIM))
    return line(
        words(f"{display.clock(at_ns)}  ", Tone.DIM),
        words(f"{sign}{entry.title[:60]}  ", tone),
        words(f"{entry.source[:40]}  " if entry.source else "", Tone.KEY),
        words(entry.text, Tone.DIM),
        indent=11,
        current=current,
        target_ns=at_ns,
    )
