"""The Logs panel: what spans noted while they ran, in order of time."""

from __future__ import annotations

from collections.abc import Iterator

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanEvent, SpanRecord
from replay import display
from replay.document import Line, Tone, line, words
from replay.run import Snapshot

_SHOWN = 2_000
_TEXT_KEYS = ("exception.message", "message", "body", sc.GEN_AI_EVALUATION_EXPLANATION)


def logs_panel(snapshot: Snapshot, offset_ns: int) -> Iterator[Line]:
    """One line an event; those after the playhead are dim."""
    timeline = snapshot.timeline
    events = sorted(((event.time_ns, span, event) for span in timeline.spans for event in span.events), key=lambda item: item[0])
    if not events:
        yield line(words("No span noted an event, and the agent sent no log records.", Tone.DIM))
        return
    at_ns = timeline.start_ns + offset_ns
    current = max((i for i, (time_ns, _, _) in enumerate(events) if time_ns <= at_ns), default=-1)
    first = max(current - _SHOWN // 2, 0)
    for i, (time_ns, span, event) in enumerate(events[first : first + _SHOWN], first):
        yield _row(time_ns - timeline.start_ns, span, event, current=i == current, past=i <= current)
    if len(events) > _SHOWN:
        yield line(words(f"{_SHOWN:,} of {len(events):,} events are listed, those around the playhead.", Tone.DIM))


def _row(offset_ns: int, span: SpanRecord, event: SpanEvent, *, current: bool, past: bool) -> Line:
    details = next((str(event.attributes[k]) for k in _TEXT_KEYS if event.attributes.get(k)), "")
    if not details:
        details = "  ".join(f"{k}={display.value_text(v)[:80]}" for k, v in list(event.attributes.items())[:6])
    bad = event.name == "exception"
    tone = Tone.BAD if bad else Tone.TEXT if past else Tone.DIM
    return line(
        words(f"{display.clock(max(offset_ns, 0))}  ", Tone.DIM),
        words(f"{'✗ ' if bad else ''}{event.name}  ", tone),
        words(f"{span.name}  "[:42], Tone.KEY),
        words(details[:2000], Tone.DIM),
        indent=11,
        current=current,
    )
