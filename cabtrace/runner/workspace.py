"""The working directory of a cell: made from the task's files, compared afterwards with what it was."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cabtrace.errors import SandboxError, TaskError
from cabtrace.limits import DEFAULT, Limits
from cabtrace.runner.snapshot import Snapshot, take_snapshot
from cabtrace.runner.task import Task
from cabtrace.runner.task_files import DEFAULT_IGNORED, check_link
from cabtrace.runner.workspace_git import PatchRepository

_IMAGE_FILES = frozenset({"Dockerfile", "docker-compose.yaml", ".dockerignore"})


@dataclass(frozen=True, slots=True)
class Changes:
    """What became of a working directory. Paths are relative, sorted; `patch` is git's binary patch.

    Folders without files are no changes, as in git.

    `cut` says that a cap was reached, `notes` in words which; `extra_git_dir` that the agent made a `.git`, which is
    never part of the patch.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    patch: bytes = b""
    cut: bool = False
    extra_git_dir: bool = False
    notes: tuple[str, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """The content of changes.json."""
        return {
            "added": list(self.added),
            "removed": list(self.removed),
            "modified": list(self.modified),
            "extra_git_dir": self.extra_git_dir,
            "cut": self.cut,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True)
class Baseline:
    """A working directory as it was before the agent touched it; `git_dir` lies outside of it and is ours alone."""

    snapshot: Snapshot
    repository: PatchRepository
    ignored: tuple[str, ...]
    limits: Limits

    @classmethod
    def take(
        cls, workdir: Path, git_dir: Path, *, ignored: tuple[str, ...] = DEFAULT_IGNORED, limits: Limits = DEFAULT
    ) -> Baseline:
        """Records all files of `workdir` in a new repository at `git_dir`.

        Raises:
            SandboxError: git is missing or fails.
        """
        repository = PatchRepository.create(git_dir, limits)
        with repository.commit("baseline") as commit:
            snapshot = take_snapshot(workdir, ignored, limits, keep=commit.modify)
        return cls(snapshot, repository, ignored, limits)

    def diff(self, workdir: Path) -> Changes:
        """Compares `workdir`, the same folder or a copy of it, with the baseline; nothing in it is executed.

        Raises:
            SandboxError: git fails.
        """
        before = self.snapshot
        with self.repository.commit("after", parent="baseline") as commit:
            after = take_snapshot(workdir, self.ignored, self.limits)
            added = sorted(after.entries.keys() - before.entries.keys())
            # what the walk did not reach is not known to be gone
            gone = before.entries.keys() - after.entries.keys()
            removed = sorted(p for p in gone if after.complete or not os.path.lexists(workdir / os.fsdecode(p)))
            shared = before.entries.keys() & after.entries.keys()
            modified = sorted(p for p in shared if before.entries[p] != after.entries[p])
            for path in removed:
                commit.delete(path, before.entries[path])
            for path in sorted(added + modified):
                commit.modify_from(workdir, path, after.entries[path], before.entries.get(path))
        patch, patch_note = self.repository.patch("baseline", "after")
        notes = (*before.notes, *after.notes, *commit.notes, *((patch_note,) if patch_note else ()))
        return Changes(
            added=tuple(map(display, added)),
            removed=tuple(map(display, removed)),
            modified=tuple(map(display, modified)),
            patch=patch,
            cut=bool(notes),
            extra_git_dir=bool(after.git_dirs - before.git_dirs),
            notes=notes,
        )


def prepare(task: Task, target: Path, *, limits: Limits = DEFAULT) -> None:
    """Copies the task's environment/ to `target`, a folder that does not exist yet or is empty.

    What only builds the image is left out. Executable bits are kept; links are kept as links.

    Raises:
        TaskError: a link that leaves the folder, something that is neither file, folder nor link, or too much of it.
            Nothing is left behind then.
    """
    if target.exists() and any(target.iterdir()):
        raise SandboxError(f"The working directory {target} is not empty.", hint="Name a new one.")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    if task.environment_dir.is_symlink():
        raise TaskError(f"{task.environment_dir} is a link.", hint="Make it a folder.")
    if not task.environment_dir.is_dir():
        return
    try:
        _copy(task.environment_dir, target, limits)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def display(path: bytes) -> str:
    """A path as text; bytes that are not UTF-8 become escapes, such as backslash, x, two digits."""
    return path.decode("utf-8", "backslashreplace")


def _copy(source: Path, target: Path, limits: Limits) -> None:
    files = size = 0
    waiting = [source]
    while waiting:
        folder = waiting.pop()
        for entry in sorted(folder.iterdir()):
            if folder == source and entry.name in _IMAGE_FILES:
                continue
            copy = target / entry.relative_to(source)
            info = entry.lstat()
            files, size = files + 1, size + info.st_size
            if files > limits.workspace_files or size > limits.workspace_bytes:
                raise TaskError(f"{source} holds more than a working directory may.", hint="Make the task smaller.")
            if stat.S_ISLNK(info.st_mode):
                copy.symlink_to(check_link(entry, source))
            elif stat.S_ISDIR(info.st_mode):
                copy.mkdir(mode=0o755)
                waiting.append(entry)
            elif stat.S_ISREG(info.st_mode):
                shutil.copyfile(entry, copy, follow_symlinks=False)
                copy.chmod(0o755 if info.st_mode & 0o111 else 0o644)
            else:
                raise TaskError(f"{entry} is neither a file, a folder nor a link.", hint="Remove it from the task.")
