"""What the agent wrote about itself: copied out of the cell's home, read, and kept in the run without its secrets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from cabtrace.errors import CabtraceError
from cabtrace.protocols import Transcript
from cabtrace.store.layout import ARTIFACTS
from cabtrace.store.lines import read_regular

if TYPE_CHECKING:
    from cabtrace.limits import Limits
    from cabtrace.protocols import Agent, SandboxPaths
    from cabtrace.redact import Redactor

T = TypeVar("T")
_GLOB: Final = re.compile(r"[*?\[]")
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9._+@=,-]+")
_NAME_CHARS: Final = 150
_NOT_ALPHANUMERIC: Final = re.compile(r"[^A-Za-z0-9]")


class Box(Protocol):
    """As much of a `Sandbox` as is needed here."""

    def get(self, source: str, target: Path) -> None:
        """Copies the content of a folder in the box to `target`."""


class Writer(Protocol):
    """As much of a `RunWriter` as is needed here."""

    def write_file(self, name: str, data: bytes) -> bool:
        """Writes a whole file of the run; False where it could not be, which is counted."""


def harvest(
    agent: Agent,
    sandbox: Box,
    paths: SandboxPaths,
    scratch: Path,
    writer: Writer,
    redactor: Redactor,
    limits: Limits,
) -> Transcript:
    """The agent's transcript, its files kept as `artifacts/<agent>/...`; never raises. Call it when the agent has ended.

    Text is kept without its secrets. Binary files are not kept, since no redactor can vouch for them: what the agent can
    `derive` from them stands in their place. What was left out or cut is named in `problems`.
    """
    globs = tuple(getattr(agent, "transcript_globs", tuple)())
    if not globs:
        return Transcript()
    folder = scratch / "harvest"
    keeper = _Keeper(agent.name, _slugs(paths), writer, redactor, limits)
    transcript = Transcript()
    try:
        _fetch(sandbox, paths.home, globs, folder, keeper.problems)
        derived: Mapping[str, bytes] = _call(getattr(agent, "derive", None), folder, {}, keeper.problems)
        keeper.keep(folder, globs, derived)
        transcript = _call(getattr(agent, "read_transcript", None), folder, transcript, keeper.problems)
    except (OSError, CabtraceError) as error:
        keeper.problems.append(f"the transcript could not be copied: {error}")
    return replace(transcript, problems=(*transcript.problems, *map(redactor.text, keeper.problems)))


def roots(globs: Sequence[str]) -> tuple[str, ...]:
    """The folders that the globs look into, none inside of another."""
    found: set[PurePosixPath] = set()
    for glob in globs:
        parts = PurePosixPath(glob).parts
        plain = next((number for number, part in enumerate(parts) if _GLOB.search(part)), len(parts))
        found.add(PurePosixPath(*parts[: min(plain, len(parts) - 1)]))
    return tuple(sorted(str(one) for one in found if not any(other in one.parents for other in found)))


def _fetch(sandbox: Box, home: str, globs: Sequence[str], folder: Path, problems: list[str]) -> None:
    for root in roots(globs):
        target = folder / root
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            sandbox.get(str(PurePosixPath(home, root)), target)
        except CabtraceError as error:
            problems.append(f"{root} could not be copied: {error}")


def _call(member: Callable[[Path], T] | None, folder: Path, otherwise: T, problems: list[str]) -> T:
    """Whatever an agent of another package does, it is not worth a run."""
    if member is None:
        return otherwise
    try:
        return member(folder)
    except Exception as error:  # noqa: BLE001 - third-party code that should not raise
        problems.append(f"the transcript could not be read: {type(error).__name__}: {error}")
        return otherwise


def _slugs(paths: SandboxPaths) -> tuple[tuple[str, str], ...]:
    """How agents turn the folders of this cell into names of their own."""
    named = ((paths.workdir, "workdir"), (paths.home, "home"))
    return tuple((_NOT_ALPHANUMERIC.sub("-", path), f"-{name}") for path, name in named)


@dataclass(slots=True)
class _Keeper:
    agent: str
    slugs: tuple[tuple[str, str], ...]
    writer: Writer
    redactor: Redactor
    limits: Limits
    problems: list[str] = field(default_factory=list)
    kept_files: int = 0
    kept_bytes: int = 0

    def keep(self, folder: Path, globs: Sequence[str], derived: Mapping[str, bytes]) -> None:
        """Writes what the globs find, and what was derived."""
        for name, data in (*self._found(folder, globs), *sorted(derived.items())):
            left = self.limits.artifact_bytes - self.kept_bytes
            if self.kept_files >= self.limits.artifact_files or left <= 0:
                self.problems.append("the transcript is too large: not all of its files were kept")
                return
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError:
                text = ""
            if "\0" in text or (data and not text):
                if not derived:
                    self.problems.append(f"{name} was not kept: it is no text, so that secrets cannot be removed from it")
                continue
            kept = self.redactor.text(text).encode("utf-8", "replace")[:left]
            self.kept_files += 1
            self.kept_bytes += len(kept)
            self.writer.write_file(f"{ARTIFACTS}/{self.agent}/{self.name(name)}", kept)

    def _found(self, folder: Path, globs: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        for path in sorted({found for glob in globs for found in folder.glob(glob)}):
            if path.is_symlink() or not path.is_file():
                continue
            name = path.relative_to(folder).as_posix()
            limit = self.limits.artifact_file_bytes
            data = read_regular(path, limit + 4)
            if len(data) > limit:
                self.problems.append(f"{name} was cut at {limit} bytes")
                data = data[: data.rfind(b"\n", 0, limit) + 1 or limit]
                data = data.decode("utf-8", "ignore").encode() if b"\0" not in data else data
            yield name, data

    def name(self, name: str) -> str:
        """A path that any machine can hold, with no folder of this one in it."""
        for slug, short in self.slugs:
            name = name.replace(slug, short)
        parts = [_UNSAFE.sub("_", self.redactor.text(part))[:_NAME_CHARS] for part in PurePosixPath(name).parts]
        return "/".join(part if part.strip(".") else "_" for part in parts)
