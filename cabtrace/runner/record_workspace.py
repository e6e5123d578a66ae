"""Whether the folder in which a recording is made can be compared with itself afterwards, and the baseline for it."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Final

from cabtrace.errors import CabtraceError
from cabtrace.limits import DEFAULT, MIB, Limits
from cabtrace.runner.snapshot import measure
from cabtrace.runner.task_files import DEFAULT_IGNORED
from cabtrace.runner.workspace import Baseline

# Reading it must not keep the user waiting.
_REPOSITORY: Final = (20_000, 128 * MIB)
_OTHER: Final = (2_000, 32 * MIB)
_IGNORED_ENTRIES: Final = 5_000
_GIT_S: Final = 10
_SPECIAL: Final = re.compile(r"([\\*?\[\]!# ])")


def take_baseline(folder: Path, git_dir: Path, limits: Limits = DEFAULT) -> tuple[Baseline | None, str]:
    """The folder as it is, or None and a sentence that says why it is not compared. What git ignores there, is ignored."""
    if folder in (Path.home(), Path(folder.anchor)):
        return None, f"Changes of files were not recorded: {folder} is too much to compare."
    ignored = _ignored(folder)
    repository = ignored is not None
    files, size = _REPOSITORY if repository else _OTHER
    patterns = (*DEFAULT_IGNORED, *(ignored or ()))
    if not measure(folder, patterns, files, size):
        what = "repository" if repository else "folder without git"
        return None, (
            f"Changes of files were not recorded: a {what} of more than {files:,} files or {size // MIB} MiB is not compared."
        )
    try:
        capped = replace(limits, workspace_files=4 * files, workspace_bytes=4 * size)
        return Baseline.take(folder, git_dir, ignored=patterns, limits=capped), ""
    except CabtraceError as error:
        return None, f"Changes of files were not recorded: {error}"


def _ignored(folder: Path) -> list[str] | None:
    """What git ignores below `folder`, as patterns; None where it is in no repository, or ignores too much to list."""
    words = ("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *words], capture_output=True, timeout=_GIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    entries = [entry for entry in done.stdout.decode("utf-8", "surrogateescape").split("\0") if entry]
    if done.returncode or len(entries) > _IGNORED_ENTRIES:
        return None
    return [*_rules(folder / ".gitignore"), *("/" + _SPECIAL.sub(r"\\\1", entry) for entry in entries)]


def _rules(file: Path) -> list[str]:
    """The folder's own rules: they also hold for what is made while the recording lasts."""
    try:
        if file.is_symlink() or file.stat().st_size > MIB:
            return []
        return file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
