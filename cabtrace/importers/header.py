"""run.json of an imported run: what its trace says, and nothing else. No verdict is made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cabtrace import __version__
from cabtrace.importers.pieces import Source
from cabtrace.importers.survey import Survey, most_common
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId
from cabtrace.model.outcome import ENDINGS, Cause, Verdict
from cabtrace.model.run import LONGEST_S, AgentInfo, Clock, Imported, RunHeader, SandboxInfo, TaskInfo
from cabtrace.model.span import SpanRecord
from cabtrace.store.clock import iso_utc

UNKNOWN: Final = "unknown"
_NOT_APPLICABLE: Final = "n/a"  # `AxisResult.label`
_TOKENS: Final = "tokens"
_NO_INPUTS: Final = "what the scores were worked out from; tokens were added up from the model calls"
_LAST_NS: Final = 2**63 - 1
_ID_DIGITS: Final = 16
_PART_CHARS: Final = 300
_NEVER_IN_A_TRACE: Final = "terminal, changed files, tests' output, the agent's transcript and logs"
_NOTHING: Final[Mapping[str, Any]] = {}


def cell_of(survey: Survey, sweep: str) -> CellId:
    """The cell that the run is filed under: agent, model and task as the trace has them, in a sweep of its own."""
    root = survey.kept.get(sc.SpanKind.CELL)
    attributes = root.attributes if root else _NOTHING
    agent = _text(attributes, sc.GEN_AI_AGENT) or most_common(survey.agents) or most_common(survey.services)
    model = _text(attributes, sc.GEN_AI_REQUEST_MODEL) or most_common(survey.told.models)
    task = _text(attributes, sc.TASK) or _text(attributes, sc.TEST_CASE_NAME) or f"trace-{survey.trace_id[:_ID_DIGITS]}"
    return CellId(sweep, *(part[:_PART_CHARS] for part in (agent or UNKNOWN, model or UNKNOWN, task)))


def header_of(survey: Survey, cell: CellId, attempt: int, run_id: str) -> RunHeader:
    """Everything that the trace tells of the run."""
    start_ns = min(survey.first_ns, _LAST_NS)
    kept = survey.kept
    root, adapter, container = (kept.get(k) for k in (sc.SpanKind.CELL, sc.SpanKind.ADAPTER_RUN, sc.SpanKind.CONTAINER))
    ended_ns = (adapter.end_ns if root and adapter else None) or survey.last_ns  # ADR 7: without tests and scores
    duration_s = (ended_ns - start_ns) / 1e9
    verdict, cause, detail = _outcome(root)
    verifier = kept.get(sc.SpanKind.VERIFIER)
    return RunHeader(
        cabtrace_version=__version__,
        run_id=run_id,
        cell_id=str(cell),
        sweep_id=cell.sweep,
        attempt=attempt,
        task=_task(cell, root, survey.root),
        agent=_agent(cell, survey, container),
        model=cell.model,
        provider=most_common(survey.told.providers)[:_PART_CHARS],
        sandbox=_sandbox(container),
        trace_id=survey.trace_id,
        started_at=iso_utc(start_ns),
        ended_at=iso_utc(ended_ns),
        duration_s=duration_s if 0 <= duration_s <= LONGEST_S else None,
        timeout_s=_seconds(adapter),
        clock=Clock(wall_ns=start_ns, monotonic_ns=0),
        verdict=verdict,
        cause=cause,
        cause_detail=detail,
        exit_code=adapter.integer(sc.EXIT_CODE) if adapter else None,
        timed_out=bool(container and container.attributes.get(sc.TIMED_OUT) is True),
        verifier_exit_code=verifier.integer(sc.EXIT_CODE) if verifier else None,
        provisional=bool(root and root.attributes.get(sc.PROVISIONAL)),
        scores=_scores(survey),
    )


def origin(survey: Survey, source: Source, imported_at: str) -> Imported:
    """Where it came from; what did not come along is known at the end only, see `missing`."""
    root = survey.kept.get(sc.SpanKind.CELL)
    attributes = root.attributes if root else _NOTHING
    run_id = _text(root.resource, sc.RUN_ID) if root else ""
    attempt = attributes.get(sc.ATTEMPT)
    return Imported(
        kind=source.kind,
        where=source.where,
        imported_at=imported_at,
        sha256=source.sha256,
        spans=survey.spans,
        duplicates=survey.duplicates,
        cell_id=_text(attributes, sc.CELL_ID),
        run_id=_text(attributes, sc.RUN_ID) or run_id,
        attempt=attempt if isinstance(attempt, int) and not isinstance(attempt, bool) else None,
    )


def missing(survey: Survey, bodies: int) -> tuple[str, ...]:
    """What is not in the trace, in words. `bodies` is of how many model calls it is known what was said."""
    calls = len(survey.told.calls)
    counts = (
        (survey.withheld, "{:,} attributes with prompts or outputs were withheld when it was exported"),
        (calls - bodies, f"{{:,}} of {calls:,} model calls came without what was asked and answered"),
        (survey.folded, "{:,} quiet spans had been folded into others"),
        (survey.unended, "{:,} spans had not ended"),
        (survey.untimed, "{:,} spans have no start time"),
    )
    found = [_NEVER_IN_A_TRACE] if survey.ours else []
    found += [_NO_INPUTS] if survey.scores else []
    found += [words.format(count) for count, words in counts if count > 0]
    if survey.timeshift_ns:
        found.append(f"times had been shifted by {survey.timeshift_ns / 1e9:,.3f} s, which was undone")
    if survey.coarse:
        found.append("times finer than a microsecond")
    return tuple(found)


def notices(imported: Imported) -> tuple[str, ...]:
    """What everyone who looks at the run is told."""
    return (_notice(imported), *_readings(imported))


def _notice(imported: Imported) -> str:
    what = f"; not in it: {'; '.join(imported.missing)}" if imported.missing else ""
    return f"This run was imported from {imported.where} ({imported.kind}), not recorded here{what}."


def _readings(imported: Imported) -> list[str]:
    found = []
    if imported.duplicates:
        found.append(f"{imported.duplicates:,} spans were there more than once; the last of each was taken.")
    if imported.rejected or imported.bad_lines:
        found.append(f"Of {imported.where}, {imported.rejected:,} spans and {imported.bad_lines:,} lines could not be read.")
    return found


def _outcome(root: SpanRecord | None) -> tuple[Verdict | None, Cause | None, str]:
    """Verdict and cause as the cell's own span has them; unknown where they are missing or belie each other."""
    if root is None:
        return None, None, ""
    try:
        verdict, cause = Verdict(root.text(sc.VERDICT)), Cause(root.text(sc.CAUSE))
    except ValueError:
        return None, None, ""
    if ENDINGS[cause].verdict is not verdict:
        return None, None, ""
    meaning = ENDINGS[cause].meaning
    return verdict, cause, "" if root.status_message in (meaning, cause.value) else root.status_message


def _task(cell: CellId, root: SpanRecord | None, first: SpanRecord | None) -> TaskInfo:
    if root is not None:
        category = root.text(sc.TASK_CATEGORY)
        return TaskInfo(id=cell.task, name=cell.task.rsplit("/", 1)[-1], category=category, changes_declared=False)
    return TaskInfo(id=cell.task, name=first.name[:_PART_CHARS] if first else "", changes_declared=False)


def _agent(cell: CellId, survey: Survey, container: SpanRecord | None) -> AgentInfo:
    argv = container.attributes.get(sc.PROCESS_ARGS) if container else None
    words = tuple(str(a) for a in argv) if isinstance(argv, Sequence) and not isinstance(argv, str | bytes) else ()
    mode = survey.kept[sc.SpanKind.TASK_SETUP].text(sc.BEHAVIOR_MODE) if sc.SpanKind.TASK_SETUP in survey.kept else ""
    return AgentInfo(name=cell.agent, argv=words, behavior_mode=mode or UNKNOWN)


def _sandbox(container: SpanRecord | None) -> SandboxInfo:
    if container is None:
        return SandboxInfo()
    kind = container.text(sc.SANDBOX)
    left_open = container.attributes.get(sc.SANDBOX_OPEN)
    words = tuple(str(w) for w in left_open) if isinstance(left_open, list | tuple) else ()
    image = container.text(sc.CONTAINER_IMAGE_NAME)
    return SandboxInfo(
        kind="docker" if kind == "docker" else "local" if kind == "local" else UNKNOWN, image=image, left_open=words
    )


def _seconds(adapter: SpanRecord | None) -> float | None:
    value = adapter.number(sc.TIMEOUT_S) if adapter else None
    return value if value is not None and 0 <= value <= LONGEST_S else None


def _scores(survey: Survey) -> dict[str, Any]:
    """Each axis as its span has it; tokens are also added up, as lists of runs show the sum and not the score."""
    found = {}
    for axis, (value, label) in survey.scores.items():
        values: dict[str, Any] = {"not_applicable": True} if label == _NOT_APPLICABLE else {}
        if axis == _TOKENS and not survey.repeated:  # of a span that came twice the last counts, which is not known yet
            values |= survey.tokens.values()
        found[axis] = {"version": "", "value": value, "label": label, "values": values, "inputs": {}}
    return found


def _text(attributes: Mapping[str, Any], key: str) -> str:
    value = attributes.get(key)
    return value if isinstance(value, str) else ""
