"""The Logs panel: what was noted while the run went on, in order of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from replay import display
from replay.document import Line, Tone, fields, line, one_row, paragraphs, words
from replay.journal import Entry
from replay.run import Snapshot

_SHOWN = 200  # around the playhead
_SIGNS = {"bad": ("✗", Tone.BAD), "warn": ("!", Tone.WARN), "mark": ("⚑", Tone.NOW)}
_INDENT = 13  # below the clock and the sign
_VALUE_CHARS = 4_096
_ATTRIBUTES = 100


def logs_panel(snapshot: Snapshot, entries: Sequence[Entry], offset_ns: int, width: int) -> Iterator[Line]:
    """A line an entry, and all of the last one before the playhead; later ones are dim."""
    if not entries:
        yield line(words("No span noted an event, and the agent sent no log records.", Tone.DIM))
        return
    timeline = snapshot.timeline
    current = bisect_right(entries, timeline.start_ns + offset_ns, key=lambda entry: entry.time_ns) - 1
    first = max(current - _SHOWN // 2, 0)
    hours = display.has_hours(timeline.duration_ns)
    for i, entry in enumerate(entries[first : first + _SHOWN], first):
        at_ns = min(max(entry.time_ns - timeline.start_ns, 0), timeline.duration_ns)
        row = _row(entry, at_ns, hours=hours, current=i == current, past=i <= current)
        yield one_row(row, width)
        if i == current:
            yield from _details(entry, width)
    if len(entries) > _SHOWN:
        yield line(words(f"{_SHOWN:,} of {len(entries):,} entries are listed, those around the playhead.", Tone.DIM))


def _row(entry: Entry, at_ns: int, *, hours: bool, current: bool, past: bool) -> Line:
    sign, tone = _SIGNS.get(entry.grade, ("·", Tone.TEXT if past else Tone.DIM))
    what = entry.source if entry.source and entry.source != entry.title else ""
    return line(
        words(f"{display.clock(at_ns, hours=hours)}  ", Tone.DIM),
        words(f"{sign} {entry.title[:60]}  ", tone),
        words(f"{what[:60]}  " if what else "", Tone.KEY if past else Tone.DIM),
        words((entry.body or entry.text)[:500], Tone.TEXT if past and entry.body else Tone.DIM),
        indent=_INDENT,
        current=current,
        target_ns=at_ns,
        level=1,
    )


def _details(entry: Entry, width: int) -> Iterator[Line]:
    """What the line has no room for."""
    indent = _INDENT if width >= 60 else 4
    if entry.body and ("\n" in entry.body or len(entry.body) > width // 3):
        yield from paragraphs(entry.body, max_chars=_VALUE_CHARS, indent=indent)
    pairs = list(entry.attributes.items())
    for row in fields((key, display.value_text(value)[:_VALUE_CHARS]) for key, value in pairs[:_ATTRIBUTES]):
        yield Line((words(" " * indent), *row.pieces), row.indent + indent)
    if len(pairs) > _ATTRIBUTES:
        yield line(words(f"{' ' * indent}… and {len(pairs) - _ATTRIBUTES:,} more", Tone.DIM), indent=indent)
