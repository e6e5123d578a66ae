"""Scores a run that is still open: one span and one `gen_ai.evaluation.result` event an axis, and run.json."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cabtrace.model import semconv as sc
from cabtrace.scoring.registry import plugin_axes, score_run
from cabtrace.store.reader import RunView

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from cabtrace.model.outcome import Verdict
    from cabtrace.model.score import AxisResult
    from cabtrace.otel.recorder import Recorder


def score(recorder: Recorder, root: Span, decide: Callable[[bool], Verdict]) -> None:
    """All axes, in order; `decide` says how the cell ended once it is known whether the agent declined."""
    run = RunView(recorder.writer.path)
    spans: dict[str, Span] = {}

    @contextmanager
    def around(axis: str) -> Iterator[None]:
        attributes = {sc.OPENINFERENCE_KIND: "EVALUATOR"}
        spans[axis] = recorder.start(f"score:{axis}", sc.SpanKind.SCORE, parent=root, attributes=attributes)
        yield
        ended_ns[axis] = recorder.clock.now_ns()

    ended_ns: dict[str, int] = {}

    def verdict(axes: Mapping[str, AxisResult]) -> Verdict:
        return decide(axes["refusal"].values.get("refusal_produced") is True)

    results = score_run(run, plugin_axes(), around=around, verdict=verdict)
    for axis, result in results.items():
        recorder.event(spans[axis], sc.EVALUATION_EVENT, evaluation_attributes(result), ended_ns[axis])
        recorder.end(spans[axis], end_ns=ended_ns[axis])
    recorder.writer.update(scores={name: _stored(result) for name, result in results.items()})


def evaluation_attributes(result: AxisResult) -> dict[str, Any]:
    """The event's attributes by OpenTelemetry's GenAI convention."""
    attributes: dict[str, Any] = {sc.GEN_AI_EVALUATION_NAME: result.axis, sc.GEN_AI_EVALUATION_LABEL: result.label}
    if result.value is not None:
        attributes[sc.GEN_AI_EVALUATION_SCORE] = float(result.value)
    return attributes


def _stored(result: AxisResult) -> dict[str, Any]:
    return {
        "version": result.version,
        "value": result.value,
        "label": result.label,
        "values": dict(result.values),
        "inputs": dict(result.inputs),
    }
