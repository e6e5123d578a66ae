"""The plug-in points, on one page. Implementations do not inherit; they are found by entry points (`cabtrace.agents`, ...)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import BinaryIO

    from cabtrace.model.score import AxisResult
    from cabtrace.store.reader import RunView


@dataclass(frozen=True, slots=True)
class SandboxPaths:
    """Where things are, as the agent sees them; absolute."""

    workdir: str
    home: str
    tests: str
    logs: str  # the verifier's log folder: reward.txt, reward.json
    solution: str


@dataclass(frozen=True, slots=True)
class SandboxFacts:
    """What the sandbox found out when it was opened.

    `listen_host` is the address of this machine that the proxy must bind to, `reach_host` the name under which the agent
    reaches it. `left_open` says in words what is not closed; `attributes` go onto the container span.
    """

    paths: SandboxPaths
    listen_host: str
    reach_host: str
    image: str = ""
    image_digest: str = ""
    isolated: bool = False
    left_open: tuple[str, ...] = ()
    attributes: Mapping[str, str | int | Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run in the sandbox, on a pty of `columns` x `rows`. `env` is complete: nothing is inherited but PATH."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    columns: int = 100
    rows: int = 30


class Process(Protocol):
    """A running command, read through the file descriptor of its pty."""

    @property
    def attributes(self) -> Mapping[str, str | int | Sequence[str]]:
        """process.pid, container.id, ...; more of them may be known once it ended."""

    def fileno(self) -> int:
        """A descriptor that becomes readable when there is output or the end of it."""

    def read(self) -> bytes:
        """What is there now; b"" at the end of output."""

    def poll(self) -> int | None:
        """The exit code once it ended (128+n after signal n), else None."""

    def terminate(self) -> None:
        """Asks the whole process group or container to end (SIGTERM)."""

    def kill(self) -> None:
        """Ends the whole process group or container now, daemonised children included."""

    def close(self) -> None:
        """Releases the descriptor."""


class Sandbox(Protocol):
    """A box for one cell. Calls come in this order: open, put*, start, get*, (put*, start, get*), close."""

    kind: str

    @property
    def skipped(self) -> Sequence[tuple[str, str]]:
        """(path, reason) of what `put` and `get` left out."""

    def open(self) -> SandboxFacts:
        """Makes the box. Raises SandboxError with one clear sentence; then nothing is left behind."""

    def put(self, source: Path, target: str) -> None:
        """Copies the content of a folder of this machine to `target` in the box, owned by the agent's user."""

    def get(self, source: str, target: Path) -> None:
        """Copies the content of a folder in the box to `target`, an empty folder of this machine; links are not followed."""

    def start(self, command: Command) -> Process:
        """Starts a command. Nothing that an earlier command started is still running then."""

    def close(self) -> list[str]:
        """Removes everything; names what was removed. Safe to call more than once and after a failed open."""


@dataclass(frozen=True, slots=True)
class AgentCapabilities:
    """What can be recorded of an agent beyond its terminal and its model calls."""

    apis: tuple[str, ...] = ("openai.chat",)
    telemetry: bool = False
    transcript: bool = False
    needs_tty: bool = False
    uses_model: bool = True
    refusal_signals: tuple[str, ...] = ()  # finish reasons by which its API says that the model declined


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What an agent needs to know to be launched. `base_url` is the proxy's, without `/v1`; `token` is good there only."""

    prompt: str
    model: str
    base_url: str
    token: str
    paths: SandboxPaths
    timeout_s: float
    sandbox: str
    argv: tuple[str, ...] = ()  # after `--` on the command line
    otlp_endpoint: str = ""  # where its own telemetry goes (OTLP/HTTP base URL, no /v1/traces); "" for nowhere
    otlp_headers: str = ""  # OTEL_EXPORTER_OTLP_HEADERS that the receiver wants
    traceparent: str = ""  # W3C: the container span, for agents that join a trace
    resource_attributes: str = ""  # OTEL_RESOURCE_ATTRIBUTES, with the cell id as the join key


@dataclass(frozen=True, slots=True)
class Launch:
    """How to launch it. `files` go into the cell's own home, keyed by path below it; `env` values may be secret."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


class Agent(Protocol):
    """One coding agent's CLI."""

    name: str
    capabilities: AgentCapabilities

    def launch(self, context: LaunchContext) -> Launch:
        """The command line, environment and files of one run. Raises UsageError where the context cannot be served."""

    def executables(self) -> tuple[str, ...]:
        """Programs that must be on PATH in a local sandbox (`cabtrace doctor` looks for them); may be empty."""


@dataclass(frozen=True, slots=True)
class TranscriptToolCall:
    """A tool call as an agent's own transcript tells it; None is unknown, times are Unix nanoseconds.

    `model_call`: where it tells no times, the number, from 0, of its model call whose answer the tool call followed from.
    """

    tool_call_id: str
    name: str
    arguments: str = ""
    result: str = ""
    started_ns: int | None = None
    ended_ns: int | None = None
    exit_code: int | None = None
    error: str = ""
    model_call: int | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was read of an agent's own transcript. `problems` says in words what could not be read."""

    tool_calls: tuple[TranscriptToolCall, ...] = ()
    model_calls: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    version: str = ""
    problems: tuple[str, ...] = ()


class RecordedAgent(Agent, Protocol):
    """An agent that leaves more than its terminal. The runner asks with `isinstance`-free `getattr`: every member is optional."""

    verified_version: str

    def version_argv(self) -> tuple[str, ...]:
        """The command that prints its version."""

    def interactive_files(self, context: LaunchContext) -> Mapping[str, bytes]:
        """Files of its home for when a user starts it by hand (`cabtrace record`): what spares the questions of a first start."""

    def transcript_globs(self) -> tuple[str, ...]:
        """Files below the cell's home that are harvested into artifacts/ (also after SIGKILL)."""

    def derive(self, folder: Path) -> Mapping[str, bytes]:
        """Text to keep in place of harvested binary files, by path below `folder`; `read_transcript` takes it as well."""

    def read_transcript(self, folder: Path) -> Transcript:
        """Reads the harvested files, which lie below `folder` under their own names; never raises."""


class Axis(Protocol):
    """A scoring axis: a pure function of a run."""

    name: str
    version: str

    def score(self, run: RunView) -> AxisResult:
        """The axis' result; what the run does not know stays unknown."""


class Exporter(Protocol):
    """Writes a run to a stream in some format."""

    name: str
    suffix: str

    def export(self, run: RunView, out: BinaryIO) -> None:
        """Writes all of it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Cells of one row in one style: text, foreground and background as 0xRRGGBB or None for the default."""

    text: str
    foreground: int | None = None
    background: int | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False


class ScreenEngine(Protocol):
    """A terminal emulator that holds one screen. One in a process of its own may say, when it is asked, that it ended."""

    @property
    def columns(self) -> int:
        """Its width in cells."""

    @property
    def rows(self) -> int:
        """Its height in cells."""

    def feed(self, data: bytes) -> None:
        """Takes output; never raises, whatever the bytes are."""

    def resize(self, columns: int, rows: int) -> None:
        """Changes the size, clamped to what the engine can hold."""

    def screen(self) -> list[tuple[Run, ...]]:
        """All rows, top to bottom, as runs of equal style; text is made safe."""

    def text(self) -> str:
        """The screen without its styles, as it was written, hence hostile: a line that went on in the next row is one line."""

    def cursor(self) -> tuple[int, int] | None:
        """Column and row, from 0; None while hidden."""

    def snapshot(self) -> bytes:
        """The whole state, for `restore` of the same engine version."""

    def restore(self, data: bytes) -> None:
        """Back to a snapshot."""
