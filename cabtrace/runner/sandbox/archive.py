"""Folders in and out of a box as tar streams. What comes out was written by an untrusted agent."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Final, Self

from cabtrace.errors import SandboxError
from cabtrace.limits import DEFAULT, Limits

_CHUNK_BYTES: Final = 256 * 1024
_MAX_DEPTH: Final = 200
_MAX_NAME_BYTES: Final = 255
_REPORTED: Final = 1_000
# Extended headers hold names and small attributes; tarfile reads each into memory and searches it with slow expressions.
_HEADER_BYTES: Final = 16 * 1024
_EXTENSIONS: Final = (b"x", b"g", b"X", b"L", b"K")


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the entries of an archive belong to in the box."""

    uid: int
    gid: int


@dataclass(slots=True)
class Unpacked:
    """What `unpack` did. `skipped` names at most 1,000 entries with a reason; `skipped_count` counts all."""

    files: int = 0
    total_bytes: int = 0
    skipped_count: int = 0
    cut_off: str = ""
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, name: str, reason: str) -> None:
        """Counts an entry that was left out."""
        self.skipped_count += 1
        if len(self.skipped) < _REPORTED:
            self.skipped.append((name, reason))


def pack(source: Path, out: IO[bytes], *, prefix: str, identity: Identity, fresh: bool = False) -> list[tuple[str, str]]:
    """Writes the content of `source` as an uncompressed tar with every name below `prefix`.

    Owners are `identity`, modes keep only read, write and execute, times are the files' own. Links are kept where they
    stay inside `source`. With `fresh`, an entry that replaces whatever is at `prefix` comes first, so that nothing which
    was there is left.

    Args:
        source: A folder of this machine.
        out: Anything with `write`.
        prefix: An absolute path in the box.
        identity: The owner of all entries.
        fresh: Whether `prefix` is emptied.

    Returns:
        (name, reason) of each entry left out: devices, pipes, sockets, links to the outside, unreadable files.
    """
    root = PurePosixPath(prefix).relative_to("/")
    skipped: list[tuple[str, str]] = []
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_CHUNK_BYTES) as tar:
        if fresh:
            # A regular file takes the place of a folder or a link; the folder that follows takes the file's.
            tar.addfile(folder_entry(str(root), identity, as_file=True))
        tar.addfile(folder_entry(str(root), identity))
        for path in _walk(source, skipped):
            forget(tar)
            name = path.relative_to(source)
            reason = _add(tar, path, str(root / name), source, identity)
            if reason:
                skipped.append((str(name), reason))
    return skipped


def folder_entry(name: str, identity: Identity, *, mode: int = 0o755, as_file: bool = False) -> tarfile.TarInfo:
    """An entry for an empty folder (or file), without a leading slash."""
    info = tarfile.TarInfo(name)
    info.type = tarfile.REGTYPE if as_file else tarfile.DIRTYPE
    info.uid, info.gid, info.mode = identity.uid, identity.gid, mode
    return info


def forget(tar: tarfile.TarFile) -> None:
    """Drops the list of entries that tarfile keeps: memory stays the same, however many there are."""
    vars(tar)["members"] = []


def _walk(source: Path, skipped: list[tuple[str, str]]) -> Iterator[Path]:
    stack = [source]
    while stack:
        folder = stack.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda item: item.name)
        except OSError as error:
            skipped.append((str(folder.relative_to(source)), f"cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            yield Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                stack.append(Path(entry.path))


def _add(tar: tarfile.TarFile, path: Path, name: str, source: Path, identity: Identity) -> str:
    info = tarfile.TarInfo(name)
    info.uid, info.gid = identity.uid, identity.gid
    try:
        found = path.lstat()
        info.mtime = int(found.st_mtime)
        if stat.S_ISLNK(found.st_mode):
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
            if not _stays_inside(path.relative_to(source).parent.parts, info.linkname):
                return "a link to the outside"
            tar.addfile(info)
        elif stat.S_ISDIR(found.st_mode):
            info.type, info.mode = tarfile.DIRTYPE, (found.st_mode & 0o777) | 0o700
            tar.addfile(info)
        elif stat.S_ISREG(found.st_mode):
            return _add_file(tar, info, path)
        else:
            return "not a regular file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return ""


def _add_file(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return "not a regular file"
        info.size, info.mode = found.st_size, (found.st_mode & 0o777) | 0o400
        tar.addfile(info, _Exactly(stream, found.st_size))
    return ""


class _Exactly:
    """Reads `size` bytes of a file that may shrink meanwhile: a short entry would spoil the rest of the archive."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, count: int = -1, /) -> bytes:
        wanted = self._left if count < 0 else min(count, self._left)
        data = self._stream.read(wanted)
        self._left -= wanted
        return data + bytes(wanted - len(data))


def unpack(
    chunks: Iterable[bytes], target: Path, *, strip: int = 1, limits: Limits = DEFAULT, overwrite: bool = False
) -> Unpacked:
    """Writes the regular files, folders and harmless links of a tar stream below `target`, and nothing else.

    Every name is resolved by hand, one folder descriptor at a time, so that no link, planted or raced, is ever followed.
    Hard links are kept only to a regular file that was unpacked before. Set-id and sticky bits, owners,
    devices, pipes and links that leave `target` are left out and reported. `tarfile`'s own extraction is never used.

    Args:
        chunks: The stream, uncompressed.
        target: An existing empty folder of this machine.
        strip: Leading name parts to drop.
        limits: `workspace_bytes` and `workspace_files` cap what is written; reading stops there.
        overwrite: Whether a file or link takes the place of another; a folder's place is never taken.

    Raises:
        SandboxError: The stream is no tar archive.
    """
    done = Unpacked()
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        reader = ChunkReader(chunks)
        with tarfile.open(fileobj=reader, mode="r|", bufsize=_CHUNK_BYTES, tarinfo=BoundedInfo) as tar:
            for member in tar:
                forget(tar)
                if member.sparse is not None:
                    done.skip(member.name, "a sparse file")
                    continue
                if done.files >= limits.workspace_files:
                    done.cut_off = f"more than {limits.workspace_files} files"
                    break
                if member.isreg() and done.total_bytes + member.size > limits.workspace_bytes:
                    done.cut_off = f"more than {limits.workspace_bytes} bytes"
                    break
                _unpack_member(tar, member, root, strip, done, overwrite)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        if not done.files and not done.skipped_count:
            raise SandboxError(f"What came out of the sandbox is no tar archive ({type(error).__name__}).") from error
        done.cut_off = f"the archive is damaged ({type(error).__name__})"
    finally:
        os.close(root)
    return done


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, root: int, strip: int, done: Unpacked, overwrite: bool) -> None:
    parts, reason = safe_parts(member.name, strip)
    if reason:
        done.skip(member.name, reason)
        return
    if not parts:
        if not member.isdir():
            done.skip(member.name, "the folder itself is something else")
        return
    try:
        folder = _open_folder(root, parts[:-1])
    except OSError:
        done.skip(member.name, "its folder is not a folder")
        return
    try:
        if overwrite and not member.isdir():
            with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                os.unlink(parts[-1], dir_fd=folder)
        reason = _write(tar, member, folder, parts, root)
    except OSError as error:
        reason = f"cannot be written: {error.strerror}"
    finally:
        os.close(folder)
    if reason:
        done.skip(member.name, reason)
        return
    done.files += 1
    if member.isreg():
        done.total_bytes += member.size


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: int, parts: tuple[str, ...], root: int) -> str:
    name = parts[-1]
    if member.isdir():
        try:
            os.mkdir(name, (member.mode & 0o777) | 0o700, dir_fd=folder)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                return "something else has its name"
        return ""
    if member.issym():
        if not _stays_inside(parts[:-1], member.linkname):
            return "a link to the outside"
        os.symlink(member.linkname, name, dir_fd=folder)
        return ""
    if member.islnk():
        return _copy_link(member, folder, name, root, len(PurePosixPath(member.name).parts) - len(parts))
    if not member.isreg():
        return "not a regular file, folder or link"
    source = tar.extractfile(member)
    if source is None:
        return "has no content"
    whole = False
    try:
        with _create(folder, name, member.mode) as out:
            while data := source.read(_CHUNK_BYTES):
                out.write(data)
        whole = True
    finally:
        if not whole:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
    return ""


def _copy_link(member: tarfile.TarInfo, folder: int, name: str, root: int, strip: int) -> str:
    parts, reason = safe_parts(member.linkname, strip)
    if reason or not parts:
        return "a hard link to the outside"
    try:
        origin = _open_folder(root, parts[:-1])
    except OSError:
        return "a hard link to nothing"
    try:
        # A second name for a symbolic link could stand where that link leads outside.
        if not stat.S_ISREG(os.stat(parts[-1], dir_fd=origin, follow_symlinks=False).st_mode):
            return "a hard link to something else than a file"
        os.link(parts[-1], name, src_dir_fd=origin, dst_dir_fd=folder, follow_symlinks=False)
    except OSError:
        return "a hard link to nothing"
    finally:
        os.close(origin)
    return ""


def safe_parts(name: str, strip: int = 0) -> tuple[tuple[str, ...], str]:
    """The parts of an entry's name without the first `strip`, and why it is refused ("" if it is not)."""
    if not name or "\0" in name or name.startswith("/"):
        return (), "an absolute or empty name"
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts:
        return (), "climbs out with .."
    if len(parts) > _MAX_DEPTH or any(len(os.fsencode(part)) > _MAX_NAME_BYTES for part in parts):
        return (), "a name too long"
    if "\\" in name and (name.startswith("\\") or name[1:3] == ":\\" or "..\\" in name):
        return (), "an absolute or climbing name"
    return parts[strip:], ""


def _stays_inside(folder: tuple[str, ...], link: str) -> bool:
    """Whether a link in the real folder `folder` cannot lead outside, alone or chained with others that pass this test.

    `..` may only come first: after another name, which may itself be a link, it climbs from wherever that link leads.
    """
    if not link or link.startswith("/") or "\0" in link or "\\" in link:
        return False
    parts = [part for part in link.split("/") if part not in ("", ".")]
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    return climbs <= len(folder) and ".." not in parts[climbs:]


def _open_folder(root: int, parts: tuple[str, ...]) -> int:
    """A descriptor of a folder below `root`, made where missing; a link anywhere on the way is an OSError."""
    current = os.dup(root)
    for part in parts:
        try:
            try:
                following = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
            except FileNotFoundError:
                os.mkdir(part, 0o755, dir_fd=current)
                following = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
        finally:
            os.close(current)
        current = following
    return current


def _create(folder: int, name: str, mode: int) -> IO[bytes]:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(name, flags, (mode & 0o777) | 0o600, dir_fd=folder)
    return open(descriptor, "wb")


class BoundedInfo(tarfile.TarInfo):
    """An entry's header, refused where reading on by it would exhaust memory or never end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0 or (info.type in _EXTENSIONS and info.size > _HEADER_BYTES):
            raise tarfile.ReadError("a header that says more than headers say")
        return info


class ChunkReader(io.RawIOBase):
    """An iterable of byte strings as the file object that tarfile reads a stream from."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks, self._rest = iter(chunks), b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        parts, missing = [], size
        while missing > 0:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part, self._rest = self._rest[:missing], self._rest[missing:]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)
