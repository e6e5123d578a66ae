"""What a cell is to do, and what came of it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cabtrace.limits import DEFAULT, Limits

if TYPE_CHECKING:
    from cabtrace.agents.plugins import Plugin
    from cabtrace.model.outcome import Cause, Verdict
    from cabtrace.model.run import RunHeader
    from cabtrace.protocols import Agent
    from cabtrace.runner.task import Task
    from cabtrace.store.files import Files

DEFAULT_TIMEOUT_S = 600.0
GRACE_S = 5.0
RECORDING = "recording"  # the phase whose detail is the run's directory


@dataclass(frozen=True, slots=True)
class CellSpec:
    """One cell to run. `endpoint` is the model's base URL; `api_key` never reaches the sandbox or the disk."""

    task: Task
    agent: Agent
    model: str
    store: Path
    scratch: Path
    sandbox: str = "docker"
    image: str = ""
    endpoint: str = ""
    api_key: str = ""
    agent_argv: tuple[str, ...] = ()
    sweep: str = "adhoc"
    timeout_s: float | None = None
    grace_s: float = GRACE_S
    columns: int = 100
    rows: int = 30
    bodies: bool = True
    provisional: bool = False
    contained: bool = False  # a local sandbox inside of a container that somebody else started
    rerun_of: str = ""
    plugins: tuple[Plugin, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)  # name -> value: never to reach the disk
    limits: Limits = DEFAULT
    files: Files | None = None

    @property
    def time_limit_s(self) -> float:
        """The call's own limit, else the task's, else ten minutes."""
        return self.timeout_s or self.task.agent_timeout_s or DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class CellResult:
    """What came of it; the same whether or not the record could be written in full."""

    path: Path
    header: RunHeader
    verdict: Verdict
    cause: Cause
    detail: str
    lost_records: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Where a running cell stands."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    terminal_bytes: int = 0


class Progress(Protocol):
    """Told what a cell is doing; must return at once."""

    def phase(self, name: str, detail: str = "") -> None:
        """A phase begins."""

    def stats(self, stats: Stats) -> None:
        """Some numbers changed."""


class Quiet:
    """Progress for nobody."""

    def phase(self, name: str, detail: str = "") -> None:
        pass

    def stats(self, stats: Stats) -> None:
        pass


class Cancel:
    """Set once to finish the records and clean up."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.reason = ""
        self.sentence = ""

    def set(self, reason: str, sentence: str = "") -> None:
        """The cell ends as `cancelled`; the sentence, where there is one, is its detail."""
        if not self.event.is_set():
            self.reason, self.sentence = reason, sentence
        self.event.set()
