"""A run while it is recorded, be it a cell or a program in the user's terminal: its box, its record, and who listens."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cabtrace.errors import CabtraceError
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId, new_run_id
from cabtrace.model.run import Completeness
from cabtrace.otel.recorder import Recorder
from cabtrace.runner import attributes as attrs
from cabtrace.runner.calls import CallRecorder, LateSink
from cabtrace.runner.harvest import harvest
from cabtrace.runner.header import first_header
from cabtrace.runner.leftovers import claim_scratch, release_scratch
from cabtrace.runner.proxy.proxy import ModelProxy
from cabtrace.runner.pty import Ending
from cabtrace.runner.secrets import make_redactor, new_token
from cabtrace.runner.stage import launch_context
from cabtrace.runner.telemetry import AgentTelemetry, finish_trace, joined
from cabtrace.runner.terminal import TerminalRecorder
from cabtrace.runner.totals import transcript_totals
from cabtrace.store.cast import CastHeader
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt, discard_attempt

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from cabtrace.agents.plugins import Applied
    from cabtrace.model.outcome import Cause, Verdict
    from cabtrace.model.run import RunHeader
    from cabtrace.protocols import LaunchContext, Sandbox, Transcript
    from cabtrace.runner.spec import CellSpec

_GRACE_S = 2.0
_SKIPPED_SHOWN = 20


@dataclass(slots=True)
class Launched:
    """The agent's program while it runs; whoever runs it says how it ended."""

    span: Span
    calls: CallRecorder
    terminal: TerminalRecorder
    started_ns: int
    ending: Ending | None = None


class OpenRun:
    """`begin`, `listen`, `launched` and `finish_trace`, `cleanup`, `close`: in this order, the last two whatever happens."""

    sandbox: Sandbox
    applied: Applied
    argv: tuple[str, ...]

    def __init__(self, spec: CellSpec) -> None:
        self.spec = spec
        self.run_id, self.token = new_run_id(), new_token()
        self.clock = RunClock.start()
        self.sink = LateSink()
        self.proxy: ModelProxy | None = None
        self.telemetry: AgentTelemetry | None = None
        self.calls: CallRecorder | None = None
        self.transcript: Transcript | None = None
        self.completeness = Completeness()
        self.problems: list[str] = []

    def begin(self, make_box: Callable[[Path], Sandbox], *, workdir: str = "", **header: Any) -> None:
        """Opens the box, then the record; `workdir` and `header` replace what they would say. Raises CabtraceError."""
        self.scratch = claim_scratch(self.spec.scratch, self.run_id)
        box = None
        try:
            self.sandbox = box = make_box(self.scratch / "box")
            facts = box.open()
            paths = dataclasses.replace(facts.paths, workdir=workdir or facts.paths.workdir)
            self.facts = dataclasses.replace(facts, paths=paths)
            self._open_record(header)
        except BaseException:  # nothing of the run exists yet, so nothing of it may stay
            if box is not None:
                box.close()
            release_scratch(self.scratch)
            raise

    def _open_record(self, changes: Mapping[str, Any]) -> None:
        spec, facts = self.spec, self.facts
        self.redactor = make_redactor(spec, self.token, self.scratch)
        clean = self.redactor.text  # its parts become names of folders
        cell = CellId(clean(spec.sweep), clean(spec.agent.name), clean(spec.model or "none"), clean(spec.task.id))
        path, attempt = allocate_attempt(spec.store, cell)
        writer = None
        try:
            header = first_header(spec, facts, cell, attempt, self.run_id, self.clock, self.redactor)
            header = replace(header, **changes)
            self.identity = attrs.run_identity(header)
            self.writer = writer = RunWriter(path, header, files=spec.files)
            self.recorder = Recorder(writer, self.redactor, self.clock, self.identity, spec.limits)
        except CabtraceError:
            if writer is not None:
                writer.close()
            discard_attempt(spec.store, path)
            raise
        self.root = self.recorder.start(
            f"cell {spec.agent.name} {spec.task.id}",
            sc.SpanKind.CELL,
            parent=None,
            attributes=attrs.cell_attributes(spec, cell, attempt),
            start_ns=self.clock.wall_ns,
        )
        self.writer.update(trace_id=f"{self.root.get_span_context().trace_id:032x}")

    def listen(self, *, known: bool = True) -> LaunchContext:
        """Starts what the agent can reach, and hands back how. A program that is not `known` is told of nothing."""
        spec, facts = self.spec, self.facts
        base_url = ""
        if known and spec.endpoint and spec.agent.capabilities.uses_model:
            self.proxy = ModelProxy(
                spec.endpoint,
                spec.api_key or None,
                self.token,
                self.sink,
                listen_host=facts.listen_host,
                extra_hosts=(facts.reach_host,),
                limits=spec.limits,
            )
            self.proxy.start()
            base_url = self.proxy.base_url(facts.reach_host)
        self.container_id = self.recorder.ids.reserve()  # the agent is told of the span that it will run in
        if known and spec.agent.capabilities.telemetry:
            trace_id = self.writer.header.trace_id
            self.telemetry = AgentTelemetry(self.recorder, trace_id, self.container_id, self.token, facts.listen_host)
            self.telemetry.start()
        context = launch_context(spec, facts.paths, base_url, self.token)
        return joined(context, self.telemetry, facts.reach_host, self.identity)

    @contextmanager
    def adapter_run(self, extra_args: tuple[str, ...], **attributes: Any) -> Iterator[Span]:
        """The span around the agent, with `applied_plugins` in it; `extra_args` without secrets."""
        name = f"{self.spec.agent.name}:{self.spec.task.id}"
        adapter = self.recorder.start(name, sc.SpanKind.ADAPTER_RUN, parent=self.root, attributes=attributes)
        with self.recorder.ending(adapter):
            plugins = attrs.plugin_attributes(self.spec, self.applied, extra_args)
            with self.recorder.span("applied_plugins", sc.SpanKind.TOOL_CALL, parent=adapter, attributes=plugins):
                pass
            yield adapter

    @contextmanager
    def launched(
        self, adapter: Span, columns: int, rows: int, *, environment: Mapping[str, str] | None = None, timed: bool = True
    ) -> Iterator[Launched]:
        """The span around the agent's program, its terminal and its model calls; all of it is closed at the end."""
        attributes = attrs.container_attributes(self.spec, self.facts, self.argv)
        if not timed:
            del attributes[sc.TIMEOUT_S]
        name = f"{self.spec.agent.name}:launch"
        span = self.recorder.start(name, sc.SpanKind.CONTAINER, parent=adapter, attributes=attributes, span_id=self.container_id)
        with self.recorder.ending(span) as failure:
            self.calls = CallRecorder(self.recorder, span, adapter, bodies=self.spec.bodies)
            self.sink.target = self.calls
            terminal = TerminalRecorder(self.writer, self.redactor, self.spec.limits)
            started_ns = self.clock.now_ns()
            title = self.redactor.text(self.spec.task.id)
            shown = {key: self.redactor.text(value) for key, value in (environment or {}).items() if value}
            terminal.start(CastHeader(columns, rows, started_ns // 1_000_000_000, " ".join(self.argv), title, shown), started_ns)
            program = Launched(span, self.calls, terminal, started_ns)
            try:
                yield program
            finally:
                terminal.close(self.clock.now_ns())
                self.stop_listening(_GRACE_S)
                self.calls.close()
                if self.telemetry:
                    span.set_attributes(self.telemetry.attributes())
            self.completeness = replace(self.completeness, terminal_cut_bytes=terminal.cut_bytes)
            self.problems += [terminal.warning] if terminal.warning else []
            if program.ending is not None:
                failure |= attrs.end_container(span, program.ending, (self.clock.now_ns() - started_ns) / 1e9)

    def stop_listening(self, grace_s: float) -> None:
        """Proxy and receiver, which take what is on its way for `grace_s` at most. Safe to call twice."""
        if self.proxy:
            self.proxy.stop(grace_s)
        if self.telemetry:
            self.telemetry.stop(grace_s)

    def finish_trace(self, *, harvested: bool = True) -> None:
        """Keeps the agent's transcript, and makes one trace of its spans and ours."""
        if harvested:
            box = (self.spec.agent, self.sandbox, self.facts.paths, self.scratch)
            self.transcript = harvest(*box, self.writer, self.redactor, self.spec.limits)
            self.problems += self.transcript.problems
            self.root.set_attributes(transcript_totals(self.transcript, self.calls))
        self.problems += finish_trace(self.recorder, self.transcript).notes

    def cleanup(self) -> None:
        """Removes the box and all that stands beside it; never raises."""
        span = self.recorder.start(f"cleanup:{self.spec.agent.name}", sc.SpanKind.CLEANUP, parent=self.root)
        removed: list[str] = []
        failed = ""
        try:
            self.stop_listening(0)
            self.problems += [f"{path} was not copied: {reason}" for path, reason in self.sandbox.skipped[:_SKIPPED_SHOWN]]
            removed = self.sandbox.close()
        except Exception as error:  # noqa: BLE001 - what could not be removed is said, and the run is closed all the same
            failed = type(error).__name__
            self.problems.append(f"Not everything could be removed ({error}); `cabtrace gc` removes the rest.")
        release_scratch(self.scratch)
        span.set_attribute(sc.REMOVED, [self.redactor.text(name) for name in removed])
        self.recorder.end(span, error=failed)

    def ended(self, ended_ns: int) -> None:
        """The run's end and duration; what comes later is ours and does not count."""
        self.writer.update(ended_at=iso_utc(ended_ns), duration_s=(ended_ns - self.clock.wall_ns) / 1e9)

    def close(
        self, verdict: Verdict | None, cause: Cause | None, detail: str, *, error: str, message: str, **outcome: Any
    ) -> RunHeader:
        """Ends the root span with `error` and `message`, and the record with the rest; the header as it is then."""
        self.recorder.end(self.root, error=error, message=message)
        if not self.recorder.close():
            self.problems.append("Live export did not end in time; the collector may miss spans, the store has them all.")
        header, now_ns = self.writer.header, self.clock.now_ns()
        self.writer.close(
            status="finished",
            ended_at=header.ended_at or iso_utc(now_ns),
            duration_s=header.duration_s if header.duration_s is not None else (now_ns - self.clock.wall_ns) / 1e9,
            verdict=verdict,
            cause=cause,
            cause_detail=detail,
            completeness=self.recorder.completeness(self.completeness),
            redactions=dict(self.redactor.counts),
            warnings=(*header.warnings, *map(self.redactor.text, self.problems)),
            **outcome,
        )
        return self.writer.header
