"""One cell, from its task to its score: task_setup, adapter_run (applied_plugins, container), scoring, cleanup."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from cabtrace.agents.plugins import apply_plugins
from cabtrace.errors import AgentNotFoundError, CabtraceError, SandboxError
from cabtrace.model import semconv as sc
from cabtrace.model.ids import CellId, new_run_id
from cabtrace.model.outcome import ENDINGS, Cause
from cabtrace.model.run import Completeness
from cabtrace.otel.recorder import Recorder
from cabtrace.protocols import Command
from cabtrace.runner import attributes as attrs
from cabtrace.runner.agent_version import learn_version
from cabtrace.runner.boxes import make_sandbox
from cabtrace.runner.calls import CallRecorder, LateSink, call_completeness
from cabtrace.runner.harvest import harvest
from cabtrace.runner.header import first_header
from cabtrace.runner.leftovers import claim_scratch, release_scratch
from cabtrace.runner.proxy.proxy import ModelProxy
from cabtrace.runner.pty import pump
from cabtrace.runner.reporting import reporting
from cabtrace.runner.scores import score
from cabtrace.runner.secrets import make_redactor, new_token
from cabtrace.runner.spec import Cancel, CellResult, CellSpec, Progress, Quiet
from cabtrace.runner.stage import launch_context, stage_home, stage_workspace
from cabtrace.runner.telemetry import AgentTelemetry, finish_trace, joined
from cabtrace.runner.terminal import TerminalRecorder
from cabtrace.runner.verdict import Seen, decide
from cabtrace.runner.verify import collect_changes, run_verifier
from cabtrace.runner.workspace import Baseline
from cabtrace.store.cast import CastHeader
from cabtrace.store.clock import RunClock, iso_utc
from cabtrace.store.writer import RunWriter, allocate_attempt, discard_attempt

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from cabtrace.protocols import Launch, Transcript

_PROXY_GRACE_S = 2.0
_SKIPPED_SHOWN = 20


def run_cell(spec: CellSpec, progress: Progress | None = None, cancel: Cancel | None = None) -> CellResult:
    """Runs one cell. Raises CabtraceError while nothing of it exists yet; after that every ending is a recorded cause."""
    return Cell(spec, progress or Quiet(), cancel or Cancel()).run()


class Cell:
    """The state of one run; `run` is the state machine."""

    def __init__(self, spec: CellSpec, progress: Progress, cancel: Cancel) -> None:
        self.spec, self.progress, self.cancel = spec, progress, cancel
        self.run_id = new_run_id()
        self.token = new_token()
        self.clock = RunClock.start()
        self.seen = Seen(agent_exit_code=None, expected_refusal=spec.task.expected_refusal)
        self.proxy: ModelProxy | None = None
        self.telemetry: AgentTelemetry | None = None
        self.transcript: Transcript | None = None
        self.sink = LateSink()
        self.calls: CallRecorder | None = None
        self.completeness = Completeness()
        self.problems: list[str] = []

    def run(self) -> CellResult:
        """All of it."""
        spec = self.spec
        self.progress.phase("task_setup", f"sandbox {spec.sandbox}")
        self.scratch = claim_scratch(spec.scratch, self.run_id)
        sandbox = None
        try:
            self.sandbox = sandbox = make_sandbox(spec, self.run_id, self.scratch / "box")
            self.facts = sandbox.open()
            self._open_record()
        except BaseException:  # nothing of the run exists yet, so nothing of it may stay
            if sandbox is not None:
                sandbox.close()
            release_scratch(self.scratch)
            raise
        cause, detail = Cause.HARNESS_FAILED, ""
        try:
            cause, detail = self._stages()
        except (SandboxError, AgentNotFoundError) as error:
            cause, detail = Cause.SANDBOX_FAILED, str(error)
        except KeyboardInterrupt:
            cause, detail = Cause.CANCELLED, "interrupted"
        except CabtraceError as error:
            cause, detail = Cause.HARNESS_FAILED, str(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours must end as a recorded cause, not as a lost run
            cause, detail = Cause.HARNESS_FAILED, f"{type(error).__name__}: {error}"
        finally:
            self._cleanup()
        return self._close(cause, detail)

    def _open_record(self) -> None:
        spec, facts = self.spec, self.facts
        self.redactor = make_redactor(spec, self.token, self.scratch)
        clean = self.redactor.text  # its parts become names of folders
        cell = CellId(clean(spec.sweep), spec.agent.name, clean(spec.model or "none"), clean(spec.task.id))
        path, attempt = allocate_attempt(spec.store, cell)
        header = first_header(spec, facts, cell, attempt, self.run_id, self.clock, self.redactor)
        self.identity = {sc.RUN_ID: self.run_id, sc.CELL_ID: str(cell)}
        writer = None
        try:
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

    def _stages(self) -> tuple[Cause, str]:
        self._setup()
        try:
            self._adapter_run()
        finally:
            ended_ns = self.clock.now_ns()
            self._finish_trace()
        self.writer.update(ended_at=iso_utc(ended_ns), duration_s=(ended_ns - self.clock.wall_ns) / 1e9)
        if not self.cancel.event.is_set():
            self._verify()
        refused = self._score()
        self.seen = dataclasses.replace(self.seen, refused=refused)
        cause, detail = decide(self.seen)
        return cause, self.cancel.sentence if cause is Cause.CANCELLED and self.cancel.sentence else detail

    def _setup(self) -> None:
        spec, paths = self.spec, self.facts.paths
        setup = self.recorder.start(
            f"prepare:{spec.task.id}",
            sc.SpanKind.TASK_SETUP,
            parent=self.root,
            start_ns=self.clock.wall_ns,
            attributes={
                sc.WORKDIR: paths.workdir,
                sc.TASK_CATEGORY: spec.task.category,
                sc.PLUGIN_STACK: [plugin.name for plugin in spec.plugins],
            },
        )
        with self.recorder.ending(setup):
            staged = stage_workspace(spec, self.sandbox, paths, self.scratch)
            self.baseline = Baseline.take(staged, self.scratch / "git", ignored=spec.task.ignored, limits=spec.limits)
            self.launch = self._launch()
            setup.set_attribute(sc.BEHAVIOR_MODE, self.applied.behavior_mode)
            stage_home(self.sandbox, self.launch, paths, self.scratch)
            box = (spec.agent, self.sandbox, paths, self.launch.env)
            self.problems += learn_version(*box, self.clock.now_ns, self.cancel.event, self.writer)
            if spec.agent.name == "oracle" and spec.task.solution_dir is not None:
                self.sandbox.put(spec.task.solution_dir, paths.solution)

    def _launch(self) -> Launch:
        spec, facts = self.spec, self.facts
        base_url = ""
        if spec.agent.capabilities.uses_model and spec.endpoint:
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
        if spec.agent.capabilities.telemetry:
            trace_id = self.writer.header.trace_id
            self.telemetry = AgentTelemetry(self.recorder, trace_id, self.container_id, self.token, facts.listen_host)
            self.telemetry.start()
        context = launch_context(spec, facts.paths, base_url, self.token)
        context = joined(context, self.telemetry, facts.reach_host, self.identity)
        self.applied = apply_plugins(spec.agent, context, spec.plugins)
        launch = self.applied.launch
        self.argv = self.redactor.argv(launch.argv)
        self.writer.update(agent=attrs.agent_info(spec, self.applied, self.argv))
        return launch

    def _adapter_run(self) -> None:
        spec = self.spec
        adapter = self.recorder.start(
            f"{spec.agent.name}:{spec.task.id}",
            sc.SpanKind.ADAPTER_RUN,
            parent=self.root,
            attributes={sc.TIMEOUT_S: spec.time_limit_s, sc.PLUGIN_STACK: [p.name for p in spec.plugins]},
        )
        with self.recorder.ending(adapter):
            plugins = attrs.plugin_attributes(spec, self.applied, self.redactor.argv(spec.agent_argv))
            with self.recorder.span("applied_plugins", sc.SpanKind.TOOL_CALL, parent=adapter, attributes=plugins):
                pass
            self._container(adapter)
            if self.seen.agent_exit_code is not None:
                adapter.set_attribute(sc.EXIT_CODE, self.seen.agent_exit_code)

    def _container(self, adapter: Span) -> None:
        spec, facts = self.spec, self.facts
        self.progress.phase("adapter_run", spec.agent.name)
        span = self.recorder.start(
            f"{spec.agent.name}:launch",
            sc.SpanKind.CONTAINER,
            parent=adapter,
            attributes=attrs.container_attributes(spec, facts, self.argv),
            span_id=self.container_id,
        )
        with self.recorder.ending(span) as failure:
            self.calls = CallRecorder(self.recorder, span, adapter, bodies=spec.bodies)
            self.sink.target = self.calls
            terminal = TerminalRecorder(self.writer, self.redactor, spec.limits)
            started_ns = self.clock.now_ns()
            title = self.redactor.text(spec.task.id)
            header = CastHeader(spec.columns, spec.rows, started_ns // 1_000_000_000, " ".join(self.argv), title)
            terminal.start(header, started_ns)
            process = self.sandbox.start(
                Command(
                    self.launch.argv,
                    {**dict(spec.task.environment.env), **self.launch.env},
                    facts.paths.workdir,
                    spec.columns,
                    spec.rows,
                )
            )
            span.set_attributes(dict(process.attributes))
            try:
                with reporting(self.progress, self.calls, terminal):
                    ending = pump(
                        process,
                        on_output=terminal.output,
                        now_ns=self.clock.now_ns,
                        deadline_ns=started_ns + int(spec.time_limit_s * 1e9),
                        grace_s=spec.grace_s,
                        cancelled=self.cancel.event,
                    )
            finally:
                process.close()
                span.set_attributes(dict(process.attributes))  # what is known at the end only: out of memory
                terminal.close(self.clock.now_ns())
                if self.proxy:
                    self.proxy.stop(_PROXY_GRACE_S)
                self.calls.close()
                if self.telemetry:
                    self.telemetry.stop()
                    span.set_attributes(self.telemetry.attributes())
            self.completeness = self.completeness.model_copy(update={"terminal_cut_bytes": terminal.cut_bytes})
            failure |= attrs.end_container(span, ending, (self.clock.now_ns() - started_ns) / 1e9)
            self.seen = dataclasses.replace(
                self.seen, agent_exit_code=ending.exit_code, timed_out=ending.timed_out, cancelled=ending.cancelled
            )

    def _finish_trace(self) -> None:
        box = (self.spec.agent, self.sandbox, self.facts.paths, self.scratch)
        self.transcript = harvest(*box, self.writer, self.redactor, self.spec.limits)
        self.problems += self.transcript.problems
        self.problems += finish_trace(self.recorder, self.transcript).notes

    def _verify(self) -> None:
        spec = self.spec
        self.progress.phase("scoring", "running the task's tests")
        attributes = {sc.TIMEOUT_S: spec.task.verifier_timeout_s}
        span = self.recorder.start(f"verify:{spec.task.id}", sc.SpanKind.VERIFIER, parent=self.root, attributes=attributes)
        with self.recorder.ending(span):
            box = (spec, self.sandbox, self.facts.paths, self.scratch)
            changes = collect_changes(*box, self.baseline, self.writer, self.redactor)
            self.completeness = self.completeness.model_copy(update={"patch_cut": changes.cut})
            record = run_verifier(*box, self.writer, self.redactor, self.clock.now_ns, self.cancel.event)
            span.set_attributes(
                {k: v for k, v in ((sc.EXIT_CODE, record["exit_code"]), (sc.TIMED_OUT, record["timed_out"])) if v is not None}
            )
        self.writer.update(verifier_exit_code=record["exit_code"])
        self.seen = dataclasses.replace(
            self.seen,
            verified=record["passed"],
            verifier_problem=record["problem"] or "",
            cancelled=self.seen.cancelled or self.cancel.event.is_set(),  # tests that were stopped have said nothing
        )

    def _score(self) -> bool:
        self.progress.phase("scoring", "axes")
        if self.calls:
            calls = self.calls
            self.seen = dataclasses.replace(
                self.seen, calls=calls.count, answered_calls=calls.answered, last_call_error=calls.last_error
            )
            self.completeness = self.completeness.model_copy(update=call_completeness(calls))
        self.writer.update(completeness=self.completeness, exit_code=self.seen.agent_exit_code, timed_out=self.seen.timed_out)
        return score(self.recorder, self.root)["refusal"].values.get("refusal_produced") is True

    def _cleanup(self) -> None:
        self.progress.phase("cleanup")
        span = self.recorder.start(f"cleanup:{self.spec.agent.name}", sc.SpanKind.CLEANUP, parent=self.root)
        removed: list[str] = []
        failed = ""
        try:
            if self.proxy:
                self.proxy.stop(0)
            if self.telemetry:
                self.telemetry.stop(0)
            self.problems += [f"{path} was not copied: {reason}" for path, reason in self.sandbox.skipped[:_SKIPPED_SHOWN]]
            removed = self.sandbox.close()
        except Exception as error:  # noqa: BLE001 - what could not be removed is said, and the run is closed all the same
            failed = type(error).__name__
            self.problems.append(f"Not everything could be removed ({error}); `cabtrace gc` removes the rest.")
        release_scratch(self.scratch)
        span.set_attribute(sc.REMOVED, [self.redactor.text(r) for r in removed])
        self.recorder.end(span, error=failed)

    def _close(self, cause: Cause, detail: str) -> CellResult:
        ending = ENDINGS[cause]
        detail = self.redactor.text(detail)
        self.root.set_attributes({sc.VERDICT: ending.verdict.value, sc.CAUSE: cause.value})
        self.root.set_attribute(sc.TEST_CASE_STATUS, "pass" if cause is Cause.PASSED else "fail")
        passed = cause is Cause.PASSED
        self.recorder.end(self.root, error="" if passed else cause.value, message="" if passed else detail or ending.meaning)
        if not self.recorder.close():
            self.problems.append("Live export did not end in time; the collector may miss spans, the store has them all.")
        now_ns = self.clock.now_ns()
        header = self.writer.header
        self.writer.close(
            status="finished",
            ended_at=header.ended_at or iso_utc(now_ns),
            duration_s=header.duration_s if header.duration_s is not None else (now_ns - self.clock.wall_ns) / 1e9,
            verdict=ending.verdict,
            cause=cause,
            cause_detail=detail,
            exit_code=self.seen.agent_exit_code,
            timed_out=self.seen.timed_out,
            completeness=self.recorder.completeness(self.completeness),
            redactions=dict(self.redactor.counts),
            warnings=(*header.warnings, *map(self.redactor.text, self.problems)),
        )
        header = self.writer.header
        return CellResult(self.writer.path, header, ending.verdict, cause, detail, header.completeness.lost.total)
