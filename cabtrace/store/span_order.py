"""Facts about spans, put in order of start, with parents as places instead of ids."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import TYPE_CHECKING

from cabtrace.model.span import SpanRecord
from cabtrace.store.span_facts import CHILD, DUPLICATE, LOST_PARENT, NO_PARENT, PENDING, UNKNOWN, SpanFacts

if TYPE_CHECKING:
    Column = array[int]


class OrderedFacts:
    """The columns of `SpanFacts` by start. `parents` holds places, or `NO_PARENT` or `LOST_PARENT`.

    `calls` are columns of span, number, input and output tokens; `events` of span, item and time; `failures` of span and time.
    """

    def __init__(self, facts: SpanFacts, parents: Column | None = None, *, in_order: bool = False) -> None:
        """Takes the facts over. `parents` come from `linked`; `in_order`: the facts are by start."""
        self.parents = linked(facts, _places(facts)) if parents is None else parents
        self.ids, self.starts, self.ends = facts.ids, facts.starts, facts.ends
        self.offsets, self.items, self.kinds, self.flags = facts.offsets, facts.items, facts.kinds, facts.flags
        self.calls = _valid(facts, 0, facts.call_spans, facts.call_numbers, facts.call_inputs, facts.call_outputs)
        self.events = _valid(facts, 1, facts.event_spans, facts.event_items, facts.event_times)
        self.failures = _valid(facts, 2, facts.failure_spans, facts.failure_times)
        #: the spans as their records follow each other, those that have not ended last
        self.by_place = array("i", range(len(facts)))
        if facts.void:
            pairs = zip(facts.flags, facts.offsets, facts.items, strict=True)
            keys = [(flags & PENDING, offset, item) for flags, offset, item in pairs]
            self.by_place = array("i", sorted(self.by_place, key=keys.__getitem__))
        if not in_order:
            self._rearrange(_order(facts))

    def __len__(self) -> int:
        return len(self.ids)

    def _rearrange(self, order: Sequence[int]) -> None:
        for name in ("ids", "starts", "ends", "offsets", "items", "kinds", "flags", "parents"):
            column: Column = getattr(self, name)
            setattr(self, name, array(column.typecode, map(column.__getitem__, order)))
        places = array("i", bytes(4 * len(order)))
        for place, before in enumerate(order):
            places[before] = place
        self.parents = array("i", (places[parent] if parent >= 0 else parent for parent in self.parents))
        for columns in (self.calls, self.events, self.failures):
            columns[0] = array("i", map(places.__getitem__, columns[0]))
        self.by_place = array("i", map(places.__getitem__, self.by_place))


def facts_of(spans: Iterable[SpanRecord]) -> OrderedFacts:
    """Of spans in memory, by start."""
    facts = SpanFacts()
    for item, span in enumerate(spans):
        facts.add(span, item=item)
    return OrderedFacts(facts, in_order=True)


def _order(facts: SpanFacts) -> Column:
    """Places by start. Those without an end come before others that start with them, as a reader of all spans puts them."""
    ends = facts.ends
    endless = [place for place, end in enumerate(ends) if end == UNKNOWN]
    places: Iterable[int] = range(len(ends))
    if endless:
        without = set(endless)
        places = [*endless, *(place for place in places if place not in without)]
    return array("i", sorted(places, key=facts.starts.__getitem__))


def _places(facts: SpanFacts) -> dict[int, int]:
    """The first of equal ids is whose children they are; others are marked."""
    known: dict[int, int] = {}
    for place, span_id in enumerate(facts.ids):
        if known.setdefault(span_id, place) != place:
            facts.flags[place] |= DUPLICATE
    return known


def linked(facts: SpanFacts, known: Mapping[int, int]) -> Column:
    """The places of parents. `known`: places by id."""
    named = map(known.get, facts.parent_ids, repeat(LOST_PARENT))
    return array("i", (parent if flag & CHILD else NO_PARENT for parent, flag in zip(named, facts.flags, strict=True)))


def _valid(facts: SpanFacts, kind: int, *columns: Column) -> list[Column]:
    """Without the entries of records that a later one of the same id took the place of."""
    if not facts.void:
        return list(columns)
    void = facts.void
    kept = [entry for entry, place in enumerate(columns[0]) if place not in void or entry >= void[place][kind]]
    return [array(column.typecode, map(column.__getitem__, kept)) for column in columns]
