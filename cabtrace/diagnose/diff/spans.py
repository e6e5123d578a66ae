"""Spans of two runs, aligned by kind, normalised name and order; within a tolerance, durations and tokens are equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cabtrace.diagnose.diff.align import align
from cabtrace.diagnose.normal import normal_name
from cabtrace.model import semconv as sc
from cabtrace.model.span import SpanRecord

SLACK_NS = 1_000_000
DURATION_SHARE = 0.2
MAGNITUDE_SHARE = 0.05
_MAGNITUDES = (sc.GEN_AI_INPUT_TOKENS, sc.GEN_AI_OUTPUT_TOKENS)
_EXACT = (sc.ERROR_TYPE, sc.EXIT_CODE, sc.PROCESS_EXIT_CODE, sc.HTTP_STATUS)
_LOOKED_AT = frozenset((*_MAGNITUDES, *_EXACT))
_BY_KIND = frozenset(
    (
        sc.SpanKind.CELL,
        sc.SpanKind.TASK_SETUP,
        sc.SpanKind.ADAPTER_RUN,
        sc.SpanKind.CONTAINER,
        sc.SpanKind.CLEANUP,
        sc.SpanKind.VERIFIER,
    )
)
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Change:
    """One aligned pair and what differs; numbers are nanoseconds or tokens."""

    name: str
    left_id: str
    right_id: str
    what: str
    left: object
    right: object


@dataclass(frozen=True, slots=True)
class SpanDiff:
    """`changes` are the largest; `modified` counts all pairs with any."""

    matched: int
    modified: int
    only_left: Counter[str]
    only_right: Counter[str]
    changes: tuple[Change, ...]


def diff_spans(left: Sequence[SpanRecord], right: Sequence[SpanRecord]) -> SpanDiff:
    """Aligns and compares."""
    names: dict[str, str] = {}
    keys = [[_key(span, names) for span in side] for side in (left, right)]
    pairs = align(keys[0], keys[1])
    found: list[tuple[float, Change]] = []
    modified = 0
    for i, j in pairs:
        changes = _compare(left[i], right[j])
        modified += bool(changes)
        found += changes
    found.sort(key=lambda item: -item[0])
    taken_left, taken_right = {i for i, _ in pairs}, {j for _, j in pairs}
    return SpanDiff(
        matched=len(pairs),
        modified=modified,
        only_left=Counter(key for i, key in enumerate(keys[0]) if i not in taken_left),
        only_right=Counter(key for j, key in enumerate(keys[1]) if j not in taken_right),
        changes=tuple(change for _, change in found[:_SHOWN]),
    )


def same_duration(a_ns: int, b_ns: int) -> bool:
    """Whether two durations differ by no more than 1 ms and a fifth of the longer one."""
    return abs(a_ns - b_ns) <= SLACK_NS + DURATION_SHARE * max(a_ns, b_ns)


def same_magnitude(a: float, b: float, share: float = MAGNITUDE_SHARE) -> bool:
    """Whether two amounts differ by no more than a share of the larger one."""
    return abs(a - b) <= share * max(abs(a), abs(b))


def _key(span: SpanRecord, names: dict[str, str]) -> str:
    kind = span.text(sc.SPAN_KIND)
    if kind in _BY_KIND:  # their names hold the task or the agent
        return kind
    if kind == sc.SpanKind.MODEL_CALL:
        return "chat"
    name = names.get(span.name)
    if name is None:
        name = names[span.name] = normal_name(span.name)
    return name


def _compare(a: SpanRecord, b: SpanRecord) -> list[tuple[float, Change]]:
    found: list[tuple[float, Change]] = []

    def note(weight: float, what: str, left: object, right: object) -> None:
        found.append((weight, Change(a.name, a.span_id, b.span_id, what, left, right)))

    if a.end_ns is not None and b.end_ns is not None:
        one, other = a.end_ns - a.start_ns, b.end_ns - b.start_ns
        if not same_duration(one, other):
            note(float(abs(one - other)), "duration_ns", one, other)
    elif (a.end_ns is None) != (b.end_ns is None):
        note(1e18, "ended", a.end_ns is not None, b.end_ns is not None)
    if a.failed != b.failed:
        note(1e17, "failed", a.failed, b.failed)
    if _LOOKED_AT.isdisjoint(a.attributes) and _LOOKED_AT.isdisjoint(b.attributes):
        return found
    for key in _MAGNITUDES:
        one_n, other_n = a.integer(key), b.integer(key)
        if one_n is not None and other_n is not None and not same_magnitude(one_n, other_n):
            note(float(abs(one_n - other_n)), key, one_n, other_n)
    for key in _EXACT:
        if a.attributes.get(key) != b.attributes.get(key):
            note(1e16, key, a.attributes.get(key), b.attributes.get(key))
    return found
