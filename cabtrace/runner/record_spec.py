"""What `cabtrace record` is to do, put in the words in which a cell is described."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from cabtrace.limits import DEFAULT, Limits
from cabtrace.protocols import AgentCapabilities, Launch, LaunchContext
from cabtrace.runner.spec import CellSpec
from cabtrace.runner.task import Task, TaskEnvironment

if TYPE_CHECKING:
    from cabtrace.model.run import RunHeader
    from cabtrace.protocols import Agent
    from cabtrace.store.files import Files


@dataclass(frozen=True, slots=True)
class RecordSpec:
    """One recording. `agent` None leaves the program's environment alone: no proxy, no telemetry, no home of its own."""

    argv: tuple[str, ...]
    cwd: Path
    store: Path
    scratch: Path
    agent: Agent | None = None
    model: str = ""
    endpoint: str = ""
    api_key: str = ""
    sweep: str = "recorded"
    bodies: bool = True
    limits: Limits = DEFAULT
    files: Files | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it. `exit_code` is the program's, to be handed on."""

    path: Path
    header: RunHeader
    exit_code: int


class Program:
    """Stands for an agent where none is named: a program about which nothing is known."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.name = PurePath(argv[0]).name or "program"
        self.capabilities = AgentCapabilities(apis=(), uses_model=False)

    def launch(self, context: LaunchContext) -> Launch:
        """As the user typed it."""
        return Launch(argv=context.argv)

    def executables(self) -> tuple[str, ...]:
        """The user's own."""
        return ()


def as_cell(spec: RecordSpec) -> CellSpec:
    """A cell without tests and without a time limit, for all that describes and redacts one."""
    agent = spec.agent or Program(spec.argv)
    name = spec.cwd.name or "root"
    task = Task(
        id=f"interactive/{name}",
        name=name,
        path=spec.cwd,
        instruction="",
        digest="",
        category="interactive",
        foreign=True,
        schema_version="1.0",
        expected_changes=None,
        expected_refusal=False,
        refusal_markers=(),
        protected_paths=(),
        ignored=(),
        agent_timeout_s=None,
        verifier_timeout_s=0,
        verifier_env=(),
        solution_env=(),
        environment=TaskEnvironment(),
    )
    return CellSpec(
        task=task,
        agent=agent,
        model=spec.model or "unknown",
        store=spec.store,
        scratch=spec.scratch,
        sandbox="local",
        endpoint=spec.endpoint,
        api_key=spec.api_key,
        agent_argv=spec.argv,
        sweep=spec.sweep,
        bodies=spec.bodies,
        limits=spec.limits,
        files=spec.files,
    )
