"""Runs of an agent's quiet spans as one span each, that says how many it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Final

from cabtrace.model import semconv as sc
from cabtrace.model.folding import FOLD_AT_LEAST, is_quiet
from cabtrace.model.span import SpanRecord
from exporters.source import SpanSource

_MOST_NAMES: Final = 16


@dataclass(slots=True)
class _Group:
    """What one span will tell of many."""

    spans: int = 0
    end_ns: int = 0
    busy_ns: int = 0
    names: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class FoldedSource(SpanSource):
    """A source some of whose spans are folded into others: `spans` are left, `folded` are not."""

    _leaders: dict[int, _Group] = field(default_factory=dict)
    _members: set[int] = field(default_factory=set)

    def records(self) -> Iterator[SpanRecord]:
        """As any source's, in the same order; of a group only its first span, changed."""
        for span in SpanSource.records(self):
            number = int(span.span_id, 16)
            if (group := self._leaders.get(number)) is not None:
                yield _folded(span, group)
            elif number not in self._members:
                yield span


def fold(source: SpanSource) -> FoldedSource:
    """Reads the spans once more: quiet ones without anything below, that follow each other, become one where they are many."""
    result = FoldedSource(**{f.name: getattr(source, f.name) for f in fields(SpanSource)})
    quiet: set[int] = set()
    children: dict[int, list[tuple[int, int, int]]] = {}  # parent -> (start, place, id)
    present: set[int] = set()
    for place, span in enumerate(source.records()):
        number = int(span.span_id, 16)
        present.add(number)
        if is_quiet(span) and sc.ABORTED not in span.attributes and sc.RUNNING not in span.attributes:
            quiet.add(number)
        if span.parent_id:
            children.setdefault(int(span.parent_id, 16), []).append((span.start_ns, place, number))
    followers: dict[int, int] = {}  # member -> leader
    for parent, below in children.items():
        if parent not in present or len(below) < FOLD_AT_LEAST:
            continue
        below.sort()
        run: list[int] = []
        for _, _, number in [*below, (0, 0, -1)]:
            if number in quiet and number not in children:
                run.append(number)
                continue
            if len(run) >= FOLD_AT_LEAST:
                result._leaders[run[0]] = _Group()
                result._members.update(run[1:])
                followers.update(dict.fromkeys(run, run[0]))
            run = []
    _fill(source, result, followers)
    result.folded = len(result._members)
    result.spans = source.spans - result.folded
    return result


def _fill(source: SpanSource, result: FoldedSource, followers: dict[int, int]) -> None:
    if not followers:
        return
    for span in source.records():
        leader = followers.get(int(span.span_id, 16))
        if leader is None:
            continue
        group = result._leaders[leader]
        end_ns = span.start_ns if span.end_ns is None else span.end_ns
        group.spans += 1
        group.end_ns = max(group.end_ns, end_ns)
        group.busy_ns += max(end_ns - span.start_ns, 0)
        if len(group.names) < _MOST_NAMES:
            group.names[span.name] = None


def _folded(first: SpanRecord, group: _Group) -> SpanRecord:
    kind = first.attributes.get(sc.SPAN_KIND)
    attributes = {
        **({} if kind is None else {sc.SPAN_KIND: kind}),
        sc.FOLDED: group.spans,
        sc.FOLDED_NAMES: list(group.names),
        sc.FOLDED_BUSY_NS: group.busy_ns,
    }
    name = first.name if len(group.names) == 1 else "quiet spans"
    return replace(
        first,
        name=name,
        end_ns=group.end_ns,
        attributes=attributes,
        events=(),
        links=(),
        dropped_attributes=0,
        dropped_events=0,
        dropped_links=0,
    )
