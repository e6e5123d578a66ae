"""`cabtrace record`: what a cell records, around a program that the user runs and uses in the user's own terminal.

Nothing is staged, tested or scored, and keys are not recorded. The spans are a cell's, without verifier and scores.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from cabtrace.agents.plugins import apply_plugins
from cabtrace.errors import AgentNotFoundError, CabtraceError
from cabtrace.model import semconv as sc
from cabtrace.model.outcome import Cause, Verdict
from cabtrace.runner import attributes as attrs
from cabtrace.runner.agent_version import version_warning
from cabtrace.runner.calls import call_completeness
from cabtrace.runner.open_run import Launched, OpenRun
from cabtrace.runner.passthrough.child import Child
from cabtrace.runner.passthrough.host import HostTerminal
from cabtrace.runner.passthrough.relay import Passed, Relay
from cabtrace.runner.passthrough.signals import NotedSignals
from cabtrace.runner.pty import Ending
from cabtrace.runner.record_agent import environment, version_of
from cabtrace.runner.record_spec import Recorded, RecordSpec, as_cell
from cabtrace.runner.record_workspace import take_baseline
from cabtrace.runner.sandbox.local import LocalSandbox
from cabtrace.runner.sandbox.owner import OWNER_VARIABLE, RUN_VARIABLE, current_owner
from cabtrace.runner.stage import stage_home
from cabtrace.runner.verify import keep_changes

if TYPE_CHECKING:
    from opentelemetry.trace import Span

LEFT_OPEN = "recorded in the user's own terminal: the program ran as the user, with the user's files and network"
_FAILED_EXIT = 255


def record(spec: RecordSpec, host: HostTerminal | None = None) -> Recorded:
    """Runs the program to its end; main thread only. Raises CabtraceError while nothing of the recording exists yet."""
    with NotedSignals() as signals:
        return _Recording(spec, host or HostTerminal(), signals).run()


class _Recording(OpenRun):
    def __init__(self, asked: RecordSpec, host: HostTerminal, signals: NotedSignals) -> None:
        super().__init__(as_cell(asked))
        self.asked, self.host, self.signals = asked, host, signals
        self.agent, self.known = self.spec.agent, asked.agent is not None

    def run(self) -> Recorded:
        """All of it."""
        self.program = _find(self.asked.argv)
        box = partial(LocalSandbox, env_marker=self.run_id, limits=self.spec.limits, left_open=LEFT_OPEN)
        self.begin(box, workdir=str(self.asked.cwd), timeout_s=None)
        passed, failure = None, ""
        try:
            passed = self._stages()
        except Exception as error:  # noqa: BLE001 - whatever it was, the record is closed and says so
            failure = str(error) if isinstance(error, CabtraceError) else f"{type(error).__name__}: {error}"
        finally:
            self.signals.finishing = True
            self.cleanup()
        return self._close(passed, failure)

    def _stages(self) -> Passed:
        attributes = {sc.WORKDIR: str(self.asked.cwd), sc.TASK_CATEGORY: "interactive", sc.PLUGIN_STACK: []}
        name = f"prepare:{self.spec.task.id}"
        with self.recorder.span(name, sc.SpanKind.TASK_SETUP, parent=self.root, attributes=attributes) as setup:
            self.baseline, why_not = take_baseline(self.asked.cwd, self.scratch / "git", self.spec.limits)
            self.problems += [why_not] if why_not else []
            self._launch()
            setup.set_attribute(sc.BEHAVIOR_MODE, self.applied.behavior_mode)
        try:
            with self.adapter_run(()) as adapter:
                passed = self._container(adapter)
                if passed.exit_code is not None:
                    adapter.set_attribute(sc.EXIT_CODE, passed.exit_code)
        finally:
            self.signals.finishing = True
            self.ended(self.clock.now_ns())
            self.finish_trace(harvested=self.known)
            if self.calls and self.proxy:
                self.completeness = replace(self.completeness, **call_completeness(self.calls))
            if self.baseline is not None:
                changes = self.baseline.diff(self.asked.cwd)
                keep_changes(changes, self.writer, self.redactor)
                self.completeness = replace(self.completeness, patch_cut=changes.cut)
        return passed

    def _launch(self) -> None:
        spec, known = self.spec, self.known
        context = self.listen(known=known)
        self.applied = apply_plugins(self.agent, context, ())
        launch = self.applied.launch
        # An agent's own command line is for runs without a user; only `command` fills in what the user wrote.
        argv = launch.argv if self.agent.name == "command" else self.asked.argv
        by_hand: Mapping[str, bytes] = getattr(self.agent, "interactive_files", lambda _: {})(context)
        launch = dataclasses.replace(launch, argv=argv, files={**launch.files, **by_hand} if known else {})
        self.applied = dataclasses.replace(self.applied, launch=launch)
        self.argv = self.redactor.argv(argv)
        info = attrs.agent_info(spec, self.applied, self.argv)
        self.env = dict(os.environ)
        if known:
            stage_home(self.sandbox, launch, self.facts.paths, self.scratch)
            self.env = environment(self.agent, launch, self.facts.paths.home, spec.api_key)
            # Its home goes with the recording; so does what it leaves running there, as Codex does.
            self.env |= {RUN_VARIABLE: self.run_id, OWNER_VARIABLE: str(current_owner())}
            info = replace(info, version=version_of(self.agent, self.env, self.asked.cwd))
            self.problems += [warning] if (warning := version_warning(self.agent, info.version)) else []
        self.writer.update(agent=info)

    def _container(self, adapter: Span) -> Passed:
        size = self.host.size()
        shown = {"TERM": os.environ.get("TERM", ""), "SHELL": os.environ.get("SHELL", "")}
        with self.launched(adapter, *size, environment=shown, timed=False) as program:
            passed = self._relay(program, size)
            program.ending = Ending(passed.exit_code, cancelled=bool(passed.ended_by), killed=passed.killed)
        return passed

    def _relay(self, program: Launched, size: tuple[int, int]) -> Passed:
        child = Child(self.program, self.applied.launch.argv, self.env, size, self.host.settings)
        try:
            program.span.set_attribute(sc.PROCESS_PID, child.pid)
            relay = Relay(
                child,
                self.host,
                self.signals,
                size,
                on_output=program.terminal.output,
                on_resize=program.terminal.resize,
                now_ns=self.clock.now_ns,
            )
            return relay.run()
        finally:
            child.close()

    def _close(self, passed: Passed | None, failure: str) -> Recorded:
        code = passed.exit_code if passed else None
        detail = self.redactor.text(failure)
        if passed and passed.ended_by:
            self.problems.append(f"The recording was ended by {passed.ended_by}.")
        cause = None if passed else Cause.HARNESS_FAILED
        verdict = None if passed else Verdict.ERROR
        header = self.close(verdict, cause, detail, error=cause.value if cause else "", message=detail, exit_code=code)
        return Recorded(self.writer.path, header, _FAILED_EXIT if code is None else code)


def _find(argv: tuple[str, ...]) -> str:
    found = shutil.which(argv[0])
    if found is None:
        where = "is no program that can be run" if "/" in argv[0] else "is not on PATH"
        raise AgentNotFoundError(f"{argv[0]!r} {where}.", hint="What stands after -- is the program with its arguments.")
    return found
