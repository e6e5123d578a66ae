"""`cabtrace record`: what a cell records, around a program that the user runs and uses in the user's own terminal.

Nothing is staged, tested or scored, and keys are not recorded. The spans are a cell's, without verifier and scores.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cabtrace.agents.plugins import apply_plugins
from cabtrace.errors import AgentNotFoundError, CabtraceError
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId, new_run_id
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.model.run import Completeness
from cabtrace.otel.recorder import Recorder
from cabtrace.runner import attributes as attrs
from cabtrace.runner.agent_version import version_warning
from cabtrace.runner.calls import CallRecorder, LateSink, call_completeness
from cabtrace.runner.harvest import harvest
from cabtrace.runner.header import first_header
from cabtrace.runner.leftovers import claim_scratch, release_scratch
from cabtrace.runner.passthrough.child import Child
from cabtrace.runner.passthrough.host import HostTerminal
from cabtrace.runner.passthrough.relay import Passed, Relay
from cabtrace.runner.passthrough.signals import NotedSignals
from cabtrace.runner.proxy.proxy import ModelProxy
from cabtrace.runner.pty import Ending
from cabtrace.runner.record_agent import environment, version_of
from cabtrace.runner.record_spec import Recorded, RecordSpec, as_cell
from cabtrace.runner.record_workspace import take_baseline
from cabtrace.runner.sandbox.local import LocalSandbox
from cabtrace.runner.sandbox.owner import OWNER_VARIABLE, RUN_VARIABLE, current_owner
from cabtrace.runner.secrets import make_redactor, new_token
from cabtrace.runner.stage import launch_context, stage_home
from cabtrace.runner.telemetry import AgentTelemetry, finish_trace, joined
from cabtrace.runner.terminal import TerminalRecorder
from cabtrace.runner.verify import keep_changes
from cabtrace.store.cast import CastHeader
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt, discard_attempt

if TYPE_CHECKING:
    from opentelemetry.trace import Span

LEFT_OPEN = "recorded in the user's own terminal: the program ran as the user, with the user's files and network"
_PROXY_GRACE_S = 2.0
_FAILED_EXIT = 255


def record(spec: RecordSpec, host: HostTerminal | None = None) -> Recorded:
    """Runs the program to its end; main thread only. Raises CabtraceError while nothing of the recording exists yet."""
    with NotedSignals() as signals:
        return _Recording(spec, host or HostTerminal(), signals).run()


class _Recording:
    def __init__(self, spec: RecordSpec, host: HostTerminal, signals: NotedSignals) -> None:
        self.spec, self.host, self.signals = spec, host, signals
        self.cell_spec = as_cell(spec)
        self.agent = self.cell_spec.agent
        self.run_id, self.token = new_run_id(), new_token()
        self.clock = RunClock.start()
        self.sink = LateSink()
        self.calls: CallRecorder | None = None
        self.proxy: ModelProxy | None = None
        self.telemetry: AgentTelemetry | None = None
        self.container_id = ""
        self.completeness = Completeness()
        self.problems: list[str] = []

    def run(self) -> Recorded:
        """All of it."""
        self.program = _find(self.spec.argv)
        self.scratch = claim_scratch(self.spec.scratch, self.run_id)
        self.sandbox = LocalSandbox(self.scratch / "box", env_marker=self.run_id, limits=self.spec.limits, left_open=LEFT_OPEN)
        try:
            facts = self.sandbox.open()
            paths = dataclasses.replace(facts.paths, workdir=str(self.spec.cwd))
            self.facts = dataclasses.replace(facts, paths=paths)
            self._open_record()
        except BaseException:  # nothing of the recording exists yet, so nothing of it may stay
            self.sandbox.close()
            release_scratch(self.scratch)
            raise
        passed, failure = None, ""
        try:
            passed = self._stages()
        except Exception as error:  # noqa: BLE001 - whatever it was, the record is closed and says so
            failure = str(error) if isinstance(error, CabtraceError) else f"{type(error).__name__}: {error}"
        finally:
            self.signals.finishing = True
            self._cleanup()
        return self._close(passed, failure)

    def _open_record(self) -> None:
        spec = self.cell_spec
        self.redactor = make_redactor(spec, self.token, self.scratch)
        clean = self.redactor.text
        cell = CellId(clean(spec.sweep), clean(self.agent.name), clean(spec.model), clean(spec.task.id))
        path, attempt = allocate_attempt(spec.store, cell)
        header = first_header(spec, self.facts, cell, attempt, self.run_id, self.clock, self.redactor)
        self.identity = {sc.RUN_ID: self.run_id, sc.CELL_ID: str(cell)}
        writer = None
        try:
            header = header.model_copy(update={"timeout_s": None})
            self.writer = writer = RunWriter(path, header, files=spec.files)
            self.recorder = Recorder(writer, self.redactor, self.clock, self.identity, spec.limits)
        except CabtraceError:
            if writer is not None:
                writer.close()
            discard_attempt(spec.store, path)
            raise
        self.root = self.recorder.start(
            f"cell {self.agent.name} {spec.task.id}",
            sc.SpanKind.CELL,
            parent=None,
            attributes=attrs.cell_attributes(spec, cell, attempt),
            start_ns=self.clock.wall_ns,
        )
        self.writer.update(trace_id=f"{self.root.get_span_context().trace_id:032x}")

    def _stages(self) -> Passed:
        attributes = {sc.WORKDIR: str(self.spec.cwd), sc.TASK_CATEGORY: "interactive", sc.PLUGIN_STACK: []}
        name = f"prepare:{self.cell_spec.task.id}"
        with self.recorder.span(name, sc.SpanKind.TASK_SETUP, parent=self.root, attributes=attributes) as setup:
            self.baseline, why_not = take_baseline(self.spec.cwd, self.scratch / "git", self.spec.limits)
            self.problems += [why_not] if why_not else []
            self._launch()
            setup.set_attribute(sc.BEHAVIOR_MODE, self.applied.behavior_mode)
        try:
            adapter = self.recorder.start(
                f"{self.agent.name}:{self.cell_spec.task.id}", sc.SpanKind.ADAPTER_RUN, parent=self.root
            )
            with self.recorder.ending(adapter):
                plugins = attrs.plugin_attributes(self.cell_spec, self.applied, ())
                with self.recorder.span("applied_plugins", sc.SpanKind.TOOL_CALL, parent=adapter, attributes=plugins):
                    pass
                passed = self._container(adapter)
                if passed.exit_code is not None:
                    adapter.set_attribute(sc.EXIT_CODE, passed.exit_code)
        finally:
            self.signals.finishing = True
            self.ended_ns = self.clock.now_ns()
            self.writer.update(ended_at=iso_utc(self.ended_ns), duration_s=(self.ended_ns - self.clock.wall_ns) / 1e9)
            self._finish_trace()
            if self.baseline is not None:
                changes = self.baseline.diff(self.spec.cwd)
                keep_changes(changes, self.writer, self.redactor)
                self.completeness = self.completeness.model_copy(update={"patch_cut": changes.cut})
        return passed

    def _launch(self) -> None:
        spec, facts, known = self.cell_spec, self.facts, self.spec.agent is not None
        base_url = ""
        if known and spec.endpoint and self.agent.capabilities.uses_model:
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
        self.container_id = self.recorder.ids.reserve()
        if known and self.agent.capabilities.telemetry:
            trace_id = self.writer.header.trace_id
            self.telemetry = AgentTelemetry(self.recorder, trace_id, self.container_id, self.token, facts.listen_host)
            self.telemetry.start()
        context = joined(launch_context(spec, facts.paths, base_url, self.token), self.telemetry, facts.reach_host, self.identity)
        self.applied = apply_plugins(self.agent, context, ())
        launch = self.applied.launch
        # An agent's own command line is for runs without a user; only `command` fills in what the user wrote.
        argv = launch.argv if self.agent.name == "command" else self.spec.argv
        by_hand: Mapping[str, bytes] = getattr(self.agent, "interactive_files", lambda _: {})(context)
        launch = dataclasses.replace(launch, argv=argv, files={**launch.files, **by_hand} if known else {})
        self.applied = dataclasses.replace(self.applied, launch=launch)
        self.argv = self.redactor.argv(argv)
        info = attrs.agent_info(spec, self.applied, self.argv)
        self.env = dict(os.environ)
        if known:
            stage_home(self.sandbox, launch, facts.paths, self.scratch)
            self.env = environment(self.agent, launch, facts.paths.home, spec.api_key)
            # Its home goes with the recording; so does what it leaves running there, as Codex does.
            self.env |= {RUN_VARIABLE: self.run_id, OWNER_VARIABLE: str(current_owner())}
            info = info.model_copy(update={"version": version_of(self.agent, self.env, self.spec.cwd)})
            self.problems += [warning] if (warning := version_warning(self.agent, info.version)) else []
        self.writer.update(agent=info)

    def _container(self, adapter: Span) -> Passed:
        spec = self.cell_spec
        attributes = {k: v for k, v in attrs.container_attributes(spec, self.facts, self.argv).items() if k != sc.TIMEOUT_S}
        name = f"{self.agent.name}:launch"
        span = self.recorder.start(name, sc.SpanKind.CONTAINER, parent=adapter, attributes=attributes, span_id=self.container_id)
        with self.recorder.ending(span) as failure:
            self.calls = CallRecorder(self.recorder, span, adapter, bodies=spec.bodies)
            self.sink.target = self.calls
            terminal = TerminalRecorder(self.writer, self.redactor, spec.limits)
            columns, rows = self.host.size()
            started_ns = self.clock.now_ns()
            shown = {"TERM": os.environ.get("TERM", ""), "SHELL": os.environ.get("SHELL", "")}
            shown = {key: self.redactor.text(value) for key, value in shown.items() if value}
            title = self.redactor.text(spec.task.id)
            header = CastHeader(columns, rows, started_ns // 1_000_000_000, " ".join(self.argv), title, shown)
            terminal.start(header, started_ns)
            try:
                passed = self._relay(span, terminal, (columns, rows))
            finally:
                terminal.close(self.clock.now_ns())
                self._stop_listening(_PROXY_GRACE_S)
                self.calls.close()
                if self.telemetry:
                    span.set_attributes(self.telemetry.attributes())
            self.completeness = self.completeness.model_copy(update={"terminal_cut_bytes": terminal.cut_bytes})
            ending = Ending(passed.exit_code, cancelled=bool(passed.ended_by), killed=passed.killed)
            failure |= attrs.end_container(span, ending, (self.clock.now_ns() - started_ns) / 1e9)
        return passed

    def _relay(self, span: Span, terminal: TerminalRecorder, size: tuple[int, int]) -> Passed:
        child = Child(self.program, self.applied.launch.argv, self.env, size, self.host.settings)
        try:
            span.set_attribute("process.pid", child.pid)
            relay = Relay(
                child,
                self.host,
                self.signals,
                size,
                on_output=terminal.output,
                on_resize=terminal.resize,
                now_ns=self.clock.now_ns,
            )
            return relay.run()
        finally:
            child.close()

    def _stop_listening(self, grace_s: float) -> None:
        if self.proxy:
            self.proxy.stop(grace_s)
        if self.telemetry:
            self.telemetry.stop(grace_s)

    def _finish_trace(self) -> None:
        transcript = None
        if self.spec.agent is not None:
            box = (self.agent, self.sandbox, self.facts.paths, self.scratch)
            transcript = harvest(*box, self.writer, self.redactor, self.spec.limits)
            self.problems += transcript.problems
        self.problems += finish_trace(self.recorder, transcript).notes
        if self.calls and self.proxy:
            self.completeness = self.completeness.model_copy(update=call_completeness(self.calls))

    def _cleanup(self) -> None:
        span = self.recorder.start(f"cleanup:{self.agent.name}", sc.SpanKind.CLEANUP, parent=self.root)
        removed: list[str] = []
        failed = ""
        try:
            self._stop_listening(0)
            removed = self.sandbox.close()
        except Exception as error:  # noqa: BLE001 - what could not be removed is said, and the run is closed all the same
            failed = type(error).__name__
            self.problems.append(f"Not everything could be removed ({error}); `cabtrace gc` removes the rest.")
        release_scratch(self.scratch)
        span.set_attribute(sc.REMOVED, [self.redactor.text(name) for name in removed])
        self.recorder.end(span, error=failed)

    def _close(self, passed: Passed | None, failure: str) -> Recorded:
        code = passed.exit_code if passed else None
        detail = self.redactor.text(failure)
        if passed and passed.ended_by:
            self.problems.append(f"The recording was ended by {passed.ended_by}.")
        self.recorder.end(self.root, error=Cause.HARNESS_FAILED.value if passed is None else "", message=detail)
        if not self.recorder.close():
            self.problems.append("Live export did not end in time; the collector may miss spans, the store has them all.")
        header, now_ns = self.writer.header, self.clock.now_ns()
        self.writer.close(
            status="finished",
            ended_at=header.ended_at or iso_utc(now_ns),
            duration_s=header.duration_s if header.duration_s is not None else (now_ns - self.clock.wall_ns) / 1e9,
            verdict=Verdict.ERROR if passed is None else None,
            cause=Cause.HARNESS_FAILED if passed is None else None,
            cause_detail=detail,
            exit_code=code,
            completeness=self.recorder.completeness(self.completeness),
            redactions=dict(self.redactor.counts),
            warnings=(*header.warnings, *map(self.redactor.text, self.problems)),
        )
        return Recorded(self.writer.path, self.writer.header, _FAILED_EXIT if code is None else code)


def _find(argv: tuple[str, ...]) -> str:
    found = shutil.which(argv[0])
    if found is None:
        where = "is no program that can be run" if "/" in argv[0] else "is not on PATH"
        raise AgentNotFoundError(f"{argv[0]!r} {where}.", hint="What stands after -- is the program with its arguments.")
    return found
