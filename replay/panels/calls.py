"""The Calls panel: the seed page's table of model calls."""

from __future__ import annotations

from collections.abc import Iterator

from cabtrace.model.model_call import ModelCall
from replay import display
from replay.call_list import CallList
from replay.document import Line, Piece, Tone, line, table, words
from replay.run import Snapshot

#: title, short title, what must go first where room is short
_COLUMNS = (
    ("#", "#", 0),
    ("time", "time", 0),
    ("request hash", "hash", 3),
    ("prompt", "in", 0),
    ("completion", "out", 0),
    ("latency", "latency", 0),
    ("finish", "finish", 0),
    ("ttft", "ttft", 4),
    ("cached", "cached", 5),
    ("reasoning", "reason.", 6),
    ("model", "model", 7),
)
_RIGHT = frozenset({0, 3, 4, 5, 7, 8, 9})
_ROOM = {3: 66, 4: 78, 5: 90, 6: 102, 7: 125}  # width from which on a column of that rank is shown
_SHORT_BELOW = 60
_SHOWN = 400  # rows around the current call; the table of a run with more says so


def calls_panel(snapshot: Snapshot, offset_ns: int, width: int) -> Iterator[Line]:
    """The table, the call at the playhead current; wider where there is room."""
    calls = snapshot.calls
    if not calls:
        yield line(words("No model call was recorded.", Tone.DIM))
        yield line(words(f"Record of model calls: {snapshot.header.completeness.model_calls}", Tone.DIM))
        return
    current = snapshot.call_at(offset_ns)
    first = max((current or 0) - _SHOWN // 2, 0)
    shown = calls[first : first + _SHOWN]
    columns = [i for i, (_, _, rank) in enumerate(_COLUMNS) if width >= _ROOM.get(rank, 0)]
    head = [_COLUMNS[i][1] if width < _SHORT_BELOW else _COLUMNS[i][0] for i in columns]
    rows = ([cells[i] for i in columns] for cells in (_cells(snapshot, call) for call in shown))
    places = enumerate(zip(rows, shown, strict=True), first)
    marked = ((cells, i == current, snapshot.call_offset_ns(call)) for i, (cells, call) in places)
    yield from table(head, marked, right=[place for place, i in enumerate(columns) if i in _RIGHT])
    yield Line()
    yield line(words(totals(calls), Tone.DIM))
    if len(shown) < len(calls):
        yield line(words(f"{len(shown):,} of {len(calls):,} calls are listed, those around the playhead.", Tone.DIM))


def _cells(snapshot: Snapshot, call: ModelCall) -> list[Piece]:
    finish, tone = finish_words(call)
    latency = None if call.latency_ms is None else call.latency_ms * 1e6
    first_chunk = None if call.time_to_first_chunk_s is None else call.time_to_first_chunk_s * 1e9
    return [
        words(str(call.index)),
        words(display.clock(snapshot.call_offset_ns(call))),
        words(call.request_hash[:12] or display.UNKNOWN, Tone.DIM),
        words(display.count(call.usage.input)),
        words(display.count(call.usage.output)),
        words(display.duration(latency)),
        words(finish, tone),
        words(display.duration(first_chunk)),
        words(display.count(call.usage.cache_read)),
        words(display.count(call.usage.reasoning)),
        words((call.response_model or call.request_model)[:40]),
    ]


def finish_words(call: ModelCall) -> tuple[str, Tone]:
    """How a call ended, in a word."""
    if call.incomplete:
        return "incomplete", Tone.WARN
    if call.error:
        return f"✗ {call.error[:40]}", Tone.BAD
    if call.http_status is not None and call.http_status >= 400:
        return f"✗ HTTP {call.http_status}", Tone.BAD
    return ", ".join(call.finish_reasons)[:40] or display.UNKNOWN, Tone.TEXT


def totals(calls: CallList) -> str:
    """Sums over calls; a sum says how many of them it could not know."""
    tokens, unknown = calls.tokens
    if tokens.input is None and tokens.output is None:
        return f"{len(calls):,} calls, tokens {display.UNKNOWN}"
    note = f" ({unknown:,} of {len(calls):,} calls unknown)" if unknown else ""
    return f"{len(calls):,} calls, {tokens.input or 0:,} prompt + {tokens.output or 0:,} completion tokens{note}"
