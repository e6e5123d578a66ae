"""A bare repository that only makes patches: it gets file contents from us and never looks at the agent's folder.

So nothing the agent wrote is configuration, a hook, a filter or an attribute to the git that runs here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cabtrace.errors import SandboxError
from cabtrace.limits import Limits
from cabtrace.runner.snapshot import Entry, read_content

_TIMEOUT_S = 300.0
_HEADER = b"\ndiff --git "
_CONFIG = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.attributesFile=/dev/null",
    "core.quotePath=true",
    "core.bigFileThreshold=16m",  # above it git compares bytes, not lines
    "diff.algorithm=myers",
    "gc.auto=0",
    "pack.threads=1",
)


@dataclass(slots=True)
class Commit:
    """A commit being written to `git fast-import`."""

    stream: IO[bytes]
    most_bytes: int
    notes: list[str] = field(default_factory=list)

    def modify(self, path: bytes, entry: Entry, content: bytes) -> None:
        """Adds a file or link, or replaces it."""
        self.stream.write(b"M %s inline %s\ndata %d\n" % (entry.mode.encode(), _quoted(path), len(content)))
        self.stream.write(content)
        self.stream.write(b"\n")

    def modify_from(self, root: Path, path: bytes, entry: Entry, before: Entry | None) -> None:
        """The same with the content read from disk; what is too large for a patch is noted instead."""
        held = before is None or before.size <= self.most_bytes
        content = read_content(root, path, entry, self.most_bytes) if held else None
        if content is None:
            self._left_out(path, entry)
        else:
            self.modify(path, entry, content)

    def delete(self, path: bytes, before: Entry) -> None:
        """Removes a file or link."""
        if before.size > self.most_bytes:
            self._left_out(path, before)
        else:
            self.stream.write(b"D %s\n" % _quoted(path))

    def _left_out(self, path: bytes, entry: Entry) -> None:
        self.notes.append(f"{path.decode('utf-8', 'backslashreplace')} ({entry.size} bytes) is not in the patch")


@dataclass(frozen=True, slots=True)
class PatchRepository:
    """Commits by name and the patches between them."""

    git: str
    git_dir: Path
    limits: Limits

    @classmethod
    def create(cls, git_dir: Path, limits: Limits) -> PatchRepository:
        """A new repository. Raises SandboxError."""
        git = shutil.which("git")
        if git is None:
            raise SandboxError("git is not installed; it records what the agent changes.", hint="Install git.")
        git_dir.mkdir(parents=True, mode=0o700)
        repository = cls(git, git_dir, limits)
        repository._run("init", "--quiet", "--bare", "--template=")
        return repository

    @contextmanager
    def commit(self, name: str, parent: str = "") -> Iterator[Commit]:
        """Writes a commit to `refs/heads/<name>`. Raises SandboxError if git does not take it."""
        process = subprocess.Popen(
            self._argv("fast-import", "--quiet", "--done", "--force"),
            env=_environment(self.git_dir),
            cwd=self.git_dir,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert process.stdin is not None
        try:
            process.stdin.write(b"commit refs/heads/%s\n" % name.encode())
            process.stdin.write(b"committer cabtrace <cabtrace@localhost> 0 +0000\ndata 0\n")
            if parent:
                process.stdin.write(b"from refs/heads/%s^0\n" % parent.encode())
            yield Commit(process.stdin, self.limits.patch_bytes)
            process.stdin.write(b"\ndone\n")
            _, errors = process.communicate(timeout=_TIMEOUT_S)
        except BrokenPipeError:
            _, errors = process.communicate(timeout=_TIMEOUT_S)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        if process.returncode != 0:
            raise SandboxError(f"git could not record the working directory: {_last_line(errors)}.")

    def patch(self, old: str, new: str) -> tuple[bytes, str]:
        """The binary patch from one commit to the other, and what was cut of it in words ("" when nothing was)."""
        argv = self._argv(
            *("diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff", "--no-textconv"),
            *("--no-color", "--src-prefix=a/", "--dst-prefix=b/", f"refs/heads/{old}", f"refs/heads/{new}"),
        )
        output = self.git_dir / "patch.tmp"
        try:
            with output.open("wb") as file:
                done = subprocess.run(
                    argv,
                    env=_environment(self.git_dir),
                    cwd=self.git_dir,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.PIPE,
                    timeout=_TIMEOUT_S,
                    check=False,
                )
            if done.returncode != 0:
                raise SandboxError(f"git could not compare the working directory: {_last_line(done.stderr)}.")
            with output.open("rb") as file:
                patch = file.read(self.limits.patch_bytes + 1)
        except subprocess.TimeoutExpired:
            return b"", f"the patch took longer than {_TIMEOUT_S:.0f} s and was left out"
        finally:
            output.unlink(missing_ok=True)
        if len(patch) <= self.limits.patch_bytes:
            return patch, ""
        # whole files only, so that what is left still applies
        end = patch.rfind(_HEADER, 0, self.limits.patch_bytes) + 1
        return patch[:end], f"the patch is longer than {self.limits.patch_bytes} bytes and ends early"

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            self._argv(*arguments),
            env=_environment(self.git_dir),
            cwd=self.git_dir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT_S,
            check=False,
        )
        if done.returncode != 0:
            raise SandboxError(f"git {arguments[0]} failed: {_last_line(done.stderr)}.")

    def _argv(self, *arguments: str) -> list[str]:
        return [self.git, *(word for setting in _CONFIG for word in ("-c", setting)), *arguments]


def _environment(git_dir: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(git_dir),
        "LC_ALL": "C",
        "GIT_DIR": str(git_dir),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _quoted(path: bytes) -> bytes:
    escaped = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def _last_line(errors: bytes) -> str:
    lines = errors.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "it gave no reason"
