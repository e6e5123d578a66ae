"""What task.toml may hold: Harbor's keys as far as we act on them, and ours. Keys we do not know are let through."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cabtrace.globs import compile_globs

_YEAR_S = 365 * 24 * 3600.0
Seconds = Annotated[float, Field(gt=0, le=_YEAR_S, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Megabytes = Annotated[int, Field(gt=0)]
Size = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?([KMGT]i?)?[bB]?$")]
User = str | Annotated[int, Field(ge=0)]

_UNITS_MB = {"K": 1 / 1024, "M": 1.0, "G": 1024.0, "T": 1024.0 * 1024.0}


class _Table(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Package(_Table):
    """`[task]`: Harbor's name of it, `organisation/name`."""

    name: str = ""


class AgentTable(_Table):
    """`[agent]`."""

    timeout_sec: Seconds | None = None
    user: User | None = None


class VerifierTable(_Table):
    """`[verifier]`."""

    timeout_sec: Seconds = 600.0
    env: dict[str, str] = Field(default_factory=dict)
    user: User | None = None
    environment_mode: str | None = None


class SolutionTable(_Table):
    """`[solution]`."""

    env: dict[str, str] = Field(default_factory=dict)


class EnvironmentTable(_Table):
    """`[environment]`. Sizes come as `memory_mb = 2048` or, in older tasks, as `memory = "2G"`."""

    docker_image: str | None = None
    os: str = "linux"
    cpus: Positive | None = None
    memory_mb: Megabytes | None = None
    memory: Size | None = None
    storage_mb: Megabytes | None = None
    storage: Size | None = None
    gpus: int | None = None
    user: User | None = None
    workdir: str | None = None
    mounts: list[str] = Field(default_factory=list)
    allow_internet: bool | None = None
    network_mode: str | None = None
    env: dict[str, str] = Field(default_factory=dict)
    mcp_servers: list[Any] = Field(default_factory=list)
    healthcheck: dict[str, Any] | None = None


class CabtraceTable(_Table):
    """`[metadata.cabtrace]`: what our axes need. `expected_changes` left out means that nothing is known of them."""

    id: str = ""
    category: str = ""
    expected_changes: list[str] | None = None
    expected_refusal: bool = False
    refusal_markers: list[Annotated[str, Field(min_length=1)]] = Field(default_factory=list)
    protected_paths: list[str] = Field(default_factory=list)
    ignored: list[str] | None = None


class Metadata(_Table):
    """`[metadata]`."""

    category: Any = ""  # free text of the task's author; only a string is used
    cabtrace: CabtraceTable | None = None


class TaskFile(_Table):
    """The whole of task.toml."""

    schema_version: str | int | float = "1.0"
    task: Package = Package()
    metadata: Metadata = Metadata()
    agent: AgentTable = AgentTable()
    verifier: VerifierTable = VerifierTable()
    environment: EnvironmentTable = EnvironmentTable()
    solution: SolutionTable = SolutionTable()
    steps: list[Any] | None = None


def parse_task_file(content: dict[str, Any]) -> TaskFile:
    """Reads parsed TOML.

    Raises:
        ValueError: one line, `key: what is wrong with it`, of the first defect.
    """
    try:
        task_file = TaskFile.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        message = first["msg"]
        raise ValueError(f"{_key(content, first['loc'])}: {message[:1].lower()}{message[1:]}") from error
    ours = task_file.metadata.cabtrace
    if ours is not None:
        for key in ("expected_changes", "protected_paths", "ignored"):
            try:
                compile_globs(getattr(ours, key) or ())
            except ValueError as error:
                raise ValueError(f"metadata.cabtrace.{key}: {error}") from error
    return task_file


def _key(content: object, location: tuple[int | str, ...]) -> str:
    """The key as the file spells it: pydantic appends the member types of a union to its place."""
    parts: list[str] = []
    for part in location:
        try:
            content = content[part]  # type: ignore[index]  # whatever TOML put there: an index error ends the key
        except (TypeError, KeyError, IndexError):
            break
        parts.append(str(part))
    return ".".join(parts)


def megabytes(size_mb: int | None, size: str | None) -> int | None:
    """A size in MiB from either way of writing it; a number without a unit is bytes."""
    if size_mb is not None or size is None:
        return size_mb
    number = size.rstrip("bB").rstrip("i").strip()
    unit = number[-1].upper() if number[-1].isalpha() else ""
    value = float(number.removesuffix(number[-1]) if unit else number)
    return max(1, round(value * _UNITS_MB[unit] if unit else value / (1024 * 1024)))
