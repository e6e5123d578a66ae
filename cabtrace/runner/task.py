"""Tasks in the directory layout of Harbor and terminal-bench, with `[metadata.cabtrace]` on top."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cabtrace.errors import TaskError
from cabtrace.model.run import TaskInfo
from cabtrace.runner.task_files import DEFAULT_IGNORED, read_text, task_digest
from cabtrace.runner.task_schema import EnvironmentTable, TaskFile, VerifierTable, megabytes, parse_task_file

_ID_CHARS = 200
_HOST_VALUE = re.compile(r"\$\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class TaskEnvironment:
    """What the sandbox is asked for; None leaves it to the sandbox. Sizes are MiB, times seconds."""

    docker_image: str | None = None
    dockerfile: Path | None = None
    cpus: float | None = None
    memory_mb: int | None = None
    storage_mb: int | None = None
    user: str | None = None
    workdir: str | None = None
    mounts: tuple[str, ...] = ()
    allow_internet: bool | None = None
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it lies on disk. `path` is absolute.

    `expected_changes` is None where the task does not say; `foreign` means that it says nothing to our axes at all.
    `unsupported` names, in words, what the task asks for and cabtrace does not do.
    """

    id: str
    name: str
    path: Path
    instruction: str
    digest: str
    category: str
    foreign: bool
    schema_version: str
    expected_changes: tuple[str, ...] | None
    expected_refusal: bool
    refusal_markers: tuple[str, ...]
    protected_paths: tuple[str, ...]
    ignored: tuple[str, ...]
    agent_timeout_s: float | None
    verifier_timeout_s: float
    verifier_env: tuple[tuple[str, str], ...]
    solution_env: tuple[tuple[str, str], ...]
    environment: TaskEnvironment
    unsupported: tuple[str, ...] = ()

    @property
    def environment_dir(self) -> Path:
        """Files of the working directory; may be missing."""
        return self.path / "environment"

    @property
    def tests_dir(self) -> Path:
        """Folder of the tests, hidden from the agent; `test.sh` in it is run with bash."""
        return self.path / "tests"

    @property
    def solution_dir(self) -> Path | None:
        """Folder of the reference solution, or None where there is no `solve.sh` in it."""
        folder = self.path / "solution"
        return folder if (folder / "solve.sh").is_file() else None

    def to_info(self) -> TaskInfo:
        """What run.json keeps of the task."""
        return TaskInfo(
            id=self.id,
            name=self.name,
            category=self.category,
            digest=self.digest,
            instruction=self.instruction,
            expected_changes=self.expected_changes or (),
            changes_declared=self.expected_changes is not None,
            expected_refusal=self.expected_refusal,
            refusal_markers=self.refusal_markers,
            protected_paths=self.protected_paths,
        )


def load_task(path: Path) -> Task:
    """Reads and checks a task's folder; nothing in it is executed.

    Raises:
        TaskError: the first defect found, with file and key.
    """
    root = _task_folder(path)
    toml_path = root / "task.toml"
    task_file = _parse(toml_path, read_text(toml_path, hint=_missing_toml_hint(root)))
    _refuse_what_cannot_run(toml_path, task_file)
    instruction = read_text(root / "instruction.md", hint="It holds the words that the agent is given.")
    if not instruction.strip():
        raise TaskError(f"{root / 'instruction.md'} is empty.", hint="Write what the agent is asked to do.")
    read_text(root / "tests" / "test.sh", hint="It checks the agent's work: exit code 0, or reward.txt, means passed.")

    ours = task_file.metadata.cabtrace
    category = (ours.category if ours else "") or _string(task_file.metadata.category)
    verifier_env, verifier_gaps = _plain_env("verifier.env", task_file.verifier.env)
    solution_env, solution_gaps = _plain_env("solution.env", task_file.solution.env)
    box_env, box_gaps = _plain_env("environment.env", task_file.environment.env)
    return Task(
        id=_checked_id(toml_path, (ours.id if ours else "") or task_file.task.name or _id_of_folder(root, category)),
        name=task_file.task.name or root.name,
        path=root,
        instruction=instruction,
        digest=task_digest(root),
        category=category,
        foreign=ours is None,
        schema_version=str(task_file.schema_version),
        expected_changes=None if ours is None or ours.expected_changes is None else tuple(ours.expected_changes),
        expected_refusal=ours.expected_refusal if ours else False,
        refusal_markers=tuple(ours.refusal_markers) if ours else (),
        protected_paths=tuple(ours.protected_paths) if ours else (),
        ignored=DEFAULT_IGNORED if ours is None or ours.ignored is None else tuple(ours.ignored),
        agent_timeout_s=task_file.agent.timeout_sec,
        verifier_timeout_s=task_file.verifier.timeout_sec,
        verifier_env=verifier_env,
        solution_env=solution_env,
        environment=_environment(root, task_file, box_env),
        unsupported=(
            *_unsupported(root, task_file.environment, task_file.verifier),
            *verifier_gaps,
            *solution_gaps,
            *box_gaps,
        ),
    )


def _task_folder(path: Path) -> Path:
    if path.is_file() and path.name == "task.toml":
        path = path.parent
    if not path.exists():
        raise TaskError(f"There is no task at {path}.", hint="Name the folder that holds task.toml.")
    if not path.is_dir():
        raise TaskError(f"{path} is a file, not a task's folder.", hint="Name the folder that holds task.toml.")
    return path.resolve()


def _missing_toml_hint(root: Path) -> str:
    if (root / "task.yaml").is_file():
        return "task.yaml is terminal-bench's older format; convert the task to task.toml first."
    below = sorted(entry.parent.relative_to(root).as_posix() for entry in root.glob("*/task.toml"))
    if below:
        return f"Did you mean a task below it, such as {below[0]}?"
    return "A task's folder holds task.toml, instruction.md and tests/test.sh."


def _parse(toml_path: Path, text: str) -> TaskFile:
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise TaskError(f"{toml_path} is not valid TOML: {error}.", hint="Correct that line.") from error
    try:
        return parse_task_file(content)
    except ValueError as error:
        raise TaskError(f"{toml_path}: {error}.", hint="Correct that key.") from error


def _refuse_what_cannot_run(toml_path: Path, task_file: TaskFile) -> None:
    version = str(task_file.schema_version)
    if version.split(".", 1)[0] != "1":
        raise TaskError(
            f"{toml_path}: schema_version {version!r} is not one that this version reads.",
            hint='It reads "1.0" and every later "1.x"; a newer cabtrace may read more.',
        )
    if task_file.steps:
        raise TaskError(f"{toml_path}: steps: tasks of several steps cannot be run.", hint="Use a task of one step.")
    if task_file.environment.os != "linux":
        raise TaskError(f"{toml_path}: environment.os {task_file.environment.os!r} cannot be run.", hint="Use a Linux task.")


def _checked_id(toml_path: Path, task_id: str) -> str:
    parts = task_id.split("/")
    sound = task_id.isprintable() and len(task_id) <= _ID_CHARS and all(p.strip(". ") for p in parts)
    if not sound:
        raise TaskError(
            f"{toml_path}: {task_id[:_ID_CHARS]!r} cannot be a task's id.",
            hint="Set metadata.cabtrace.id to words joined by `/`, such as polyglot/fix-parser.",
        )
    return task_id


def _id_of_folder(root: Path, category: str) -> str:
    parent = root.parent
    in_category = parent.name and (parent.name == category or parent.parent.name == "tasks")
    return f"{parent.name}/{root.name}" if in_category else root.name


def _environment(root: Path, task_file: TaskFile, env: tuple[tuple[str, str], ...]) -> TaskEnvironment:
    table = task_file.environment
    dockerfile = root / "environment" / "Dockerfile"
    user = table.user if table.user is not None else task_file.agent.user
    return TaskEnvironment(
        docker_image=table.docker_image or None,
        dockerfile=dockerfile if dockerfile.is_file() else None,
        cpus=table.cpus,
        memory_mb=megabytes(table.memory_mb, table.memory),
        storage_mb=megabytes(table.storage_mb, table.storage),
        user=None if user is None else str(user),
        workdir=table.workdir,
        mounts=tuple(table.mounts),
        allow_internet=table.allow_internet,
        env=env,
    )


def _plain_env(key: str, env: Mapping[str, str]) -> tuple[tuple[tuple[str, str], ...], list[str]]:
    """Harbor fills `${NAME}` from its own environment. A task is not trusted that far: such an entry is left out."""
    plain = tuple((name, value) for name, value in env.items() if not _HOST_VALUE.search(value))
    left_out = [name for name, value in env.items() if _HOST_VALUE.search(value)]
    return plain, [f"{key}.{name} takes its value from this machine's environment" for name in left_out]


def _unsupported(root: Path, environment: EnvironmentTable, verifier: VerifierTable) -> list[str]:
    asked = {
        "environment.gpus": environment.gpus,
        "environment.mcp_servers": environment.mcp_servers,
        "environment.healthcheck": environment.healthcheck,
        "environment/docker-compose.yaml": (root / "environment" / "docker-compose.yaml").is_file(),
        'verifier.environment_mode = "separate"': verifier.environment_mode == "separate",
    }
    return [f"{name} is not supported" for name, value in asked.items() if value]


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
