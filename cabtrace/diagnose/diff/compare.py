"""Two runs compared: identity, outcome, amounts, spans, tools, tests, patches, and where they parted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff

from cabtrace.diagnose.diff.align import align
from cabtrace.diagnose.diff.divergence import Divergence, find_divergence
from cabtrace.diagnose.diff.spans import DURATION_SHARE, MAGNITUDE_SHARE, SpanDiff, diff_spans, same_duration, same_magnitude
from cabtrace.diagnose.evidence import DiagnosableRun, Evidence
from cabtrace.diagnose.normal import normal_text
from cabtrace.model.span import STATUS_ERROR

_PATCH_LINES = 4_000
_PATCH_SHOWN = 200
# Scores that hang on time or tokens; the others are compared exactly.
_SCORE_SHARES = {"latency": DURATION_SHARE, "tokens": MAGNITUDE_SHARE, "composite": MAGNITUDE_SHARE}


@dataclass(frozen=True, slots=True)
class Amount:
    """One number of both runs (None: unknown); `signal` is `same`, `more`, `less` or `unknown`: no judgement."""

    name: str
    left: float | None
    right: float | None
    signal: str


@dataclass(frozen=True, slots=True)
class ToolStep:
    """A tool call of the left run, of the right run, or of both: span ids, "" where it has none."""

    call: str
    left_id: str
    right_id: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`identity` holds what differs of who ran what; `tests` the tests whose state differs (None: not run there)."""

    identity: tuple[tuple[str, str, str], ...]
    outcome: tuple[tuple[str, str, str], ...]
    amounts: tuple[Amount, ...]
    spans: SpanDiff
    tools: tuple[ToolStep, ...]
    tests: tuple[tuple[str, bool | None, bool | None], ...]
    files: tuple[tuple[str, str], ...]
    patch: str
    divergence: Divergence | None


def compare(left: DiagnosableRun, right: DiagnosableRun) -> Comparison:
    """All of it. Pure."""
    a, b = Evidence(left), Evidence(right)
    return Comparison(
        identity=tuple(_identity(a, b)),
        outcome=tuple(_outcome(a, b)),
        amounts=tuple(_amounts(a, b)),
        spans=diff_spans(a.spans, b.spans),
        tools=_tools(a, b),
        tests=tuple(_tests(a, b)),
        files=tuple(_files(left.patch(), right.patch())),
        patch=_patch(left.patch(), right.patch()),
        divergence=find_divergence(a, b),
    )


def _identity(a: Evidence, b: Evidence) -> Iterator[tuple[str, str, str]]:
    one, other = a.header, b.header
    pairs = {
        "task": (one.task.id, other.task.id),
        "task digest": (one.task.digest, other.task.digest),
        "agent": (one.agent.name, other.agent.name),
        "agent version": (one.agent.version, other.agent.version),
        "model": (one.model, other.model),
        "sandbox": (one.sandbox.kind, other.sandbox.kind),
        "image": (one.sandbox.image_digest or one.sandbox.image, other.sandbox.image_digest or other.sandbox.image),
        "time limit": (str(one.timeout_s), str(other.timeout_s)),
        "cabtrace": (one.cabtrace_version, other.cabtrace_version),
    }
    return ((name, x, y) for name, (x, y) in pairs.items() if x != y)


def _outcome(a: Evidence, b: Evidence) -> Iterator[tuple[str, str, str]]:
    one, other = a.header, b.header
    yield "verdict", one.verdict.value if one.verdict else "none", other.verdict.value if other.verdict else "none"
    yield "cause", one.cause.value if one.cause else "none", other.cause.value if other.cause else "none"
    left, right = ("unknown" if h.exit_code is None else str(h.exit_code) for h in (one, other))
    yield "exit code", left, right


def _amounts(a: Evidence, b: Evidence) -> Iterator[Amount]:
    yield _amount("wall_s", a.header.duration_s, b.header.duration_s, time=True)
    yield _amount("model_calls", len(a.calls), len(b.calls))
    yield _amount("tool_calls", len(a.tools), len(b.tools))
    yield _amount("spans", len(a.spans), len(b.spans))
    yield _amount("errors", *([s.status_code for s in run.spans].count(STATUS_ERROR) for run in (a, b)), share=0.0)
    for name in ("input", "output"):
        yield _amount(f"{name}_tokens", *(_tokens(run, name) for run in (a, b)))
    for axis in dict.fromkeys((*a.header.scores, *b.header.scores)):
        share = _SCORE_SHARES.get(axis, 0.0)
        yield _amount(f"score:{axis}", *(_score(run, axis) for run in (a, b)), share=share)


def _tokens(run: Evidence, name: str) -> float | None:
    """A sum; None where any call's number is unknown, unless the call failed."""
    known = [getattr(call.usage, name) for call in run.calls if not call.error or getattr(call.usage, name) is not None]
    return float(sum(known)) if known and None not in known else None


def _score(run: Evidence, axis: str) -> float | None:
    value = run.header.scores.get(axis, {}).get("value")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _amount(name: str, left: float | None, right: float | None, *, time: bool = False, share: float = MAGNITUDE_SHARE) -> Amount:
    if left is None or right is None:
        return Amount(name, left, right, "same" if left is right else "unknown")
    same = same_duration(int(left * 1e9), int(right * 1e9)) if time else same_magnitude(left, right, share)
    return Amount(name, left, right, "same" if same else "more" if right > left else "less")


def _tools(a: Evidence, b: Evidence) -> tuple[ToolStep, ...]:
    """Both runs' tool calls in one order: the longest common subsequence, with what only one of them did between."""
    keys = [[use.key for use in run.tools] for run in (a, b)]
    normal = {key: normal_text(key) for key in dict.fromkeys((*keys[0], *keys[1]))}
    left, right = ([normal[key] for key in side] for side in keys)
    steps: list[ToolStep] = []
    i = j = 0
    for x, y in [*align(left, right), (len(left), len(right))]:
        steps += [ToolStep(left[n], a.tools[n].span_id, "") for n in range(i, x)]
        steps += [ToolStep(right[n], "", b.tools[n].span_id) for n in range(j, y)]
        if x < len(left):
            steps.append(ToolStep(left[x], a.tools[x].span_id, b.tools[y].span_id))
        i, j = x + 1, y + 1
    return tuple(steps)


def _tests(a: Evidence, b: Evidence) -> Iterator[tuple[str, bool | None, bool | None]]:
    one, other = _states(a.verification), _states(b.verification)
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield name, one.get(name), other.get(name)


def _states(verification: Mapping[str, object]) -> dict[str, bool | None]:
    tests = verification.get("tests")
    rows = [t for t in tests if isinstance(t, Mapping)] if isinstance(tests, list) else []
    return {str(t.get("name", "")): t.get("passed") if isinstance(t.get("passed"), bool) else None for t in rows}


def _files(left: str, right: str) -> Iterator[tuple[str, str]]:
    """(path, `same`, `differs`, `left` or `right`) of every file that either run changed."""
    one, other = split_patch(left), split_patch(right)
    for path in dict.fromkeys((*one, *other)):
        if path not in other:
            yield path, "left"
        elif path not in one:
            yield path, "right"
        else:
            yield path, "same" if one[path] == other[path] else "differs"


def split_patch(patch: str) -> dict[str, str]:
    """The part of each file in a patch as git writes it; lines with blob ids are left out."""
    files: dict[str, list[str]] = {}
    current: list[str] = []
    for row in patch.split("\n"):
        if row.startswith("diff --git "):
            current = files.setdefault(row.rpartition(" b/")[2] or row, [])
        elif not row.startswith("index "):
            current.append(row)
    return {path: "\n".join(rows) for path, rows in files.items()}


def _patch(left: str, right: str) -> str:
    """One patch against the other, of the files that both changed differently or only one changed."""
    one, other = split_patch(left), split_patch(right)
    found: list[str] = []
    for path in dict.fromkeys((*one, *other)):
        rows = [part.get(path, "").splitlines()[:_PATCH_LINES] for part in (one, other)]
        if rows[0] != rows[1]:
            found += unified_diff(rows[0], rows[1], f"left/{path}", f"right/{path}", lineterm="", n=2)
    return "\n".join(
        found if len(found) <= _PATCH_SHOWN else [*found[:_PATCH_SHOWN], f"… {len(found) - _PATCH_SHOWN} more lines"]
    )
