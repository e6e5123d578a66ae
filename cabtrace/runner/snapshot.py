"""What a folder holds, file by file, by content. Reads only; links are never followed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cabtrace.globs import compile_globs
from cabtrace.limits import Limits

_CHUNK_BYTES = 1024 * 1024
# names that git takes for its own folder on some file system
_GIT_NAMES = frozenset({b".git", b"git~1"})

LINK, FILE, PROGRAM = "120000", "100644", "100755"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or link: git's mode, the SHA-256 of its content (a link's text), its size in bytes."""

    mode: str
    digest: bytes
    size: int


@dataclass(slots=True)
class Snapshot:
    """Entries by relative path (bytes, as the file system has them); `complete` unless a cap ended the walk."""

    entries: dict[bytes, Entry] = field(default_factory=dict)
    git_dirs: set[bytes] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    complete: bool = True


def take_snapshot(
    root: Path, ignored: tuple[str, ...], limits: Limits, keep: Callable[[bytes, Entry, bytes], None] | None = None
) -> Snapshot:
    """Walks `root`. `keep` is given path, entry and content of every file that a patch can hold.

    Files beyond `limits.workspace_files` or `limits.workspace_bytes` are not read; the notes say so.
    """
    snapshot = Snapshot()
    unreadable = 0
    budget = limits.workspace_bytes
    for path, info in _walk(root, ignored, snapshot):
        if len(snapshot.entries) >= limits.workspace_files:
            return _cut(snapshot, f"more than {limits.workspace_files} files: the rest was not looked at")
        try:
            entry, content = _read(root, path, info, most=limits.patch_bytes)
        except OSError:
            unreadable += 1
            snapshot.complete = False
            continue
        budget -= entry.size
        if budget < 0:
            return _cut(snapshot, f"more than {limits.workspace_bytes} bytes: the rest was not looked at")
        snapshot.entries[path] = entry
        if keep is not None and content is not None:
            keep(path, entry, content)
    if unreadable:
        snapshot.notes.append(f"{unreadable} files or folders could not be read")
    return snapshot


def measure(root: Path, ignored: tuple[str, ...], most_files: int, most_bytes: int) -> bool:
    """Whether a folder holds at most so much; looks at no more of it than it takes to know. Reads no content."""
    files = size = 0
    for _, info in _walk(root, ignored, Snapshot()):
        files, size = files + 1, size + info.st_size
        if files > most_files or size > most_bytes:
            return False
    return True


def read_content(root: Path, path: bytes, entry: Entry, most: int) -> bytes | None:
    """The content that `entry` was taken of, or None where it is too large or has changed since."""
    try:
        again, content = _read(root, path, (root / os.fsdecode(path)).lstat(), most)
    except OSError:
        return None
    return content if again == entry else None


def _cut(snapshot: Snapshot, note: str) -> Snapshot:
    snapshot.complete = False
    snapshot.notes.append(note)
    return snapshot


def _walk(root: Path, ignored: tuple[str, ...], snapshot: Snapshot) -> Iterator[tuple[bytes, os.stat_result]]:
    spec = compile_globs(ignored)
    top = os.fsencode(root)
    waiting = [b""]
    unreadable = 0
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(os.path.join(top, folder)) as found:  # noqa: PTH118 - bytes, not a pathlib path
                children = sorted(found, key=lambda child: child.name)
        except OSError:  # a mode of 000, or a path longer than the system takes
            unreadable += 1
            continue
        for child in children:
            path = folder + b"/" + child.name if folder else child.name
            try:
                info = child.stat(follow_symlinks=False)
            except OSError:
                unreadable += 1
                continue
            is_folder = stat.S_ISDIR(info.st_mode)
            if child.name.lower() in _GIT_NAMES:
                snapshot.git_dirs.add(path)
            elif spec.match_file(os.fsdecode(path) + ("/" if is_folder else "")):
                continue
            elif is_folder:
                waiting.append(path)
            elif stat.S_ISREG(info.st_mode) or stat.S_ISLNK(info.st_mode):
                yield path, info
    if unreadable:
        snapshot.complete = False
        snapshot.notes.append(f"{unreadable} folders or entries could not be read")


def _read(root: Path, path: bytes, info: os.stat_result, most: int) -> tuple[Entry, bytes | None]:
    full = root / os.fsdecode(path)
    if stat.S_ISLNK(info.st_mode):
        text = os.fsencode(os.readlink(full))  # noqa: PTH115 - pathlib would normalise the text
        return Entry(LINK, hashlib.sha256(text).digest(), len(text)), text
    mode = PROGRAM if info.st_mode & 0o100 else FILE
    # a fifo put there meanwhile must not hang us, a link not lead us elsewhere
    descriptor = os.open(full, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("no longer a regular file")
        digest, size, content = hashlib.sha256(), 0, bytearray()
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
            if size <= most:
                content += chunk
            else:
                content.clear()
    return Entry(mode, digest.digest(), size), bytes(content) if size <= most else None
