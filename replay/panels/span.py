"""The Span panel: everything that is recorded of one span."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cabtrace.model import semconv as sc
from cabtrace.model.span import AttributeValue, SpanRecord
from replay import display
from replay.document import Line, Tone, fields, heading, line, pad, paragraphs, words
from replay.timeline import Row, Timeline

_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_VALUE_CHARS = 16 * 1024
_HIDDEN = frozenset({sc.SPAN_KIND})
#: names of what is known only when a span ends, and of what an agent knows before
_END_PREFIXES = (
    "gen_ai.response.",
    "gen_ai.usage.",
    "gen_ai.output.",
    "gen_ai.evaluation.",
    "http.response.",
    "exception.",
    "cabtrace.transcript.",
    sc.TELEMETRY,
)
_END_KEYS = frozenset(
    {
        sc.ABORTED,
        sc.CALL_CHUNKS,
        sc.CALL_INCOMPLETE,
        sc.CALL_LATENCY_MS,
        sc.CALL_RESPONSE_BYTES,
        sc.CALL_RETRIES,
        sc.CALL_SOURCES,
        sc.CAUSE,
        sc.CONTAINER_OOM_KILLED,
        sc.DURATION_S,
        sc.ERROR_TYPE,
        sc.EXIT_CODE,
        sc.GEN_AI_TOOL_RESULT,
        sc.PROCESS_EXIT_CODE,
        sc.PROVISIONAL,
        sc.REMOVED,
        sc.TEST_CASE_STATUS,
        sc.TIMED_OUT,
        sc.TOOL_CALL_SOURCES,
        sc.TOOL_CALL_TIMES,
        sc.VERDICT,
    }
)
_START_PREFIXES = (
    "gen_ai.agent.",
    "gen_ai.conversation.",
    "gen_ai.input.",
    "gen_ai.operation.",
    "gen_ai.provider.",
    "gen_ai.request.",
    "gen_ai.system",
    "gen_ai.tool.",
    "code.",
    "db.",
    "http.request.",
    "server.",
    "thread.",
    "url.",
)
_MEMBERS_NAMED = 500  # each is read from its file


def span_panel(timeline: Timeline, row: Row, offset_ns: int) -> Iterator[Line]:
    """Name, times, status, attributes, events and links of a row of the timeline."""
    span = row.span
    if row.group:
        yield from _group_panel(timeline, row)
        return
    yield line(words(f"{display.sign(span)} ", display.tone(span)), words(span.name or "(no name)", Tone.STRONG))
    yield _times(row, offset_ns)
    over = span.end_ns is None or offset_ns >= row.end_ns
    if over:
        yield from _failure(span)
    if row.mark:
        yield line(words(f"! {_MARK_WORDS[row.mark]}", Tone.WARN))
    yield Line()
    shown = [(key, value) for key, value in span.attributes.items() if key not in _HIDDEN]
    known = shown if over else [pair for pair in shown if not of_the_end(span, pair[0])]
    yield from _attributes(known)
    yield from _events(timeline, span, offset_ns)
    if not over:
        yield from _the_end(span, [pair for pair in shown if pair not in known])
    yield from _origin(span)


def of_the_end(span: SpanRecord, key: str) -> bool:
    """Whether an attribute was known only when the span ended. Of what agents record, all but the usual names may be."""
    if key in _END_KEYS or key.startswith(_END_PREFIXES):
        return True
    return display.kind(span) == sc.SpanKind.AGENT and not key.startswith(_START_PREFIXES)


def _attributes(pairs: Iterable[tuple[str, AttributeValue]]) -> Iterator[Line]:
    return fields((key, display.value_text(value)[:_VALUE_CHARS]) for key, value in pairs)


def _failure(span: SpanRecord) -> Iterator[Line]:
    if span.status_message:
        yield from paragraphs(span.status_message, Tone.BAD, max_chars=_VALUE_CHARS, indent=2)


def _the_end(span: SpanRecord, pairs: list[tuple[str, AttributeValue]]) -> Iterator[Line]:
    """What the playhead has yet to come to, set apart from what was so at that instant."""
    state, tone = display.state_words(span)
    yield Line()
    yield line(words("At its end  ", Tone.HEAD), (state, tone), level=1)
    yield from _failure(span)
    yield from _attributes(pairs)


_MARK_WORDS = {
    "orphan": "It names a parent that was not recorded.",
    "cycle": "It is its own ancestor; the circle was cut here.",
    "duplicate": "Another span has the same id.",
}


def _times(row: Row, offset_ns: int) -> Line:
    span = row.span
    took = None if span.end_ns is None else row.end_ns - row.start_ns
    state, tone = display.state_at(row, offset_ns)
    return line(
        (state, tone),
        words(f"  {display.when_words(row, offset_ns)}", tone if tone is Tone.WARN else Tone.DIM),
        words(f"  {display.kind(span)}  ", Tone.DIM),
        words(f"{display.clock(row.start_ns)} + {display.duration(took)}"),
    )


def _events(timeline: Timeline, span: SpanRecord, until_ns: int) -> Iterator[Line]:
    if not span.events:
        return
    yield Line()
    yield heading(f"Events ({len(span.events):,})")
    for event in span.events[:200]:
        offset_ns = max(event.time_ns - timeline.start_ns, 0)
        past = offset_ns <= until_ns
        at_ns = min(offset_ns, timeline.duration_ns)
        name = words(event.name if past else f"{event.name}  later", Tone.TEXT if past else Tone.DIM)
        yield line(words(f"{display.clock(offset_ns)}  ", Tone.DIM), name, target_ns=at_ns)
        if not past:
            continue
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
    inside = timeline.inside(row.index)[0]
    yield line(words(f"{inside:,} quiet spans, folded", Tone.STRONG))
    yield line(words(f"{display.clock(row.start_ns)} + {took}   enter opens them", Tone.DIM))
    yield Line()
    names: dict[str, int] = {}
    total: dict[str, int] = {}
    named = range(row.index + 1, row.end_row)[:_MEMBERS_NAMED]
    for index in named:
        member = timeline.row(index)
        if member.group:
            continue
        names[member.span.name] = names.get(member.span.name, 0) + 1
        total[member.span.name] = total.get(member.span.name, 0) + member.end_ns - member.start_ns
    if row.end_row - row.index - 1 > len(named):
        yield line(words(f"of the first {sum(names.values()):,}:", Tone.DIM))
    for name in sorted(names, key=lambda n: -names[n])[:200]:
        yield line(
            words(pad(f"{names[name]:,} ×", 9, right=True)),
            words(f"  {name}"),
            words(f"  {display.duration(total[name])}", Tone.DIM),
        )
