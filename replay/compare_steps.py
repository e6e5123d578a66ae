"""The steps of two runs beside each other: model calls, tool calls, tests, scores. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cabtrace.diagnose.diff.align import align
from cabtrace.diagnose.diff.compare import Comparison
from cabtrace.diagnose.diff.turns import failure_of
from cabtrace.diagnose.evidence import DiagnosableRun, Evidence
from cabtrace.diagnose.normal import normal_text
from cabtrace.diagnose.tools import ToolUse
from cabtrace.model import semconv as sc
from cabtrace.model.model_call import ModelCall
from cabtrace.model.span import SpanRecord
from replay.compare import InstantMap

_SCORE_PREFIX = "score:"


class Match(StrEnum):
    """What a pair of steps is: `ALIKE` are those that do the same with other numbers or other output."""

    SAME = "same"
    ALIKE = "alike"
    DIFFERS = "differs"
    LEFT = "only left"
    RIGHT = "only right"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one run. Times are offsets from its start; `text` and `detail` are as recorded, hence hostile."""

    kind: str
    key: str
    text: str
    detail: str
    start_ns: int
    end_ns: int
    failed: bool
    call: ModelCall | None = None
    tool: ToolUse | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What both runs did at one point, or one of them; `note` says in what they are unlike. `parted`: here they parted first."""

    match: Match
    left: Step | None
    right: Step | None
    note: str = ""
    parted: bool = False

    def side(self, side: int) -> Step | None:
        """Of the left (0) or the right (1) run."""
        return self.right if side else self.left


@dataclass(frozen=True, slots=True)
class Compared:
    """Two runs compared. `lengths_ns` are those of the axes; `parted` is the row where they parted first, if it is known."""

    pairs: tuple[Pair, ...]
    summary: Comparison
    instants: InstantMap
    lengths_ns: tuple[int, int]
    parted: int | None


def pair_up(left: DiagnosableRun, right: DiagnosableRun, summary: Comparison) -> Compared:
    """Aligns the steps of two runs around the first divergence that `summary` knows."""
    runs = Evidence(left), Evidence(right)
    sides = [list(_steps(run)) for run in runs]
    pairs = tuple(_pairs(sides[0], sides[1], summary))
    anchors: list[tuple[int, int]] = []
    for pair in pairs:
        if pair.left and pair.right:
            anchors += [(pair.left.start_ns, pair.right.start_ns), (pair.left.end_ns, pair.right.end_ns)]
    one, other = (max(run.end_ns - run.start_ns, 0) for run in (left, right))
    parted = next((place for place, pair in enumerate(pairs) if pair.parted), None)
    return Compared(pairs, summary, InstantMap(anchors, one, other), (one, other), parted)


def _steps(run: Evidence) -> Iterator[Step]:
    """By start."""
    tools = {use.span_id: use for use in run.tools}
    calls = {call.call_id: call for call in run.calls}
    for span in run.spans:
        kind = span.attributes.get(sc.SPAN_KIND)
        start, end = _offset(run, span.start_ns), _offset(run, run.run.end_ns if span.end_ns is None else span.end_ns)
        times = start, max(start, end)
        if (call := calls.get(span.span_id)) is not None:
            yield Step("model", "", f"chat #{call.index}", _tokens(call), *times, span.failed, call=call)
        elif (use := tools.get(span.span_id)) is not None:
            yield Step("tool", normal_text(use.key), use.name, use.command, *times, use.failed, tool=use)
        elif kind in (sc.SpanKind.VERIFIER, sc.SpanKind.TASK_SETUP, sc.SpanKind.CLEANUP):
            yield Step("test" if kind == sc.SpanKind.VERIFIER else "phase", str(kind), _phase(span), "", *times, span.failed)
        elif kind == sc.SpanKind.SCORE:
            axis = span.name.removeprefix(_SCORE_PREFIX)
            yield Step("score", span.name, axis, _score(run, axis), *times, span.failed)


def _tokens(call: ModelCall) -> str:
    counts = ("unknown" if count is None else f"{count:,}" for count in (call.usage.input, call.usage.output))
    return " → ".join(counts) + " tokens"


def _phase(span: SpanRecord) -> str:
    return span.name.partition(":")[0]


def _score(run: Evidence, axis: str) -> str:
    value = run.header.scores.get(axis, {}).get("value")
    return f"{value:,.3f}" if isinstance(value, int | float) and not isinstance(value, bool) else "unknown"


def _offset(run: Evidence, time_ns: int) -> int:
    return min(max(time_ns - run.start_ns, 0), max(run.run.end_ns - run.start_ns, 0))


def _pairs(left: Sequence[Step], right: Sequence[Step], summary: Comparison) -> Iterator[Pair]:
    """Around the calls at which the runs parted, equal steps first, then between those the same kinds of steps in order."""
    found = summary.divergence
    ends = [(len(left), len(right))]
    if found is not None and found.left_call is not None and found.right_call is not None:
        at = [
            next((i for i, s in enumerate(steps) if s.call and s.call.call_id == call.call_id), None)
            for steps, call in ((left, found.left_call), (right, found.right_call))
        ]
        if at[0] is not None and at[1] is not None:
            ends.insert(0, (at[0], at[1]))
    one = other = 0
    for i, j in ends:
        yield from _gap(left[one:i], right[other:j], summary)
        if i < len(left) and j < len(right):
            yield Pair(Match.DIFFERS, left[i], right[j], found.sentence if found else "", parted=True)
        one, other = i + 1, j + 1


def _gap(left: Sequence[Step], right: Sequence[Step], summary: Comparison) -> Iterator[Pair]:
    keys = [[s.key or object() for s in steps] for steps in (left, right)]  # a model call has no equal by itself
    one = other = 0
    for i, j in [*align(keys[0], keys[1]), (len(left), len(right))]:
        yield from _rest(left[one:i], right[other:j], summary)
        if i < len(left):
            yield _pair(left[i], right[j], summary)
        one, other = i + 1, j + 1


def _rest(left: Sequence[Step], right: Sequence[Step], summary: Comparison) -> Iterator[Pair]:
    one = other = 0
    for i, j in [*align([s.kind for s in left], [s.kind for s in right]), (len(left), len(right))]:
        yield from (_alone(step, 0, summary) for step in left[one:i])
        yield from (_alone(step, 1, summary) for step in right[other:j])
        if i < len(left):
            yield _pair(left[i], right[j], summary)
        one, other = i + 1, j + 1


def _alone(step: Step, side: int, summary: Comparison) -> Pair:
    found = summary.divergence
    calls = (found.left_call, found.right_call) if found else (None, None)
    parted = (
        (call := calls[side]) is not None
        and calls[1 - side] is None
        and step.call is not None
        and step.call.call_id == call.call_id
    )
    note = found.sentence if found and parted else ""
    return Pair(Match.RIGHT, None, step, note, parted) if side else Pair(Match.LEFT, step, None, note, parted)


def _pair(left: Step, right: Step, summary: Comparison) -> Pair:
    if note := _difference(left, right, summary):
        return Pair(Match.DIFFERS, left, right, note)
    note = _unlike(left, right)
    return Pair(Match.ALIKE if note else Match.SAME, left, right, note)


def _unlike(left: Step, right: Step) -> str:
    """In what two steps that do not differ are still not equal, beyond how long they took; "" where they are."""
    if left.call and right.call:
        if left.call.usage != right.call.usage:
            return "other token counts"
        return "" if left.call.request_hash == right.call.request_hash else "another request"
    if left.tool and right.tool and left.tool.result != right.tool.result:
        return "other output"
    return f"{left.detail} → {right.detail}" if left.detail != right.detail else ""


def _difference(left: Step, right: Step, summary: Comparison) -> str:
    """In what two steps differ beyond how long they took; "" where they do not."""
    if left.call and right.call:
        return _call_difference(left.call, right.call)
    if left.tool and right.tool:
        if left.key != right.key:
            return "another tool" if left.text != right.text else "other arguments"
        codes = left.tool.exit_code, right.tool.exit_code
        if codes[0] != codes[1]:
            return "exit code " + " → ".join("unknown" if code is None else str(code) for code in codes)
    if left.kind == "score":
        signal = next((a.signal for a in summary.amounts if a.name == left.key), "same")
        return f"{left.detail} → {right.detail}" if left.detail != right.detail and signal != "same" else ""
    if left.key != right.key:
        return f"{left.text} → {right.text}"
    if left.kind == "test" and (summary.tests or left.failed != right.failed):
        return f"{len(summary.tests)} tests changed state" if summary.tests else "failed on one side only"
    return "failed on one side only" if left.failed != right.failed else ""


def _call_difference(left: ModelCall, right: ModelCall) -> str:
    failures = failure_of(left), failure_of(right)
    if failures[0] != failures[1]:
        return " → ".join(words or "answered" for words in failures)
    ends = left.finish_reasons, right.finish_reasons
    return " → ".join(", ".join(words) for words in ends) if ends[0] and ends[1] and ends[0] != ends[1] else ""
