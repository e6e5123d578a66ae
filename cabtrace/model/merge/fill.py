"""Two spans of one thing as one."""

from __future__ import annotations

from dataclasses import replace

from cabtrace.model import semconv as sc
from cabtrace.model.span import Attributes, AttributeValue, SpanRecord

_OURS = "cabtrace."


def united(winner: SpanRecord, other: SpanRecord) -> SpanRecord:
    """`winner` with what only `other` knows; what they contradict each other in is kept as `cabtrace.original.*`.

    Ids, parent, name, times, kind and resource are the winner's; so is the status, unless only the other has one.
    """
    status = winner if winner.status_code or not other.status_code else other
    return replace(
        winner,
        attributes=_attributes(winner.attributes, other),
        events=tuple(sorted((*winner.events, *other.events), key=lambda e: e.time_ns)),
        links=(*winner.links, *other.links),
        status_code=status.status_code,
        status_message=status.status_message,
        dropped_attributes=winner.dropped_attributes + other.dropped_attributes,
        dropped_events=winner.dropped_events + other.dropped_events,
        dropped_links=winner.dropped_links + other.dropped_links,
    )


def _attributes(winning: Attributes, other: SpanRecord) -> dict[str, AttributeValue]:
    found = dict(winning)
    for key, value in other.attributes.items():
        if key.startswith(_OURS):
            if key.startswith(sc.ORIGINAL):
                found.setdefault(key, value)
        elif key not in found:
            found[key] = value
        elif found[key] != value:
            found.setdefault(sc.ORIGINAL + key, value)
    found.setdefault(sc.ORIGINAL_SPAN_ID, other.span_id)
    if other.name != found.get(sc.ORIGINAL_NAME):
        found.setdefault(sc.ORIGINAL_NAME, other.name)
    return found
