"""All axes: ours in the order in which they are shown, then those that other packages bring, then the composite."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Final

from cabtrace.entry_points import plugins
from cabtrace.model.outcome import Verdict
from cabtrace.model.score import AxisResult
from cabtrace.scoring.base import ScoredRun, ScoringAxis
from cabtrace.scoring.blast_radius import BlastRadius
from cabtrace.scoring.composite import composite
from cabtrace.scoring.integrity import Integrity
from cabtrace.scoring.latency import Latency
from cabtrace.scoring.pass_rate import PassRate
from cabtrace.scoring.refusal import Refusal
from cabtrace.scoring.tokens import Tokens

GROUP: Final = "cabtrace.axes"


def builtin_axes() -> tuple[ScoringAxis, ...]:
    """Ours, without the composite."""
    return (PassRate(), Tokens(), Latency(), BlastRadius(), Refusal(), Integrity())


@dataclass(frozen=True, slots=True)
class UnloadableAxis:
    """Stands for an axis of another package that could not be imported."""

    name: str
    reason: str
    version: str = "unknown"

    def score(self, run: ScoredRun) -> AxisResult:
        """Unknown, and why."""
        return AxisResult(self.name, self.version, None, inputs={"error": self.reason})


def plugin_axes() -> tuple[ScoringAxis, ...]:
    """Axes of other packages, by entry point; one of a name that is taken is left out."""
    found: dict[str, ScoringAxis] = {}
    taken = {axis.name for axis in builtin_axes()} | {"composite"}
    for entry in plugins(GROUP).values():
        axis = _load(entry)
        if axis.name not in taken:
            found.setdefault(axis.name, axis)
    return tuple(found.values())


def _load(entry: EntryPoint) -> ScoringAxis:
    try:
        axis: ScoringAxis = entry.load()()
    except Exception as error:  # noqa: BLE001 - someone else's code: its failure must not cost us the run
        return UnloadableAxis(entry.name, _reason(error))
    return axis


def score_run(
    run: ScoredRun,
    plugins: Sequence[ScoringAxis] = (),
    *,
    around: Callable[[str], AbstractContextManager[None]] = lambda _: nullcontext(),
    verdict: Callable[[Mapping[str, AxisResult]], Verdict | None] | None = None,
) -> dict[str, AxisResult]:
    """Every axis' result by name; `around(axis)` is entered while that axis is scored.

    `verdict` is asked for the cell's once its axes are known, where run.json does not have it yet.

    An axis of another package that fails is unknown and says why; ours do not fail.
    """
    results: dict[str, AxisResult] = {}
    for axis in builtin_axes():
        with around(axis.name):
            results[axis.name] = axis.score(run)
    ours = dict(results)
    for axis in plugins:
        with around(axis.name):
            results[axis.name] = _guarded(axis, run)
    with around("composite"):
        ended = verdict(ours) if verdict else run.header.verdict
        results["composite"] = composite(ours, errored=ended is Verdict.ERROR)
    return results


def _guarded(axis: ScoringAxis, run: ScoredRun) -> AxisResult:
    try:
        return axis.score(run)
    except Exception as error:  # noqa: BLE001 - someone else's code: its failure must not cost us the run
        return AxisResult(axis.name, axis.version, None, inputs={"error": _reason(error)})


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
