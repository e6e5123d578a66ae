"""One cell, from its task to its score: task_setup, adapter_run (applied_plugins, container), scoring, cleanup."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import TYPE_CHECKING

from cabtrace.agents.plugins import apply_plugins
from cabtrace.errors import AgentNotFoundError, CabtraceError, SandboxError
from cabtrace.model import semconv as sc
from cabtrace.model.outcome import ENDINGS, Cause, Verdict
from cabtrace.protocols import Command
from cabtrace.runner import attributes as attrs
from cabtrace.runner.agent_version import learn_version
from cabtrace.runner.boxes import make_sandbox
from cabtrace.runner.calls import call_completeness, silence
from cabtrace.runner.open_run import OpenRun
from cabtrace.runner.pty import pump
from cabtrace.runner.reporting import reporting
from cabtrace.runner.scores import score
from cabtrace.runner.spec import RECORDING, Cancel, CellResult, CellSpec, Progress, Quiet
from cabtrace.runner.stage import stage_home, stage_workspace
from cabtrace.runner.verdict import Seen, decide
from cabtrace.runner.verify import collect_changes, run_verifier
from cabtrace.runner.workspace import Baseline

if TYPE_CHECKING:
    from opentelemetry.trace import Span


def run_cell(spec: CellSpec, progress: Progress | None = None, cancel: Cancel | None = None) -> CellResult:
    """Runs one cell. Raises CabtraceError while nothing of it exists yet; after that every ending is a recorded cause."""
    return Cell(spec, progress or Quiet(), cancel or Cancel()).run()


class Cell(OpenRun):
    """The state of one run; `run` is the state machine."""

    def __init__(self, spec: CellSpec, progress: Progress, cancel: Cancel) -> None:
        super().__init__(spec)
        self.progress, self.cancel = progress, cancel
        self.seen = Seen(agent_exit_code=None, expected_refusal=spec.task.expected_refusal)

    def run(self) -> CellResult:
        """All of it."""
        spec = self.spec
        self.progress.phase("task_setup", f"sandbox {spec.sandbox}")
        self.begin(lambda folder: make_sandbox(spec, self.run_id, folder))
        self.progress.phase(RECORDING, str(self.writer.path))
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
            self.progress.phase("cleanup")
            self.cleanup()
        return self._close(cause, detail)

    def _stages(self) -> tuple[Cause, str]:
        self._setup()
        try:
            self._adapter_run()
        finally:
            ended_ns = self.clock.now_ns()
            self.finish_trace()
        self.ended(ended_ns)
        if not self.cancel.event.is_set():
            self._verify()
        self._score()
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
            self._launch()
            setup.set_attribute(sc.BEHAVIOR_MODE, self.applied.behavior_mode)
            stage_home(self.sandbox, self.applied.launch, paths, self.scratch)
            box = (spec.agent, self.sandbox, paths, self.applied.launch.env)
            self.problems += learn_version(*box, self.clock.now_ns, self.cancel.event, self.writer)
            if spec.agent.name == "oracle" and spec.task.solution_dir is not None:
                self.sandbox.put(spec.task.solution_dir, paths.solution)

    def _launch(self) -> None:
        self.applied = apply_plugins(self.spec.agent, self.listen(), self.spec.plugins)
        self.argv = self.redactor.argv(self.applied.launch.argv)
        self.writer.update(agent=attrs.agent_info(self.spec, self.applied, self.argv))

    def _adapter_run(self) -> None:
        spec = self.spec
        attributes = {sc.TIMEOUT_S: spec.time_limit_s, sc.PLUGIN_STACK: [p.name for p in spec.plugins]}
        with self.adapter_run(self.redactor.argv(spec.agent_argv), **attributes) as adapter:
            self._container(adapter)
            if self.seen.agent_exit_code is not None:
                adapter.set_attribute(sc.EXIT_CODE, self.seen.agent_exit_code)

    def _container(self, adapter: Span) -> None:
        spec, launch = self.spec, self.applied.launch
        self.progress.phase("adapter_run", spec.agent.name)
        with self.launched(adapter, spec.columns, spec.rows) as program:
            environment = {**dict(spec.task.environment.env), **launch.env}
            process = self.sandbox.start(Command(launch.argv, environment, self.facts.paths.workdir, spec.columns, spec.rows))
            program.span.set_attributes(dict(process.attributes))
            try:
                with reporting(self.progress, program.calls, program.terminal):
                    program.ending = ending = pump(
                        process,
                        on_output=program.terminal.output,
                        now_ns=self.clock.now_ns,
                        deadline_ns=program.started_ns + int(spec.time_limit_s * 1e9),
                        grace_s=spec.grace_s,
                        cancelled=self.cancel.event,
                    )
            finally:
                process.close()
                program.span.set_attributes(dict(process.attributes))  # what is known at the end only: out of memory
        self.seen = dataclasses.replace(
            self.seen, agent_exit_code=ending.exit_code, timed_out=ending.timed_out, cancelled=ending.cancelled
        )

    def _verify(self) -> None:
        spec = self.spec
        self.progress.phase("scoring", "running the task's tests")
        attributes = {sc.TIMEOUT_S: spec.task.verifier_timeout_s}
        span = self.recorder.start(f"verify:{spec.task.id}", sc.SpanKind.VERIFIER, parent=self.root, attributes=attributes)
        with self.recorder.ending(span) as failure:
            box = (spec, self.sandbox, self.facts.paths, self.scratch)
            changes = collect_changes(*box, self.baseline, self.writer, self.redactor)
            self.completeness = replace(self.completeness, patch_cut=changes.cut)
            record = run_verifier(*box, self.writer, self.redactor, self.clock.now_ns, self.cancel.event)
            span.set_attributes(
                {k: v for k, v in ((sc.EXIT_CODE, record["exit_code"]), (sc.TIMED_OUT, record["timed_out"])) if v is not None}
            )
            if record["passed"] is False:
                failure.update(error=Cause.TESTS_FAILED.value, message=ENDINGS[Cause.TESTS_FAILED].meaning)
            elif record["passed"] is None:
                failure.update(error=Cause.VERIFIER_FAILED.value, message=record["problem"] or "")
        self.writer.update(verifier_exit_code=record["exit_code"])
        self.seen = dataclasses.replace(
            self.seen,
            verified=record["passed"],
            verifier_problem=record["problem"] or "",
            cancelled=self.seen.cancelled or self.cancel.event.is_set(),  # tests that were stopped have said nothing
        )

    def _score(self) -> None:
        self.progress.phase("scoring", "axes")
        if self.calls:
            calls = self.calls
            self.seen = dataclasses.replace(
                self.seen,
                calls=calls.count,
                answered_calls=calls.answered,
                failed_calls=calls.failed,
                last_call_error=calls.last_error,
                silence=silence(calls) if self.proxy else "",
            )
            self.problems += [self.seen.silence] if self.seen.silence else []
            self.completeness = replace(self.completeness, **call_completeness(calls))
        self.writer.update(completeness=self.completeness, exit_code=self.seen.agent_exit_code, timed_out=self.seen.timed_out)
        score(self.recorder, self.root, self._verdict)

    def _verdict(self, refused: bool) -> Verdict:
        self.seen = dataclasses.replace(self.seen, refused=refused)
        return ENDINGS[decide(self.seen)[0]].verdict

    def _close(self, cause: Cause, detail: str) -> CellResult:
        ending, passed = ENDINGS[cause], cause is Cause.PASSED
        detail = self.redactor.text(detail)
        self.root.set_attributes({sc.VERDICT: ending.verdict.value, sc.CAUSE: cause.value})
        self.root.set_attribute(sc.TEST_CASE_STATUS, "pass" if passed else "fail")
        header = self.close(
            ending.verdict,
            cause,
            detail,
            error="" if passed else cause.value,
            message="" if passed else detail or ending.meaning,
            exit_code=self.seen.agent_exit_code,
            timed_out=self.seen.timed_out,
        )
        return CellResult(self.writer.path, header, ending.verdict, cause, detail, header.completeness.lost.total)
