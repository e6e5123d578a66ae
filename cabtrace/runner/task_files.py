"""Reading a task's files with care: they may come from anyone."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from cabtrace.errors import TaskError
from cabtrace.globs import compile_globs
from cabtrace.limits import DEFAULT, Limits

DEFAULT_IGNORED = ("target/", "node_modules/", "__pycache__/", ".pytest_cache/", "*.pyc")
_NOT_THE_TASK = (*DEFAULT_IGNORED, ".git/", ".DS_Store")
_TEXT_BYTES = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024


def read_text(path: Path, *, hint: str) -> str:
    """The text of a regular file of at most 1 MiB.

    Raises:
        TaskError: missing, a link, not a regular file, too long, or not UTF-8.
    """
    try:
        if path.is_symlink():  # what it points to would end up in the agent's prompt
            raise TaskError(f"{path} is a link.", hint="Copy the file instead.")
        if not stat.S_ISREG(path.stat().st_mode):
            raise TaskError(f"{path} is not a regular file.", hint=hint)
        with path.open("rb") as file:
            content = file.read(_TEXT_BYTES + 1)
    except FileNotFoundError as error:
        raise TaskError(f"{path} is missing.", hint=hint) from error
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
    if len(content) > _TEXT_BYTES:
        raise TaskError(f"{path} is larger than {_TEXT_BYTES // 1024} KiB.", hint="Keep large inputs in environment/.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TaskError(f"{path} is not UTF-8 (line {line}).", hint="Save it as UTF-8.") from error


def task_digest(root: Path, limits: Limits = DEFAULT) -> str:
    """SHA-256, in hex, over the sorted relative paths and contents of the task's files; build output is left out.

    File modes do not count: a package that carries the task may lose them.

    Raises:
        TaskError: too many files, too many bytes, a link that leaves the task, or a device, pipe or socket.
    """
    digest = hashlib.sha256()
    budget = limits.workspace_bytes
    for path in _walk(root, limits.workspace_files):
        name = os.fsencode(path.relative_to(root).as_posix())
        info = path.lstat()
        if stat.S_ISLNK(info.st_mode):
            check_link(path, root)
            _field(digest, b"link", name, os.fsencode(path.readlink()))
            continue
        if not stat.S_ISREG(info.st_mode):
            raise TaskError(f"{path} is neither a file, a folder nor a link.", hint="Remove it from the task.")
        budget -= info.st_size
        if budget < 0:
            raise TaskError(f"The task {root} holds more than {limits.workspace_bytes} bytes.", hint="Make it smaller.")
        _field(digest, b"file", name, _file_digest(path))
    return digest.hexdigest()


def check_link(link: Path, root: Path) -> str:
    """The text of a link that stays below `root`, judged by its text: what it points to may not exist yet.

    Raises:
        TaskError: it leaves `root`.
    """
    text = os.readlink(link)  # noqa: PTH115 - pathlib would normalise the text
    meant = Path(os.path.normpath(link.parent / text))
    if Path(text).is_absolute() or not meant.is_relative_to(root):
        raise TaskError(f"{link} points out of {root} ({text!r}).", hint="Copy what it points to instead.")
    return text


def _walk(root: Path, most: int) -> list[Path]:
    ignored = compile_globs(_NOT_THE_TASK)
    found: list[Path] = []
    waiting = [root]
    while waiting:
        for path in waiting.pop().iterdir():
            name = path.relative_to(root).as_posix()
            is_folder = path.is_dir() and not path.is_symlink()
            if ignored.match_file(f"{name}/" if is_folder else name):
                continue
            (waiting if is_folder else found).append(path)
        if len(found) > most:
            raise TaskError(f"The task {root} holds more than {most} files.", hint="Is this the folder of one task?")
    return sorted(found, key=lambda path: os.fsencode(path.relative_to(root).as_posix()))


def _file_digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}.", hint="Check its permissions.") from error
    return digest.digest()


def _field(digest: hashlib._Hash, *parts: bytes) -> None:
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
