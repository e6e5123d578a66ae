"""A model call that both the proxy and the agent recorded becomes one span, and hangs under what made it."""

from __future__ import annotations

from dataclasses import replace

from cabtrace.model import semconv as sc
from cabtrace.model.merge.fill import united
from cabtrace.model.merge.pairing import Timed, pair, pair_by_key
from cabtrace.model.merge.rules import call_facts, is_call, usage
from cabtrace.model.merge.work import Work
from cabtrace.model.span import SpanRecord

_CLIMB = 64
_BOTH = ("proxy", "telemetry")


def merge_calls(work: Work) -> None:
    """Pairs calls by `traceparent`, then by response id, then by model, token counts and time."""
    parents = work.parents()
    proxied = [s for s in work.ended() if _is_proxied(s) and _sources(s) != _BOTH]
    proxied.sort(key=lambda s: (s.failed, s.start_ns, s.span_id))  # of several tries in one span, the one that went well is it
    agents = _innermost(work, parents)
    if not any(_is_proxied(s) for s in work.spans.values()):
        _promote(work, agents)
        return
    makers = _makers(work, proxied)
    by_id = {s.span_id: s for s in agents}
    pairs = [(call, by_id[makers[call.span_id]]) for call in proxied if makers.get(call.span_id) in by_id]
    done = {s.span_id for both in pairs for s in both}
    for stage in (_by_response_id, _by_tokens, _by_time):
        found = stage([s for s in proxied if s.span_id not in done], [s for s in agents if s.span_id not in done])
        done.update(s.span_id for both in found for s in both)
        pairs += found
    taken: set[str] = set()
    for call, own in pairs:
        if own.span_id not in taken:
            taken.add(own.span_id)
            _unite(work, call, own, makers.get(call.span_id), parents)
    for call in proxied:
        maker = makers.get(call.span_id)
        if maker and work.spans[call.span_id] is call:
            above: str | None = maker
            if maker in taken or _is_proxied(work.spans[maker]):  # that span is another request of the same call
                above = parents[maker]
            work.put(replace(call, parent_id=work.current_id(above) if above else call.parent_id))


def _is_proxied(span: SpanRecord) -> bool:
    return span.attributes.get(sc.SPAN_KIND) == sc.SpanKind.MODEL_CALL and _sources(span) != ("telemetry",)


def _sources(span: SpanRecord) -> tuple[object, ...]:
    value = span.attributes.get(sc.CALL_SOURCES)
    return tuple(value) if isinstance(value, list | tuple) else ()


def _innermost(work: Work, parents: dict[str, str | None]) -> list[SpanRecord]:
    """The agent's own call spans that hold no other: libraries wrap one call in several spans."""
    outer: set[str] = set()
    visited: set[str] = set()
    calls = [s for s in work.ended() if is_call(s)]
    for span in [*calls, *(s for s in work.spans.values() if s.attributes.get(sc.SPAN_KIND) == sc.SpanKind.MODEL_CALL)]:
        node = span.parent_id
        while node is not None and node not in visited:
            visited.add(node)
            outer.add(node)
            node = parents.get(node)
    return [s for s in calls if s.span_id not in outer]


def _makers(work: Work, proxied: list[SpanRecord]) -> dict[str, str]:
    """Call -> the span that its `traceparent` names, where that span arrived."""
    named = {s.span_id: parsed for s in proxied if (parsed := _traceparent(s.text(sc.CALL_TRACEPARENT)))}
    if not named:
        return {}
    known: dict[tuple[str, str], str] = {}
    for span in work.spans.values():
        origin = (span.text(sc.ORIGINAL_TRACE_ID) or span.trace_id, span.text(sc.ORIGINAL_SPAN_ID) or span.span_id)
        known[origin] = span.span_id
    found = {call: known.get(origin) for call, origin in named.items()}
    return {call: maker for call, maker in found.items() if maker is not None and maker != call}


def _traceparent(header: str) -> tuple[str, str] | None:
    parts = header.strip().lower().split("-")
    return (parts[1], parts[2]) if len(parts) >= 4 and len(parts[1]) == 32 and len(parts[2]) == 16 else None


def _timed(span: SpanRecord) -> Timed[SpanRecord]:
    return Timed(span.start_ns, span.start_ns if span.end_ns is None else span.end_ns, span.span_id, span)


def _by_response_id(calls: list[SpanRecord], agents: list[SpanRecord]) -> list[tuple[SpanRecord, SpanRecord]]:
    def key(span: SpanRecord) -> str | None:
        return call_facts(span).response_id or None

    return pair_by_key([_timed(s) for s in calls], [_timed(s) for s in agents], key, key)


def _by_tokens(calls: list[SpanRecord], agents: list[SpanRecord]) -> list[tuple[SpanRecord, SpanRecord]]:
    return _by_facts(calls, agents, known=True)


def _by_time(calls: list[SpanRecord], agents: list[SpanRecord]) -> list[tuple[SpanRecord, SpanRecord]]:
    return _by_facts(calls, agents, known=False)


def _by_facts(calls: list[SpanRecord], agents: list[SpanRecord], *, known: bool) -> list[tuple[SpanRecord, SpanRecord]]:
    facts = {s.span_id: call_facts(s) for s in (*calls, *agents)}

    def fits(call: SpanRecord, own: SpanRecord) -> bool:
        a, b = facts[call.span_id], facts[own.span_id]
        if known and (a.output is None or b.output is None):
            return False
        return (
            (a.output is None or b.output is None or a.output == b.output)
            and (not a.inputs or not b.inputs or bool(a.inputs & b.inputs))
            and (not a.models or not b.models or bool(a.models & b.models))
        )

    return pair([_timed(s) for s in calls], [_timed(s) for s in agents], fits)


def _unite(work: Work, call: SpanRecord, own: SpanRecord, maker: str | None, parents: dict[str, str | None]) -> None:
    """The call's id, times and attributes stay; its parent is what made it, and what was within the agent's span is within it."""
    parent_id = own.parent_id
    if maker and not _within(maker, own.span_id, parents):
        parent_id = maker
    merged = united(call, own)
    attributes = {**merged.attributes, sc.CALL_SOURCES: _BOTH}
    work.notes["contradicted"] += _contradict(call, own)
    work.absorb(own.span_id, call.span_id)
    work.put(replace(merged, parent_id=work.current_id(parent_id) if parent_id else call.parent_id, attributes=attributes))
    work.notes["calls"] += 1


def _contradict(call: SpanRecord, own: SpanRecord) -> bool:
    """Whether both count tokens, and not the same."""
    a, b = call_facts(call), call_facts(own)
    outputs = a.output is not None and b.output is not None and a.output != b.output
    return outputs or bool(a.inputs and b.inputs and not a.inputs & b.inputs)


def _within(span_id: str, ancestor: str, parents: dict[str, str | None]) -> bool:
    node: str | None = span_id
    for _ in range(_CLIMB):
        if node is None or node == ancestor:
            break
        node = parents.get(node)
    return node == ancestor


def _promote(work: Work, agents: list[SpanRecord]) -> None:
    """No call came by the proxy, so the agent's word is all there is: its spans with token counts are the model calls."""
    told = sorted((s for s in agents if usage(s)), key=lambda s: (s.start_ns, s.span_id))
    for index, span in enumerate(told, 1):
        facts: dict[str, object] = {
            sc.SPAN_KIND: sc.SpanKind.MODEL_CALL,
            sc.CALL_SOURCES: ("telemetry",),
            sc.CALL_INDEX: index,
            **usage(span),
        }
        if sc.GEN_AI_REQUEST_MODEL not in span.attributes and (model := span.text("model")):
            facts[sc.GEN_AI_REQUEST_MODEL] = model
        if sc.GEN_AI_OPERATION not in span.attributes:
            facts[sc.GEN_AI_OPERATION] = "chat"
        work.put(replace(span, attributes={**span.attributes, **facts}))  # type: ignore[dict-item]  # plain values all
        work.notes["promoted"] += 1
