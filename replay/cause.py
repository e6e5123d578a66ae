"""Why the run ended as it did: `cabtrace.diagnose` asked about a run that the replay holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cabtrace.diagnose.finding import Diagnosis, Finding, Severity
from cabtrace.diagnose.registry import plugin_rules
from cabtrace.diagnose.why import diagnose
from cabtrace.model import semconv as sc
from cabtrace.model.model_call import ModelCall
from cabtrace.model.run import RunHeader
from cabtrace.model.span import SpanRecord
from cabtrace.store.calls import CallBody
from cabtrace.store.span_facts import FAILED, KIND_CODES, PENDING
from replay.run import ReplayRun, Snapshot
from replay.timeline import Timeline

_MOST_SPANS: Final = 30_000
_MOST_CALLS: Final = 10_000
_CALLS: Final = frozenset(KIND_CODES[kind] for kind in (sc.SpanKind.MODEL_CALL, sc.SpanKind.TOOL_CALL))
_HARNESS: Final = frozenset(KIND_CODES.values()) - _CALLS - {KIND_CODES[""], KIND_CODES["?"], KIND_CODES[sc.SpanKind.AGENT]}


class DiagnosedRun:
    """One snapshot of a run as the rules read it. Its bulky parts are locked one by one, so that the screen need not wait."""

    def __init__(self, run: ReplayRun, snapshot: Snapshot) -> None:
        self._run = run
        self._snapshot = snapshot
        timeline = snapshot.timeline
        places = telling_spans(timeline)
        self._spans: Sequence[SpanRecord] = timeline.spans if places is None else [timeline.spans[place] for place in places]
        self.left_out = len(timeline.spans) - len(self._spans)

    @property
    def header(self) -> RunHeader:
        return self._snapshot.header

    @property
    def aborted(self) -> bool:
        return self._snapshot.aborted

    @property
    def live(self) -> bool:
        return self._snapshot.live

    @property
    def start_ns(self) -> int:
        return self._snapshot.timeline.start_ns

    @property
    def end_ns(self) -> int:
        return self._snapshot.timeline.end_ns

    def spans(self) -> Sequence[SpanRecord]:
        return self._spans

    def calls(self) -> Sequence[ModelCall]:
        calls = self._snapshot.calls
        return calls if len(calls) <= _MOST_CALLS else calls[-_MOST_CALLS:]

    def call_body(self, call_id: str) -> CallBody:
        return self._run.call_body(call_id)

    def changes(self) -> Mapping[str, Any]:
        return self._run.changes()

    def verification(self) -> Mapping[str, Any]:
        return self._run.verification()

    def terminal_text(self, max_chars: int = 4096) -> str:
        return self._run.terminal_text(max_chars)

    def patch(self) -> str:
        return self._run.patch()


def telling_spans(timeline: Timeline, most: int = _MOST_SPANS) -> list[int] | None:
    """Of a very large run the places of the spans that the rules can do with; None where they can have all.

    First what the harness did, then what failed, then the last that are no agent's own chatter, up to `most`.
    """
    columns = timeline.columns
    if len(columns.span_id) <= most:
        return None
    ranks: tuple[list[int], ...] = [], [], []
    for place, (kind, flags) in enumerate(zip(columns.span_kind, columns.span_flags, strict=True)):
        if kind in _HARNESS or flags & PENDING:
            ranks[0].append(place)
        elif flags & FAILED:
            ranks[1].append(place)
        elif kind in _CALLS:
            ranks[2].append(place)
    kept: list[int] = []
    for places in ranks:
        room = most - len(kept)
        kept += places[-room:] if room else []
    return sorted(kept)


def _with_note(found: Diagnosis, left_out: int) -> Diagnosis:
    words = f"The run is very large: {left_out:,} spans that say least were left out here. `cabtrace why` looks at all of them."
    note = Finding("large_run", Severity.INFO, None, "", words)
    # What hangs on all spans is not known.
    kept = tuple(finding for finding in found.findings if finding.rule != "critical_path")
    return replace(found, findings=(*kept, note), shares={})


def find_cause(run: ReplayRun, snapshot: Snapshot) -> Diagnosis | str:
    """The first-named cause and the evidence, rules of other packages included; a sentence where a rule could not cope.

    Takes a while for a large run.
    """
    try:
        asked = DiagnosedRun(run, snapshot)
        found = diagnose(asked, plugin_rules())
        return _with_note(found, asked.left_out) if asked.left_out else found
    except Exception as error:  # noqa: BLE001 - rules read hostile records; a replay must go on whatever they stumble over
        return f"The cause could not be worked out: {type(error).__name__}: {error}"[:500]
