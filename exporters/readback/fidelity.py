"""What was sent against what a backend kept, field by field."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cabtrace.model import semconv as sc
from cabtrace.model.long_values import join_long
from cabtrace.model.span import Attributes, SpanRecord
from cabtrace.text import safe

_MOST_LOSSES: Final = 40


@dataclass(slots=True)
class Field:
    """`sent` and `kept` count whatever the field is about: spans, attributes, events, times."""

    name: str
    sent: int = 0
    kept: int = 0
    note: str = ""


@dataclass(slots=True)
class Fidelity:
    """`losses` names the first of them in words; `lost_spans` are ids."""

    fields: list[Field] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    lost_spans: list[str] = field(default_factory=list)
    duplicates: int = 0
    more_losses: int = 0

    @property
    def lossy(self) -> bool:
        """Whether anything is missing or different."""
        return any(f.sent != f.kept for f in self.fields)

    def summary(self) -> str:
        """One line."""
        more = f" {self.more_losses} more losses are not listed." if self.more_losses else ""
        twice = f" {self.duplicates} spans are there more than once." if self.duplicates else ""
        if not self.lossy:
            return f"Everything arrived: {self.fields[0].kept:,} spans, every field as recorded.{twice}"
        lossy = ", ".join(f"{f.name} {f.sent - f.kept:,} of {f.sent:,}" for f in self.fields if f.sent != f.kept)
        return f"Lost or changed: {lossy}.{more}{twice}"


class _Counter:
    def __init__(self) -> None:
        self.by_name: dict[str, Field] = {}
        self.result = Fidelity()

    def check(self, name: str, sent: Any, kept: Any, where: str) -> None:
        """One value of one span."""
        count = self.by_name.setdefault(name, Field(name))
        count.sent += 1
        if equal(sent, kept):
            count.kept += 1
        else:
            count.note = count.note or "see below"
            self.lose(f"{where}: {name} was {_shown(sent)}, is {_shown(kept)}")

    def lose(self, text: str) -> None:
        """Notes a loss in words."""
        if len(self.result.losses) < _MOST_LOSSES:
            self.result.losses.append(text)
        else:
            self.result.more_losses += 1


def compare(sent: Iterable[SpanRecord], kept: Iterable[SpanRecord]) -> Fidelity:
    """Every sent span against the one that was kept under its id. A time shift is found by the root's attribute, and undone."""
    counter = _Counter()
    by_id: dict[str, SpanRecord] = {}
    for span in kept:
        counter.result.duplicates += span.span_id in by_id
        by_id[span.span_id] = span
    shift_ns = next((n for s in by_id.values() if isinstance(n := s.attributes.get(sc.TIMESHIFT), int)), 0)
    spans = counter.by_name.setdefault("spans", Field("spans"))
    for span in sent:
        spans.sent += 1
        found = by_id.get(span.span_id)
        if found is None:
            counter.result.lost_spans.append(span.span_id)
            counter.lose(f"span {span.span_id} {_shown(span.name)} is missing")
            continue
        spans.kept += 1
        _compare_span(counter, span, found, shift_ns)
    counter.result.fields = list(counter.by_name.values())
    return counter.result


def _compare_span(counter: _Counter, sent: SpanRecord, kept: SpanRecord, shift_ns: int) -> None:
    where = f"span {sent.span_id}"
    counter.check("trace ids", sent.trace_id, kept.trace_id, where)
    counter.check("parents", sent.parent_id, kept.parent_id, where)
    counter.check("names", sent.name, kept.name, where)
    counter.check("kinds", sent.kind, kept.kind, where)
    counter.check("start (ns)", sent.start_ns + shift_ns, kept.start_ns, where)
    counter.check("end (ns)", (sent.end_ns or sent.start_ns) + shift_ns, kept.end_ns or kept.start_ns, where)
    counter.check("status", (sent.status_code, sent.status_message), (kept.status_code, kept.status_message), where)
    counter.check("scopes", (sent.scope, sent.scope_version), (kept.scope, kept.scope_version), where)
    _compare_attributes(counter, "attributes", sent.attributes, kept.attributes, where)
    _compare_attributes(counter, "resource", sent.resource, kept.resource, where)
    if sent.trace_state:
        counter.check("trace state", sent.trace_state, kept.trace_state, where)
    dropped = ("dropped_attributes", "dropped_events", "dropped_links")
    if any(getattr(sent, name) for name in dropped):
        counter.check("dropped counts", [getattr(sent, n) for n in dropped], [getattr(kept, n) for n in dropped], where)
    # receivers may sort events and links
    events = sorted(kept.events, key=lambda e: (e.time_ns, e.name))
    for number, event in enumerate(sorted(sent.events, key=lambda e: (e.time_ns, e.name))):
        other = events[number] if number < len(events) else None
        counter.check("events", (event.name, event.time_ns + shift_ns), (other.name, other.time_ns) if other else None, where)
        _compare_attributes(counter, "event attributes", event.attributes, other.attributes if other else {}, where)
    links = {(x.trace_id, x.span_id): x for x in kept.links}
    for link in sent.links:
        found = links.get((link.trace_id, link.span_id))
        counter.check("links", (link.trace_id, link.span_id), (found.trace_id, found.span_id) if found else None, where)
        _compare_attributes(counter, "link attributes", link.attributes, found.attributes if found else {}, where)


def _compare_attributes(counter: _Counter, name: str, sent: Attributes, kept: Attributes, where: str) -> None:
    whole = join_long(kept)
    for key, value in join_long(sent).items():
        counter.check(name, value, whole.get(key, _MISSING), f"{where} {_shown(key)}")


class _Missing:
    def __repr__(self) -> str:
        return "missing"


_MISSING: Final = _Missing()


def equal(sent: Any, kept: Any) -> bool:
    """Equal as OTLP sees it: lists are lists whatever Python calls them, and 1 is not True nor 1.0."""
    if isinstance(sent, Mapping) and isinstance(kept, Mapping):
        return sent.keys() == kept.keys() and all(equal(v, kept[k]) for k, v in sent.items())
    if _is_list(sent) and _is_list(kept):
        return len(sent) == len(kept) and all(equal(a, b) for a, b in zip(sent, kept, strict=True))
    if isinstance(sent, float) and isinstance(kept, float):
        return sent == kept or (sent != sent and kept != kept)
    return type(sent) is type(kept) and bool(sent == kept)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _shown(value: Any) -> str:
    return safe(repr(value), max_chars=80, newlines=False)
