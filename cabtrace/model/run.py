"""run.json: identity, timing, outcome, scores, completeness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cabtrace.model.outcome import PROVISIONAL_NOTE, Cause, Verdict

SCHEMA_VERSION: Final = 1
FORMAT: Final = "cabtrace.run"
LONGEST_S: Final = 1e10
_ABSURD_SCORE: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInfo:
    """What was asked; `digest` is the SHA-256 over the task's files.

    `changes_declared` is False where the task does not say which changes it expects: then none is unexpected either.
    """

    id: str
    name: str = ""
    category: str = ""
    digest: str = ""
    instruction: str = ""
    expected_changes: tuple[str, ...] = ()
    changes_declared: bool = True
    expected_refusal: bool = False
    refusal_markers: tuple[str, ...] = ()
    protected_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentInfo:
    """Who did it. Environment by name only, never by value."""

    name: str
    version: str = ""
    argv: tuple[str, ...] = ()
    env_keys: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    behavior_mode: str = "factory"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxInfo:
    """Where it ran. `left_open` says in words what the sandbox did not close; empty means the full profile held."""

    kind: Literal["docker", "local", "unknown"] = "unknown"
    image: str = ""
    image_digest: str = ""
    isolated: bool = False
    left_open: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The run's one clock: a wall instant and the monotonic reading taken with it, both nanoseconds."""

    wall_ns: int = field(metadata={"ge": 0, "lt": 2**63})
    monotonic_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Records that could not be written, by file; all 0 means that the record is whole."""

    trace: int = 0
    open: int = 0
    logs: int = 0
    terminal: int = 0
    calls: int = 0
    other: int = 0
    first_error: str = ""

    @property
    def total(self) -> int:
        """All lost records."""
        return self.trace + self.open + self.logs + self.terminal + self.calls + self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """What is known to be missing from the record."""

    lost: Losses = Losses()
    dropped_attributes: int = 0
    dropped_events: int = 0
    sanitized_values: int = 0
    model_calls: Literal["complete", "partial", "unknown"] = "unknown"
    unrecorded_requests: int = 0
    terminal_cut_bytes: int = 0
    patch_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """Where an imported run came from. `cell_id`, `run_id` and `attempt` are its trace's own; "" and None where it has none.

    `missing` says in words what did not come along. `spans` were taken; `rejected` and `bad_lines` could not be read.
    """

    kind: str  # otlp-json, otlp-protobuf, jaeger, tempo
    where: str
    imported_at: str
    sha256: str = ""  # of the file as it was
    spans: int = 0
    duplicates: int = 0
    rejected: int = 0
    bad_lines: int = 0
    cell_id: str = ""
    run_id: str = ""
    attempt: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHeader:
    """The content of run.json. `status`: `running` until the recorder closed it; `recovered` by `cabtrace recover`."""

    format: str = FORMAT
    schema_version: int = SCHEMA_VERSION
    cabtrace_version: str = ""
    run_id: str
    cell_id: str
    sweep_id: str
    attempt: int = 1
    task: TaskInfo
    agent: AgentInfo
    model: str
    provider: str = ""
    model_build_id: str = ""
    endpoint: str = ""
    sandbox: SandboxInfo = SandboxInfo()
    trace_id: str = ""
    status: Literal["running", "finished", "recovered"] = "running"
    started_at: str
    ended_at: str = ""
    duration_s: float | None = field(default=None, metadata={"ge": 0, "le": LONGEST_S})
    timeout_s: float | None = field(default=None, metadata={"ge": 0, "le": LONGEST_S})
    clock: Clock
    verdict: Verdict | None = None
    cause: Cause | None = None
    cause_detail: str = ""
    exit_code: int | None = None
    timed_out: bool = False
    verifier_exit_code: int | None = None
    provisional: bool = False
    rerun_of: str = ""  # run id of the run whose recorded answers this one was given
    imported: Imported | None = None  # this run was not recorded here
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)  # axis -> {version, value, values, inputs}
    completeness: Completeness = Completeness()
    redactions: dict[str, int] = field(default_factory=dict)  # rule -> count, no values
    warnings: tuple[str, ...] = ()

    def marked(self, text: str) -> str:
        """`text`, and behind it the note where this run is provisional: every surface that shows a run says so."""
        return f"{text} ({PROVISIONAL_NOTE})" if self.provisional else text

    @property
    def key(self) -> str:
        """`cell/attempt`, as commands take it."""
        return f"{self.cell_id}/{self.attempt}"

    @property
    def title(self) -> str:
        """`cell #attempt`, as people read it; marked."""
        return self.marked(f"{self.cell_id} #{self.attempt}")

    @property
    def composite(self) -> float | None:
        """The composite score; None where it is unknown, and of a cell that ended in an error which is not the agent's."""
        value = self.scores.get("composite", {}).get("value")
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < _ABSURD_SCORE:
            return None
        return None if self.verdict is Verdict.ERROR else float(value)

    @property
    def composite_words(self) -> str:
        """The same as it is shown everywhere: `0.935`, `unknown` or `n/a`."""
        if self.verdict is Verdict.ERROR:
            return "n/a"
        return "unknown" if self.composite is None else f"{self.composite:.3f}"

    def identity(self) -> dict[str, Any]:
        """What any JSON that tells of this run begins with."""
        return {"cell_id": self.cell_id, "attempt": self.attempt, "run_id": self.run_id, "provisional": self.provisional}
