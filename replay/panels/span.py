"""The Span panel: everything that is recorded of one span."""

from __future__ import annotations

from collections.abc import Iterator

from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord
from replay import display
from replay.document import Line, Tone, fields, heading, line, pad, paragraphs, words
from replay.timeline import Row, Timeline

_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_VALUE_CHARS = 16 * 1024
_HIDDEN = frozenset({sc.SPAN_KIND})
_MEMBERS_NAMED = 500  # each is read from its file


def span_panel(timeline: Timeline, row: Row, offset_ns: int) -> Iterator[Line]:
    """Name, times, status, attributes, events and links of a row of the timeline."""
    span = row.span
    if row.group:
        yield from _group_panel(timeline, row)
        return
    yield line(words(f"{display.sign(span)} ", display.tone(span)), words(span.name or "(no name)", Tone.STRONG))
    yield _times(row, offset_ns)
    if span.status_message:
        yield from paragraphs(span.status_message, Tone.BAD, max_chars=_VALUE_CHARS, indent=2)
    if row.mark:
        yield line(words(f"! {_MARK_WORDS[row.mark]}", Tone.WARN))
    yield Line()
    yield from fields(
        (key, display.value_text(value)[:_VALUE_CHARS]) for key, value in span.attributes.items() if key not in _HIDDEN
    )
    yield from _events(timeline, span)
    yield from _origin(span)


_MARK_WORDS = {
    "orphan": "It names a parent that was not recorded.",
    "cycle": "It is its own ancestor; the circle was cut here.",
    "duplicate": "Another span has the same id.",
}


def _times(row: Row, offset_ns: int) -> Line:
    span = row.span
    took = None if span.end_ns is None else row.end_ns - row.start_ns
    state, tone = display.state_words(span)
    return line(
        (state, tone),
        words(f"  {display.kind(span)}  ", Tone.DIM),
        words(f"{display.clock(row.start_ns)} + {display.duration(took)}"),
        words(_relation(row, offset_ns), Tone.DIM),
    )


def _relation(row: Row, offset_ns: int) -> str:
    if offset_ns < row.start_ns:
        return f"  starts in {display.duration(row.start_ns - offset_ns)}"
    if offset_ns >= row.end_ns and row.end_ns > row.start_ns:
        return f"  ended {display.duration(offset_ns - row.end_ns)} ago"
    return f"  {display.duration(offset_ns - row.start_ns)} in"


def _events(timeline: Timeline, span: SpanRecord) -> Iterator[Line]:
    if not span.events:
        return
    yield Line()
    yield heading(f"Events ({len(span.events):,})")
    for event in span.events[:200]:
        offset_ns = max(event.time_ns - timeline.start_ns, 0)
        yield line(words(f"{display.clock(offset_ns)}  ", Tone.DIM), words(event.name))
        for shown in fields((k, display.value_text(v)[:_VALUE_CHARS]) for k, v in event.attributes.items()):
            yield Line((words("  "), *shown.pieces), shown.indent + 2)


def _origin(span: SpanRecord) -> Iterator[Line]:
    yield Line()
    yield heading("Identity")
    dropped = (span.dropped_attributes, span.dropped_events, span.dropped_links)
    pairs = [
        ("trace id", span.trace_id),
        ("span id", span.span_id),
        ("parent id", span.parent_id or "none"),
        ("span kind", _KINDS.get(span.kind, "unspecified")),
        ("scope", f"{span.scope} {span.scope_version}".strip()),
    ]
    pairs += [("link", f"{link.trace_id} {link.span_id}") for link in span.links[:50]]
    if any(dropped):
        pairs.append(("dropped", "{} attributes, {} events, {} links".format(*dropped)))
    yield from fields(pair for pair in pairs if pair[1])
    if span.resource:
        yield Line()
        yield heading("Resource")
        yield from fields((k, display.value_text(v)[:_VALUE_CHARS]) for k, v in span.resource.items())


def _group_panel(timeline: Timeline, row: Row) -> Iterator[Line]:
    took = display.duration(row.end_ns - row.start_ns)
    yield line(words(f"{row.group:,} quiet spans, folded", Tone.STRONG))
    yield line(words(f"{display.clock(row.start_ns)} + {took}   enter opens them", Tone.DIM))
    yield Line()
    names: dict[str, int] = {}
    total: dict[str, int] = {}
    named = range(row.index + 1, row.end_row)[:_MEMBERS_NAMED]
    for index in named:
        member = timeline.row(index)
        names[member.span.name] = names.get(member.span.name, 0) + 1
        total[member.span.name] = total.get(member.span.name, 0) + member.end_ns - member.start_ns
    if row.group > len(named):
        yield line(words(f"of the first {len(named):,}:", Tone.DIM))
    for name in sorted(names, key=lambda n: -names[n])[:200]:
        yield line(
            words(pad(f"{names[name]:,} ×", 9, right=True)),
            words(f"  {name}"),
            words(f"  {display.duration(total[name])}", Tone.DIM),
        )
