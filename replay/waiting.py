"""What a live run hangs on: the call that has begun and not ended, or the silence since the last one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cabtrace.model import semconv as sc
from cabtrace.store.span_facts import KIND_CODES
from replay import display
from replay.document import Piece, Tone, words

if TYPE_CHECKING:
    from replay.clock import ReplayClock
    from replay.run import Snapshot

_LONG_NS = 30 * 10**9  # by then most models have answered
_SHORT_NS = 1_000_000_000
_QUIET_NS = 5 * 10**9  # agents' programs pause now and then
_KINDS = frozenset(KIND_CODES[kind] for kind in (sc.SpanKind.MODEL_CALL, sc.SpanKind.TOOL_CALL, sc.SpanKind.VERIFIER))


@dataclass(frozen=True, slots=True)
class Waiting:
    """`what` hangs, in words; it has taken `for_ns` so far."""

    what: str
    for_ns: int

    def piece(self) -> Piece:
        """`⧗ chat #3: no answer for 42 s`."""
        whole = self.for_ns // 10**9 * 10**9
        return words(f"⧗ {self.what} for {display.duration(whole)}", Tone.BAD if self.for_ns >= _LONG_NS else Tone.WARN)


def waiting_on(snapshot: Snapshot, now_ns: int) -> Waiting | None:
    """The latest call of a live run that is still open, else how long nothing was heard. `now_ns`: Unix time."""
    if not snapshot.live:
        return None
    timeline = snapshot.timeline
    if (place := timeline.last_open(_KINDS)) is not None:
        last = timeline.spans[place]
        return _worth_saying(f"{display.title(last)[:40]}: no answer", now_ns - last.start_ns, _SHORT_NS)
    calls = snapshot.calls
    asked = calls[-1] if len(calls) else None
    tools = asked is not None and any("tool" in reason for reason in asked.finish_reasons)
    what = f"tools of chat #{asked.index}: nothing" if asked is not None and tools else "nothing"
    heard_ns = timeline.end_ns if snapshot.heard_ns is None else snapshot.heard_ns
    return _worth_saying(f"{what} heard", now_ns - heard_ns, _QUIET_NS)


def behind(snapshot: Snapshot, clock: ReplayClock) -> Piece | None:
    """`3.0 s behind, end catches up`: of a live run that is not followed, how far the playhead is from now."""
    late_ns = clock.duration_ns - clock.position_ns
    if not snapshot.live or clock.following or late_ns < _SHORT_NS:
        return None
    return words(f"{display.duration(late_ns // 10**9 * 10**9)} behind, end catches up", Tone.WARN)


def _worth_saying(what: str, for_ns: int, least_ns: int) -> Waiting | None:
    return Waiting(what, for_ns) if for_ns >= least_ns else None
