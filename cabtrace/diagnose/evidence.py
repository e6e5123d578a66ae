"""A run as rules read it: its spans sorted by what they are, looked at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol

from cabtrace.diagnose.critical_path import Section, critical_path, shares
from cabtrace.diagnose.tools import ToolUse, pending_tools, tool_use
from cabtrace.model import semconv as sc
from cabtrace.model.model_call import ModelCall
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import RunHeader
from cabtrace.model.span import STATUS_ERROR, SpanRecord
from cabtrace.store.calls import CallBody


class DiagnosableRun(Protocol):
    """What is asked of a run; `cabtrace.store.reader.RunView` is one."""

    @property
    def header(self) -> RunHeader: ...
    @property
    def aborted(self) -> bool: ...
    @property
    def live(self) -> bool: ...
    @property
    def start_ns(self) -> int: ...
    @property
    def end_ns(self) -> int: ...
    def spans(self) -> Sequence[SpanRecord]: ...
    def calls(self) -> Sequence[ModelCall]: ...
    def call_body(self, call_id: str) -> CallBody: ...
    def changes(self) -> Mapping[str, Any]: ...
    def verification(self) -> Mapping[str, Any]: ...
    def terminal_text(self, max_chars: int = 4096) -> str: ...
    def patch(self) -> str: ...


class Evidence:
    """Everything is worked out when it is first asked for and kept."""

    def __init__(self, run: DiagnosableRun) -> None:
        self.run = run
        self.header = run.header
        self.start_ns = run.start_ns

    @cached_property
    def spans(self) -> Sequence[SpanRecord]:
        """By start."""
        return self.run.spans()

    @cached_property
    def by_kind(self) -> Mapping[str, Sequence[SpanRecord]]:
        """Spans by their `cabtrace.span.kind`, each by start; those of the agent's own are under ""."""
        found: dict[str, list[SpanRecord]] = {}
        for span in self.spans:
            kind = span.attributes.get(sc.SPAN_KIND)
            found.setdefault(kind if isinstance(kind, str) else "", []).append(span)
        return found

    @cached_property
    def calls(self) -> Sequence[ModelCall]:
        """By start."""
        return self.run.calls()

    @cached_property
    def tools(self) -> tuple[ToolUse, ...]:
        """Tool calls of the agent, by start."""
        return tuple(use for span in self.by_kind.get(sc.SpanKind.TOOL_CALL, ()) if (use := tool_use(span)))

    @cached_property
    def pending(self) -> tuple[ToolUse, ...]:
        """Tools that the last answers asked for and whose results never came back."""
        return pending_tools(self.calls, self.tools, self.body)

    @cached_property
    def container(self) -> SpanRecord | None:
        """The span in which the agent ran."""
        return next(iter(self.by_kind.get(sc.SpanKind.CONTAINER, ())), None)

    @cached_property
    def verifier(self) -> SpanRecord | None:
        """The span in which the tests ran."""
        return next(iter(self.by_kind.get(sc.SpanKind.VERIFIER, ())), None)

    @cached_property
    def error_leaves(self) -> tuple[SpanRecord, ...]:
        """Failed spans without a failed child: the last of each cascade, by start."""
        failed = [s for s in self.spans if s.status_code == STATUS_ERROR]
        above = {s.parent_id for s in failed}
        return tuple(s for s in failed if s.span_id not in above)

    @cached_property
    def critical_path(self) -> Sequence[Section]:
        """What the run's length hangs on, in order of time."""
        return critical_path(self.spans, self.run.end_ns)

    @cached_property
    def shares(self) -> dict[str, float]:
        """What the critical path was spent on: parts of `model`, `tools`, `harness` and `idle`."""
        return shares(self.critical_path)

    @cached_property
    def agent_end_ns(self) -> int:
        """When the agent ended or was stopped."""
        span = self.container
        return span.end_ns if span is not None and span.end_ns is not None else self.run.end_ns

    @cached_property
    def verification(self) -> Mapping[str, Any]:
        """What the tests said."""
        return self.run.verification()

    @cached_property
    def changes(self) -> Mapping[str, Any]:
        """What changed on disk."""
        return self.run.changes()

    @cached_property
    def changed_paths(self) -> tuple[str, ...] | None:
        """Added, removed and modified paths; None where it is unknown."""
        if not self.changes:
            return None
        lists = (self.changes.get(key) for key in ("added", "removed", "modified"))
        return tuple(str(path) for found in lists if isinstance(found, list) for path in found)

    @property
    def cause(self) -> Cause | None:
        """As the runner recorded it."""
        return self.header.cause

    @property
    def passed(self) -> bool:
        """Whether the cell passed."""
        return self.header.verdict is Verdict.PASSED

    @property
    def failed(self) -> bool:
        """Whether there is something to explain."""
        return self.run.aborted or self.header.verdict in (Verdict.FAILED, Verdict.ERROR)

    def body(self, call_id: str) -> CallBody:
        """Bodies of a call."""
        return self.run.call_body(call_id)
