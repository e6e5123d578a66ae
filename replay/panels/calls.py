"""The Calls panel: the seed page's table of model calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from cabtrace.model.model_call import ModelCall
from replay import display
from replay.call_list import CallList
from replay.document import Line, Piece, Tone, fit, line, table, words
from replay.run import Snapshot

_SHOWN = 200  # rows around the current call; the table of a run with more says so
_RIGHT = frozenset({"prompt", "completion", "latency", "ttft", "cached", "reasoning", "#"})
#: what an answer is known by only when it has come
_OF_THE_END = frozenset({"completion", "latency", "finish", "ttft", "cached", "reasoning", "prompt", "model"})
_FINISH = {
    "tool_calls": "tools",
    "tool_use": "tools",
    "function_call": "tools",
    "end_turn": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "content_filter": "filter",
    "incomplete": "cut off",
}
_FINISH_CELLS = 12
_UNKNOWN = "?"  # where there is no room for the word; the line below the table says what it means
_FULL_FROM = 88  # cells that full titles need, whatever is below them


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which columns there are. `short`: with short titles and words, and one blank between columns."""

    columns: tuple[str, ...]
    short: bool = False

    @property
    def gap(self) -> int:
        return 1 if self.short else 2


_ALL = ("#", "time", "request hash", "prompt", "completion", "latency", "finish", "ttft", "cached", "reasoning")
_TITLES = {
    "request hash": "hash",
    "prompt": "in",
    "completion": "out",
    "latency": "took",
    "cached": "cache",
    "reasoning": "reas",
}
#: the first of them that has room is taken
_LAYOUTS = (
    _Layout((*_ALL, "model")),
    _Layout(_ALL),
    _Layout(_ALL, short=True),
    _Layout(("#", "time", "prompt", "completion", "latency", "ttft", "cached", "finish"), short=True),
    _Layout(("#", "time", "prompt", "completion", "latency", "ttft", "finish"), short=True),
    _Layout(("#", "time", "prompt", "completion", "latency", "finish"), short=True),
    _Layout(("#", "latency", "finish"), short=True),
)


def calls_panel(snapshot: Snapshot, offset_ns: int, width: int, *, opened: bool = True) -> Iterator[Line]:
    """The table, the call at the playhead current and, if `opened`, with what has no column below it."""
    calls = snapshot.calls
    if not calls:
        yield line(words("No model call was recorded.", Tone.DIM))
        yield line(words(f"Record of model calls: {snapshot.header.completeness.model_calls}", Tone.DIM))
        return
    current = snapshot.call_at(offset_ns)
    first = max((current or 0) - _SHOWN // 2, 0)
    shown = calls[first : first + _SHOWN]
    layout, cells = _laid_out(snapshot, shown, width, now_ns=snapshot.timeline.start_ns + offset_ns)
    marked = (
        (row, opened and place == current, snapshot.call_offset_ns(call))
        for place, (row, call) in enumerate(zip(cells, shown, strict=True), first)
    )
    head = [_TITLES.get(name, name) if layout.short else name for name in layout.columns]
    right = [place for place, name in enumerate(layout.columns) if name in _RIGHT]
    for place, row in enumerate(table(head, marked, right=right, gap=layout.gap), first - 1):
        yield row
        if opened and place == current:
            yield from _below(snapshot, calls[place], layout, offset_ns)
    yield Line()
    legend = "; ? is unknown" if any(text == _UNKNOWN for row in cells for text, _ in row) else ""
    yield line(words(totals(calls) + legend, Tone.DIM))
    if len(shown) < len(calls):
        yield line(words(f"{len(shown):,} of {len(calls):,} calls are listed, those around the playhead.", Tone.DIM))


def _laid_out(snapshot: Snapshot, calls: Sequence[ModelCall], width: int, *, now_ns: int) -> tuple[_Layout, list[list[Piece]]]:
    cells: dict[bool, list[dict[str, Piece]]] = {}
    for layout in _LAYOUTS:
        if width < _FULL_FROM and not layout.short:
            continue
        if layout.short not in cells:
            cells[layout.short] = [_cells(snapshot, call, short=layout.short, now_ns=now_ns) for call in calls]
        rows = cells[layout.short]
        titles = (_TITLES.get(name, name) if layout.short else name for name in layout.columns)
        widths = (
            max(cell_len(title), max((cell_len(row[name][0]) for row in rows), default=0))
            for title, name in zip(titles, layout.columns, strict=True)
        )
        if sum(widths) + layout.gap * (len(layout.columns) - 1) <= width:
            break
    return layout, [[row[name] for name in layout.columns] for row in rows]


def _below(snapshot: Snapshot, call: ModelCall, layout: _Layout, offset_ns: int) -> Iterator[Line]:
    """Of the call at the playhead: whether it is under way, and what the table has no column for."""
    if call.ended_ns is not None and (end_ns := call.ended_ns - snapshot.timeline.start_ns) > offset_ns:
        yield line(
            words("  └ ", Tone.DIM),
            words("● in flight", Tone.WARN),
            words(f"; figures as of {display.clock(end_ns)}", Tone.DIM),
            indent=4,
        )
    left_out = [name for name in ("request hash", "ttft", "cached", "reasoning") if name not in layout.columns]
    if not left_out:
        return
    full = _cells(snapshot, call, short=False, now_ns=call.ended_ns or call.started_ns)
    full["request hash"] = words(call.request_hash[:8] or display.UNKNOWN, Tone.DIM)
    pieces = [
        piece for name in left_out for piece in (words(f"{_TITLES.get(name, name)} ", Tone.KEY), words(f"{full[name][0]}  "))
    ]
    yield line(words("  └ ", Tone.DIM), *pieces, indent=4)


def _cells(snapshot: Snapshot, call: ModelCall, *, short: bool, now_ns: int) -> dict[str, Piece]:
    finish, tone = finish_words(call)
    latency = None if call.latency_ms is None else call.latency_ms * 1e6
    first_chunk = None if call.time_to_first_chunk_s is None else call.time_to_first_chunk_s * 1e9
    offset_ns, usage = snapshot.call_offset_ns(call), call.usage
    count, took = (_short_count, _short_duration) if short else (display.count, display.duration)
    texts = {
        "#": str(call.index),
        "time": display.clock(offset_ns)[:-2] if short else display.clock(offset_ns),
        "request hash": call.request_hash[: 8 if short else 12] or display.UNKNOWN,
        "prompt": count(usage.input),
        "completion": count(usage.output),
        "latency": took(latency),
        "finish": fit(short_finish(finish), _FINISH_CELLS) if short else finish,
        "ttft": took(first_chunk),
        "cached": count(usage.cache_read),
        "reasoning": count(usage.reasoning),
        "model": (call.response_model or call.request_model)[:40],
    }
    begun, over = call.started_ns <= now_ns, call.ended_ns is not None and call.ended_ns <= now_ns
    tones = dict.fromkeys(texts, Tone.TEXT) | {"finish": tone, "request hash": Tone.DIM}
    if not over:
        tones |= dict.fromkeys(_OF_THE_END if begun and call.ended_ns is not None else () if begun else texts, Tone.DIM)
    return {name: words(text, tones[name]) for name, text in texts.items()}


def _short_count(number: int | None) -> str:
    """`9999`, `12.3k`, `1.2M`."""
    if number is None:
        return _UNKNOWN
    if abs(number) < 10_000:
        return str(number)
    thousands = number / 1e3
    return f"{thousands:.1f}k" if thousands < 99.95 else f"{thousands:.0f}k" if thousands < 999.5 else f"{thousands / 1e3:.1f}M"


def _short_duration(time_ns: float | None) -> str:
    return _UNKNOWN if time_ns is None else display.duration(time_ns).replace(" ", "")


def short_finish(words: str) -> str:
    """The same in fewer letters: `tools` for `tool_calls`."""
    return ",".join(_FINISH.get(word, word) for word in words.split(", "))


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
