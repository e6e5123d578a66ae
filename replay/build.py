"""A timeline's columns from facts about its spans. Takes time and memory in proportion to them; done once for a large run."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import compress
from typing import TYPE_CHECKING

from cabtrace.model import semconv as sc
from cabtrace.store.span_facts import ABORTED, KIND_CODES, UNKNOWN
from replay.columns import Columns, Summary
from replay.errors import error_rows
from replay.forest import Forest, build_forest
from replay.intervals import latest_ends
from replay.markers import marker_code

if TYPE_CHECKING:
    from cabtrace.store.span_order import Column, OrderedFacts

_BEFORE_NS = 3_600 * 10**9
_AFTER_NS = 7 * 24 * 3_600 * 10**9
_FOREVER = 2**63 - 1
_AT_ONCE = 50_000
_CONTAINER = KIND_CODES[sc.SpanKind.CONTAINER]
#: Spans below one, and levels, from which on they are told of: few programs do that on purpose.
WIDE_FROM, DEEP_FROM = 500_000, 1_000


def build_columns(
    facts: OrderedFacts,
    *,
    since_ns: int | None = None,
    until_ns: int | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[Columns, Summary]:
    """The axis also covers `since_ns` and `until_ns` (Unix), as far as they are believable."""
    forest = build_forest(facts)
    progress(0.4)
    start, end, strays = _axis(facts, forest, since_ns, until_ns)
    starts, stops, backwards = _offsets(facts, start, end)
    row_start = array("q", map(starts.__getitem__, forest.span))
    row_stop = array("q", map(stops.__getitem__, forest.span))
    del starts, stops  # much of a large run
    groups = array("i", compress(range(len(forest.group)), forest.group))
    for row in groups:
        row_stop[row] = max(row_stop[row : forest.end[row]])
    progress(0.55)
    span_row = array("i", bytes(4 * len(facts)))
    for row, (span, group) in enumerate(zip(forest.span, forest.group, strict=True)):
        if not group:
            span_row[span] = row
    by_start = _by_start(forest, span_row, row_start)
    row_rank = array("i", bytes(4 * len(by_start)))
    for rank, row in enumerate(by_start):
        row_rank[row] = rank
    progress(0.7)
    # A row without any length counts as one nanosecond long, so that it is found at its instant; a group never is.
    latest = latest_ends(-1 if forest.group[row] else max(row_stop[row], row_start[row] + 1) for row in by_start)
    progress(0.8)
    marks = _marks(facts, forest, row_start, row_stop, start)
    calls, tokens = _calls(facts)
    events = sorted(range(len(facts.events[0])), key=facts.events[2].__getitem__)
    progress(0.95)
    columns = Columns(
        span_id=facts.ids,
        span_at=facts.offsets,
        span_item=facts.items,
        span_kind=facts.kinds,
        span_flags=facts.flags,
        span_row=span_row,
        by_place=facts.by_place,
        row_span=forest.span,
        row_depth=forest.depth,
        row_parent=forest.parent,
        row_end=forest.end,
        row_group=forest.group,
        row_mark=forest.mark,
        row_start=row_start,
        row_stop=row_stop,
        by_start=by_start,
        row_rank=row_rank,
        latest=latest,
        groups=groups,
        closed=forest.closed,
        steps=array("i", sorted(set(marks["mark_row"]))),
        **marks,
        **calls,
        event_at=array("q", map(facts.events[2].__getitem__, events)),
        event_span=array("i", map(facts.events[0].__getitem__, events)),
        event_item=array("i", map(facts.events[1].__getitem__, events)),
    )
    first_ns, last_ns, container_ns = instants(facts)
    return columns, Summary(
        start,
        end,
        tuple(_sentences(facts, forest, backwards, strays)),
        first_ns=first_ns,
        last_ns=last_ns,
        container_ns=container_ns,
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        unknown_calls=tokens[2],
    )


def _by_start(forest: Forest, span_row: Column, row_start: Column) -> Column:
    """Rows by start, then by number. Spans are sorted by start, so that only few need be put in order at a time."""
    order, some = array("i"), list[int]()
    for row in span_row:
        if len(some) >= _AT_ONCE and row_start[row] != row_start[some[-1]]:
            order.extend(sorted(some, key=lambda one: (row_start[one], one)))
            some.clear()
        above = forest.parent[row]
        if above >= 0 and forest.group[above] and row == above + 1:
            some.append(above)
        some.append(row)
    order.extend(sorted(some, key=lambda one: (row_start[one], one)))
    return order


def instants(facts: OrderedFacts) -> tuple[int | None, int | None, int | None]:
    """The first and the last that spans tell of, and when the container began; None where there are none. Unix ns."""
    if not len(facts):
        return None, None, None
    last = max(end if end != UNKNOWN else start for start, end in zip(facts.starts, facts.ends, strict=True))
    container = next((place for place, kind in enumerate(facts.kinds) if kind == _CONTAINER), None)
    return facts.starts[0], last, None if container is None else facts.starts[container]


def _axis(facts: OrderedFacts, forest: Forest, since_ns: int | None, until_ns: int | None) -> tuple[int, int, int]:
    """Start and end of the axis in Unix ns, and how many spans lie out of all reason, an hour before or a week after."""
    if not len(facts):
        start = since_ns or 0
        return start, max(start, until_ns or start), 0
    anchor = since_ns if since_ns else facts.starts[forest.span[0]]
    low, high = anchor - _BEFORE_NS, anchor + _AFTER_NS
    first = latest = since_ns
    strays = 0
    for start, end in zip(facts.starts, facts.ends, strict=True):
        sound = low <= start <= high
        if sound:
            first = start if first is None or start < first else first
            latest = start if latest is None or start > latest else latest
        if end != UNKNOWN:
            if low <= end <= high:
                latest = end if latest is None or end > latest else latest
            else:
                sound = False
        strays += not sound
    first = anchor if first is None else first
    if until_ns is not None and low <= until_ns <= high:
        latest = until_ns if latest is None else max(latest, until_ns)
    return first, max(first, first if latest is None else latest), strays


def _offsets(facts: OrderedFacts, low: int, high: int) -> tuple[Column, Column, int]:
    """Starts and ends of spans on the axis, no end before its start, and how many claimed that."""
    starts, stops, backwards = array("q"), array("q"), 0
    for start, end in zip(facts.starts, facts.ends, strict=True):
        offset = min(max(start, low), high) - low
        starts.append(offset)
        if end == UNKNOWN:
            stops.append(high - low)
        elif end < start:
            backwards += 1
            stops.append(max(offset, min(max(end, low), high) - low))
        else:
            stops.append(min(max(end, low), high) - low)
    return starts, stops, backwards


def _marks(facts: OrderedFacts, forest: Forest, row_start: Column, row_stop: Column, low: int) -> dict[str, Column]:
    offsets, rows, kinds = array("q"), array("i"), array("B")
    failed_at = dict(zip(*facts.failures, strict=True))
    codes = bytes(map(marker_code, facts.kinds, facts.flags))
    wrong = frozenset(error_rows(facts, forest))
    for row, (span, group) in enumerate(zip(forest.span, forest.group, strict=True)):
        if group:
            continue
        if row in wrong:
            at = failed_at.get(span)
            offsets.append(row_stop[row] if at is None else min(max(at - low, row_start[row]), row_stop[row]))
            rows.append(row)
            kinds.append(0)
        if codes[span]:
            offsets.append(row_start[row])
            rows.append(row)
            kinds.append(codes[span])
    order = sorted(range(len(rows)), key=offsets.__getitem__)  # stable: of one instant by row, of one row errors first
    found = {
        "mark_at": array("q", map(offsets.__getitem__, order)),
        "mark_row": array("i", map(rows.__getitem__, order)),
        "mark_kind": array("B", map(kinds.__getitem__, order)),
    }
    errors = [place for place, kind in enumerate(found["mark_kind"]) if not kind]
    found["error_at"] = array("q", map(found["mark_at"].__getitem__, errors))
    found["error_row"] = array("i", map(found["mark_row"].__getitem__, errors))
    return found


def _calls(facts: OrderedFacts) -> tuple[dict[str, Column], tuple[int | None, int | None, int]]:
    spans, numbers, inputs, outputs = facts.calls
    order = sorted(range(len(spans)), key=lambda call: (facts.starts[spans[call]], numbers[call]))
    by_start = array("i", map(spans.__getitem__, order))
    ends = (facts.ends[span] for span in by_start)
    known = [[number for number in column if number != UNKNOWN] for column in (inputs, outputs)]
    unknown = sum(UNKNOWN in pair for pair in zip(inputs, outputs, strict=True))
    sums = [sum(column) if column else None for column in known]
    return {
        "call_span": by_start,
        "call_number": array("q", map(numbers.__getitem__, order)),
        "call_start": array("q", map(facts.starts.__getitem__, by_start)),
        "call_latest": latest_ends(_FOREVER if end == UNKNOWN else end for end in ends),
    }, (sums[0], sums[1], unknown)


def _sentences(facts: OrderedFacts, forest: Forest, backwards: int, strays: int) -> Iterator[str]:
    if count := forest.marked[1]:
        yield (
            _told(count, "span names a parent that was", "spans name a parent that was") + " not recorded; shown under the root."
        )
    if count := forest.marked[2]:
        yield _told(count, "circle", "circles") + " of spans that are their own ancestors; cut, and shown under the root."
    if count := forest.marked[3]:
        yield _told(count, "span has", "spans have") + " the id of another span."
    if forest.roots > 1:
        yield f"The trace has {forest.roots:,} roots instead of one."
    if backwards:
        yield _told(backwards, "span ends before it starts", "spans end before they start") + "; shown without a length."
    if strays:
        yield _told(strays, "span lies", "spans lie") + " far outside of the run's time; shown at its edge."
    if count := sum(flags & ABORTED != 0 for flags in facts.flags):
        yield _told(count, "span", "spans") + " never ended, because the recorder died."
    if (deepest := max(forest.depth, default=0)) >= DEEP_FROM:
        yield f"Spans are {deepest:,} levels deep in each other; what lies deep is shown without a further indent."
    if (count := forest.widest) >= WIDE_FROM:
        yield f"{count:,} spans are right below one and the same."


def _told(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
