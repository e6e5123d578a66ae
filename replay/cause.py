"""Why the run ended as it did: `cabtrace.diagnose` asked about a run that the replay holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cabtrace.diagnose.finding import Diagnosis
from cabtrace.diagnose.registry import plugin_rules
from cabtrace.diagnose.why import diagnose
from cabtrace.model.model_call import ModelCall
from cabtrace.model.run import RunHeader
from cabtrace.model.span import SpanRecord
from cabtrace.store.calls import CallBody
from replay.run import ReplayRun, Snapshot


class DiagnosedRun:
    """One snapshot of a run as the rules read it. Its bulky parts are locked one by one, so that the screen need not wait."""

    def __init__(self, run: ReplayRun, snapshot: Snapshot) -> None:
        self._run = run
        self._snapshot = snapshot

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
        return self._snapshot.timeline.spans

    def calls(self) -> Sequence[ModelCall]:
        return self._snapshot.calls

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


def find_cause(run: ReplayRun, snapshot: Snapshot) -> Diagnosis | str:
    """The first-named cause and the evidence, rules of other packages included; a sentence where a rule could not cope.

    Takes a while for a large run.
    """
    try:
        return diagnose(DiagnosedRun(run, snapshot), plugin_rules())
    except Exception as error:  # noqa: BLE001 - rules read hostile records; a replay must go on whatever they stumble over
        return f"The cause could not be worked out: {type(error).__name__}: {error}"[:500]
