"""Each tool call once, from all who tell of it: the agent's telemetry, its transcript, the model's side of the conversation."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from cabtrace.model import semconv as sc
from cabtrace.model.merge.bounds import CallBounds
from cabtrace.model.merge.pairing import FOREVER_NS, Timed, pair_by_key
from cabtrace.model.merge.rules import ToolFacts, canonical, is_telemetry, plain_id, tool_facts, tool_id
from cabtrace.model.merge.tool_spans import from_transcript, promoted, with_telemetry, with_transcript
from cabtrace.model.merge.transcript import ToolCallLike
from cabtrace.model.merge.work import Work
from cabtrace.model.span import SpanRecord

_CLIMB = 64


@dataclass(frozen=True, slots=True)
class _Entry:
    """A span of a tool call, and what it knows of it."""

    span: SpanRecord
    facts: ToolFacts
    sources: frozenset[str]

    @property
    def real_id(self) -> str:
        """Its id, unless that was made up where an API gives none."""
        made_up = self.facts.tool_call_id.startswith(f"{self.span.text(sc.TOOL_CALL_ASKED_BY)}:")
        known = "" if made_up and sc.TOOL_CALL_ASKED_BY in self.span.attributes else self.facts.tool_call_id
        return plain_id(self.facts.name, known)


@dataclass(frozen=True, slots=True)
class _Told:
    """A tool call of the transcript, under a key that is its own."""

    key: str
    call: ToolCallLike

    @property
    def real_id(self) -> str:
        """The id that the model's side knows it by."""
        return plain_id(self.call.name, self.call.tool_call_id)


def merge_tools(work: Work, transcript: Sequence[ToolCallLike], told_calls: int | None = None) -> None:
    """First the spans among themselves, then what the transcript adds to them, or has alone."""
    _merge_telemetry(work)
    _merge_transcript(work, transcript, told_calls)


def _merge_telemetry(work: Work) -> None:
    entries = [_entry(s) for s in work.ended() if _is_tool_call(s)]
    own = _own_spans(work)
    names = Counter((source, e.real_id) for e in entries for source in e.sources)
    names.update(("telemetry", e.real_id) for e in own)
    open_ = [e for e in entries if "telemetry" not in e.sources]

    def alone(key: Hashable) -> bool:
        return names["model_calls", str(key)] == names["telemetry", str(key)] == 1

    pairs: list[tuple[_Entry, _Entry]] = []
    for key in (_by_id, _by_arguments, _by_name):
        done = {e.span.span_id for both in pairs for e in both}
        lefts = [_timed(e) for e in open_ if e.span.span_id not in done]
        rights = [_timed(e) for e in own if e.span.span_id not in done]
        if key is _by_id:
            pairs += pair_by_key(lefts, rights, key, key, alone=alone)
        else:  # two calls that have ids, and not the same one, are two calls
            pairs += pair_by_key(lefts, rights, key, key, fits=lambda a, b: not (a.real_id and b.real_id))
    for entry, telemetry in pairs:
        work.absorb(telemetry.span.span_id, entry.span.span_id)
        merged = with_telemetry(entry.span, telemetry.span, telemetry.facts)
        parent_id = telemetry.span.parent_id
        work.put(replace(merged, parent_id=work.current_id(parent_id) if parent_id else merged.parent_id))
        work.notes["tool_calls"] += 1
    done = {telemetry.span.span_id for _, telemetry in pairs}
    known = _spans_by_id(work)
    for telemetry in own:
        if telemetry.span.span_id not in done and not _same_call(telemetry, known.get(telemetry.facts.tool_call_id, ())):
            work.put(promoted(telemetry.span, telemetry.facts))


def _merge_transcript(work: Work, transcript: Sequence[ToolCallLike], told_calls: int | None) -> None:
    told = _keyed(transcript)
    entries = [_entry(s) for s in work.ended() if _is_tool_call(s)]
    taken = {e.span.text(sc.TOOL_CALL_TRANSCRIPT) for e in entries}
    told = [t for t in told if t.key not in taken]
    open_ = [e for e in entries if "transcript" not in e.sources]
    counts = Counter(e.real_id for e in entries)
    told_counts = Counter(plain_id(c.name, c.tool_call_id) for c in transcript)

    def alone(key: Hashable) -> bool:
        return counts[str(key)] == told_counts[str(key)] == 1

    pairs: list[tuple[_Entry, _Told]] = []
    for key, told_key in ((_by_id, _told_by_id), (_by_arguments, _told_by_arguments), (_by_name, _told_by_name)):
        done = {e.span.span_id for e, _ in pairs}
        done_keys = {t.key for _, t in pairs}
        lefts = [_timed(e) for e in open_ if e.span.span_id not in done]
        rights = [_timed_told(t) for t in told if t.key not in done_keys]
        if key is _by_id:
            pairs += pair_by_key(lefts, rights, key, told_key, alone=alone)
        else:
            pairs += pair_by_key(lefts, rights, key, told_key, fits=lambda a, b: not (a.real_id and b.real_id))
    for entry, found in pairs:
        work.put(with_transcript(entry.span, found.call, found.key))
        work.notes["tool_calls"] += 1
    done_keys = {t.key for _, t in pairs}
    untimed = 0
    bounds = CallBounds(work, told_calls)
    for item in told:
        if item.key in done_keys:
            continue
        span = from_transcript(work.trace_id, item.call, item.key, bounds.after(item.call.model_call))
        if span is None:
            untimed += 1
        else:
            work.put(span)
            work.notes["transcript_only"] += 1
    if untimed:
        work.notes["untimed_tool_calls"] = untimed


def _is_tool_call(span: SpanRecord) -> bool:
    return span.attributes.get(sc.SPAN_KIND) == sc.SpanKind.TOOL_CALL and sc.TOOL_CALL_SOURCES in span.attributes


def _entry(span: SpanRecord) -> _Entry:
    facts = ToolFacts(
        span.text(sc.GEN_AI_TOOL_CALL_ID),
        span.text(sc.GEN_AI_TOOL_NAME),
        span.text(sc.GEN_AI_TOOL_ARGUMENTS),
        span.text(sc.GEN_AI_TOOL_RESULT),
        None,
    )
    sources = span.attributes.get(sc.TOOL_CALL_SOURCES)
    return _Entry(span, facts, frozenset(str(s) for s in sources) if isinstance(sources, list | tuple) else frozenset())


def _own_spans(work: Work) -> list[_Entry]:
    """The agent's spans of tool calls: of several within one another that carry the same id, the outermost."""
    found = []
    for span in work.ended():
        facts = tool_facts(span) if is_telemetry(span) else None
        if facts is not None and not (facts.tool_call_id and _inside_same(work, span, facts.tool_call_id)):
            found.append(_Entry(span, facts, frozenset({"telemetry"})))
    return found


def _inside_same(work: Work, span: SpanRecord, wanted: str) -> bool:
    node = work.spans.get(span.parent_id or "")
    for _ in range(_CLIMB):
        if node is None:
            return False
        if tool_id(node) == wanted and (_is_tool_call(node) or (is_telemetry(node) and tool_facts(node) is not None)):
            return True
        node = work.spans.get(node.parent_id or "")
    return False


def _spans_by_id(work: Work) -> dict[str, list[SpanRecord]]:
    found: dict[str, list[SpanRecord]] = {}
    for span in work.ended():
        if _is_tool_call(span) and "telemetry" in _entry(span).sources and (name := span.text(sc.GEN_AI_TOOL_CALL_ID)):
            found.setdefault(name, []).append(span)
    return found


def _same_call(telemetry: _Entry, known: Sequence[SpanRecord]) -> bool:
    """Whether it tells once more of a call that is there already, rather than of another one under the same id."""
    start_ns, end_ns = telemetry.span.start_ns, telemetry.span.end_ns or telemetry.span.start_ns
    return any(s.start_ns <= end_ns and start_ns <= (s.end_ns or s.start_ns) for s in known)


def _timed(entry: _Entry) -> Timed[_Entry]:
    span = entry.span
    return Timed(span.start_ns, span.start_ns if span.end_ns is None else span.end_ns, span.span_id, entry)


def _timed_told(told: _Told) -> Timed[_Told]:
    start_ns, end_ns = told.call.started_ns, told.call.ended_ns
    return Timed(start_ns or 0, FOREVER_NS if end_ns is None else end_ns, told.key, told)


def _by_id(entry: _Entry) -> Hashable | None:
    return entry.real_id or None


def _by_arguments(entry: _Entry) -> Hashable | None:
    return (entry.facts.name, canonical(entry.facts.arguments)) if entry.facts.arguments else None


def _by_name(entry: _Entry) -> Hashable | None:
    return entry.facts.name or None


def _told_by_id(told: _Told) -> Hashable | None:
    return told.real_id or None


def _told_by_arguments(told: _Told) -> Hashable | None:
    return (told.call.name, canonical(told.call.arguments)) if told.call.arguments else None


def _told_by_name(told: _Told) -> Hashable | None:
    return told.call.name or None


def _keyed(transcript: Sequence[ToolCallLike]) -> list[_Told]:
    seen: Counter[str] = Counter()
    found = []
    for call in transcript:
        base = call.tool_call_id or hashlib.sha256(f"{call.name}\0{call.arguments}\0{call.started_ns}".encode()).hexdigest()[:16]
        seen[base] += 1
        found.append(_Told(f"{base}#{seen[base]}", call))
    return found
