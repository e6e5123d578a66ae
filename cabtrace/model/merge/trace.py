"""The whole merge, from the spans as they were recorded to one connected trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from cabtrace.model import semconv as sc
from cabtrace.model.merge.calls import merge_calls
from cabtrace.model.merge.tools import merge_tools
from cabtrace.model.merge.transcript import ToolCallLike
from cabtrace.model.merge.tree import settle
from cabtrace.model.merge.work import Work
from cabtrace.model.span import SpanLink, SpanRecord

_ROUNDS = 8
_WORDS: Mapping[str, str] = {
    "promoted": "model calls are known from the agent's own telemetry only",
    "untimed_tool_calls": "tool calls of the agent's transcript have no time, and no span",
    "synthetic": "spans that others name as their parent never arrived; spans marked as synthetic stand for them",
    "contradicted": "model calls have other token counts in the agent's own telemetry than on the wire; both are kept",
    "cycles": "spans claimed to be their own ancestors",
}


@dataclass(frozen=True, slots=True)
class Merged:
    """`counts` says how often what was done."""

    spans: tuple[SpanRecord, ...]
    counts: Mapping[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of the trace, one sentence each."""
        return tuple(f"{count} {_WORDS[key]}." for key, count in sorted(self.counts.items()) if key in _WORDS and count)


def merge_spans(spans: Sequence[SpanRecord], transcript: Sequence[ToolCallLike] = (), *, told_calls: int | None = None) -> Merged:
    """One tree of all spans: model calls and tool calls once each, every parent there, one root.

    `told_calls` is the number of model calls that the transcript tells of, None where it counts none.
    Spans that have not ended are context: they are referred to, handed back as they are and never changed. A trace that was
    merged before comes back unchanged.
    """
    work = Work(spans)
    for _ in range(_ROUNDS):
        work.changed = False
        settle(work)
        merge_calls(work)
        merge_tools(work, transcript, told_calls)
        settle(work)
        _follow_links(work)
        if not work.changed:
            break
    return Merged(tuple(work.spans.values()), dict(work.notes))


def _follow_links(work: Work) -> None:
    """Links go where the spans went that they name."""
    linked = [s for s in work.ended() if s.links]
    if not linked:
        return
    known: dict[tuple[str, str], str] = {}
    for span in work.spans.values():
        trace_id, span_id = span.text(sc.ORIGINAL_TRACE_ID), span.text(sc.ORIGINAL_SPAN_ID)
        if trace_id or span_id:
            known[trace_id or span.trace_id, span_id or span.span_id] = span.span_id
    for span in linked:
        links = tuple(
            SpanLink(work.trace_id, known[link.trace_id, link.span_id], link.attributes)
            if (link.trace_id, link.span_id) in known
            else link
            for link in span.links
        )
        work.put(replace(span, links=links))
