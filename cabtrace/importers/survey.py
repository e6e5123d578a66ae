"""The first pass over a trace: what it is of, which spans are in it, what was left out of it. Ids and counts, no spans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cabtrace.importers.genai import kind_of, operation, own_kind, recognised
from cabtrace.importers.tokens import TokenCount
from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord

_MOST_NAMES: Final = 1_000
_KEPT_KINDS: Final = (
    sc.SpanKind.CELL,
    sc.SpanKind.ADAPTER_RUN,
    sc.SpanKind.CONTAINER,
    sc.SpanKind.VERIFIER,
    sc.SpanKind.TASK_SETUP,
)


@dataclass(slots=True)
class Told:
    """Model and tool calls, as one kind of witness tells of them. `calls` are (start, id)."""

    calls: list[tuple[int, int]] = field(default_factory=list)
    call_parents: set[str] = field(default_factory=set)
    tool_calls: int = 0
    models: Counter[str] = field(default_factory=Counter)
    providers: Counter[str] = field(default_factory=Counter)

    def add(self, span: SpanRecord, kind: str) -> None:
        """Takes a span of that kind into account."""
        self.tool_calls += operation(span.attributes) == "execute_tool"
        if kind != sc.SpanKind.MODEL_CALL:
            return
        self.calls.append((span.start_ns, int(span.span_id, 16)))
        if span.parent_id:
            self.call_parents.add(span.parent_id)
        said = {**recognised(span.attributes, kind), **span.attributes}
        _count(self.models, _text(said.get(sc.GEN_AI_REQUEST_MODEL)) or _text(said.get(sc.GEN_AI_RESPONSE_MODEL)))
        _count(self.providers, _text(said.get(sc.GEN_AI_PROVIDER)))


@dataclass(slots=True)
class Survey:
    """One trace. `kept` holds the first span of each of our harness' kinds, `root` the first span without a parent.

    Where spans are ours, they tell of the calls; an agent's own spans beside them tell of the same calls again.
    """

    trace_id: str
    spans: int = 0
    first_ns: int = 0
    last_ns: int = 0
    seen: set[int] = field(default_factory=set)
    repeated: Counter[int] = field(default_factory=Counter)  # how often a span is still to come before it counts
    root: SpanRecord | None = None
    kept: dict[str, SpanRecord] = field(default_factory=dict)
    scores: dict[str, tuple[float | None, str]] = field(default_factory=dict)
    tokens: TokenCount = field(default_factory=TokenCount)  # of our own spans
    ours: int = 0
    by_us: Told = field(default_factory=Told)
    by_others: Told = field(default_factory=Told)
    agents: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    timeshift_ns: int = 0
    withheld: int = 0
    folded: int = 0
    unended: int = 0
    untimed: int = 0
    coarse: bool = True  # every time is one of whole microseconds

    @property
    def told(self) -> Told:
        """The calls of this trace."""
        return self.by_us if self.ours else self.by_others

    @property
    def duplicates(self) -> int:
        """Spans that came more than once."""
        return sum(self.repeated.values())

    def add(self, span: SpanRecord) -> None:
        """Takes a span into account."""
        number = int(span.span_id, 16)
        if number in self.seen:
            self.repeated[number] += 1
            return
        self.seen.add(number)
        self.spans += 1
        self._times(span)
        own = own_kind(span)
        self.ours += bool(own)
        if own in _KEPT_KINDS:
            self.kept.setdefault(own, span)
        if span.parent_id is None and (self.root is None or span.start_ns < self.root.start_ns):
            self.root = span
        (self.by_us if own else self.by_others).add(span, own or kind_of(span))
        _count(self.agents, span.text(sc.GEN_AI_AGENT))
        _count(self.services, _text(span.resource.get(sc.SERVICE_NAME)))
        self._losses(span)
        if own == sc.SpanKind.MODEL_CALL:
            self.tokens.add(span)
        if own == sc.SpanKind.SCORE:
            self._score(span)

    def restore(self, whole: Callable[[SpanRecord], SpanRecord]) -> None:
        """Sets the times and the spans that are kept right, once it is known what was done to all of them."""
        self.kept = {kind: whole(span) for kind, span in self.kept.items()}
        by_ns = self.timeshift_ns if self.ours else 0
        self.first_ns, self.last_ns = max(self.first_ns - by_ns, 0), max(self.last_ns - by_ns, 0)

    def _times(self, span: SpanRecord) -> None:
        if not span.start_ns:
            self.untimed += 1
            return
        self.coarse = self.coarse and span.start_ns % 1_000 == 0 and (span.end_ns or 0) % 1_000 == 0
        self.first_ns = min(self.first_ns or span.start_ns, span.start_ns)
        self.last_ns = max(self.last_ns, span.start_ns, span.end_ns or 0)

    def _losses(self, span: SpanRecord) -> None:
        self.withheld += span.integer(sc.WITHHELD) or 0
        self.folded += span.integer(sc.FOLDED) or 0
        self.unended += span.end_ns is None or sc.ABORTED in span.attributes or sc.RUNNING in span.attributes
        if span.parent_id is None:
            self.timeshift_ns = self.timeshift_ns or span.integer(sc.TIMESHIFT) or 0

    def _score(self, span: SpanRecord) -> None:
        for event in span.events:
            axis = event.attributes.get(sc.GEN_AI_EVALUATION_NAME)
            if event.name == sc.EVALUATION_EVENT and isinstance(axis, str) and axis and len(self.scores) < _MOST_NAMES:
                value, label = event.attributes.get(sc.GEN_AI_EVALUATION_SCORE), event.attributes.get(sc.GEN_AI_EVALUATION_LABEL)
                known = isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) < 1e300
                number = float(value) if known and isinstance(value, int | float) else None
                self.scores[axis] = (number, _text(label))


def _count(counter: Counter[str], name: str) -> None:
    if name and (name in counter or len(counter) < _MOST_NAMES):
        counter[name] += 1


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def most_common(counter: Counter[str]) -> str:
    """The name that was there most often; "" where there was none."""
    return counter.most_common(1)[0][0] if counter else ""
