"""Everything that goes into or comes out of a container: as archives only, so that a remote engine serves as well."""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final

from cabtrace.errors import SandboxError
from cabtrace.limits import Limits
from cabtrace.runner.sandbox.archive import BoundedInfo, ChunkReader, Identity, folder_entry, forget, pack, unpack
from cabtrace.runner.sandbox.docker.profile import LOGS, ROOM, SOLUTION, START_FOLDER, START_SCRIPT, TESTS

ROOT: Final = Identity(0, 0)
_SPOOL_BYTES: Final = 8 * 1024 * 1024
_PASSWD_BYTES: Final = 1024 * 1024
_MADE_FRESH: Final = (TESTS, SOLUTION, LOGS)


class ContainerFiles:
    """The file system of a container that is not running.

    Args:
        fetch: The archive of a path, or None where nothing is there.
        store: Unpacks an archive at `/`, as root.
        limits: Caps of what is copied.
    """

    def __init__(
        self, fetch: Callable[[str], Iterable[bytes] | None], store: Callable[[IO[bytes]], None], limits: Limits
    ) -> None:
        self._fetch, self._store, self._limits = fetch, store, limits
        self.skipped: list[tuple[str, str]] = []  # (path, reason)

    def exists(self, path: str) -> bool:
        """Whether the path, or a link of that name, is there."""
        chunks = self._fetch(path)
        if chunks is None:
            return False
        _close(chunks)
        return True

    def passwd(self) -> str:
        """The text of /etc/passwd; "" where the image has none."""
        chunks = self._fetch("/etc/passwd")
        if chunks is None:
            return ""
        with contextlib.suppress(tarfile.TarError), _reading(chunks) as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isreg() else None
                return stream.read(_PASSWD_BYTES).decode("utf-8", "replace") if stream else ""
        return ""

    def make_folders(self, folders: Iterable[tuple[str, Identity]]) -> None:
        """Makes folders with their parents, or changes the owner of those that are there."""
        with self._spool() as spool:
            with _writing(spool) as tar:
                for path, owner in folders:
                    self._add_parents(tar, path)
                    tar.addfile(folder_entry(path.lstrip("/"), owner))
            self._send(spool)

    def adopt(self, path: str, owner: Identity) -> None:
        """Gives a folder of the image, with all that is in it, to `owner`; makes it where there is none.

        Nothing in the container may change an owner (it has no capability), so the files go out and in again.
        """
        chunks = self._fetch(path)
        if chunks is not None and owner != ROOT:
            with self._spool() as spool:
                parent = str(PurePosixPath(path).parent).strip("/")
                with _reading(chunks) as source, _writing(spool) as tar:
                    count = self._readdress(source, tar, parent, owner)
                if count > 1:
                    self._send(spool)
                    return
        self.make_folders([(path, owner)])

    def put(self, source: Path, target: str, owner: Identity) -> None:
        """Copies a folder in. The verifier's folders are made fresh: nothing that the agent left is in them."""
        with self._spool() as spool:
            with _writing(spool) as tar:
                self._add_parents(tar, target)
                if target == TESTS:
                    self._add_parents(tar, LOGS)
                    tar.addfile(folder_entry(LOGS.lstrip("/"), owner, as_file=True))
                    tar.addfile(folder_entry(LOGS.lstrip("/"), owner))
            self._send(spool)
        with self._spool() as spool:
            self.skipped += pack(source, spool, prefix=target, identity=owner, fresh=target in _MADE_FRESH)
            self._send(spool)

    def get(self, source: str, target: Path) -> None:
        """Copies a folder out; what may not come out is in `skipped`."""
        chunks = self._fetch(source)
        if chunks is None:
            self.skipped.append((source, "not there"))
            return
        try:
            done = unpack(chunks, target, limits=self._limits)
        finally:
            _close(chunks)
        self.skipped += done.skipped
        if done.cut_off:
            self.skipped.append((source, done.cut_off))

    def put_script(self, script: bytes, owner: Identity) -> None:
        """Lays down what the next start runs: root's file in a folder from which its user can remove it."""
        with self._spool() as spool:
            with _writing(spool) as tar:
                tar.addfile(folder_entry(ROOM.lstrip("/"), ROOT))
                tar.addfile(folder_entry(START_FOLDER.lstrip("/"), owner, as_file=True))
                tar.addfile(folder_entry(START_FOLDER.lstrip("/"), owner, mode=0o700))
                entry = folder_entry(START_SCRIPT.lstrip("/"), ROOT, mode=0o444, as_file=True)
                entry.size = len(script)
                tar.addfile(entry, io.BytesIO(script))
            self._send(spool)

    def _add_parents(self, tar: tarfile.TarFile, path: str) -> None:
        for parent in reversed(list(PurePosixPath(path).parents)[:-1]):
            if not self.exists(str(parent)):
                tar.addfile(folder_entry(str(parent).lstrip("/"), ROOT))

    def _readdress(self, source: tarfile.TarFile, tar: tarfile.TarFile, parent: str, owner: Identity) -> int:
        count = total_bytes = 0
        for member in source:
            count, total_bytes = count + 1, total_bytes + member.size
            if total_bytes > self._limits.workspace_bytes or count > self._limits.workspace_files:
                raise SandboxError(f"The image's /{parent} folder is too large to be given to the agent's user.")
            member.name = f"{parent}/{member.name}" if parent else member.name
            if member.islnk():
                member.linkname = f"{parent}/{member.linkname}" if parent else member.linkname
            member.uid, member.gid, member.uname, member.gname = owner.uid, owner.gid, "", ""
            member.pax_headers = {}
            tar.addfile(member, source.extractfile(member) if member.isreg() else None)
            forget(source)
            forget(tar)
        return count

    def _spool(self) -> tempfile.SpooledTemporaryFile[bytes]:
        return tempfile.SpooledTemporaryFile(_SPOOL_BYTES)

    def _send(self, spool: tempfile.SpooledTemporaryFile[bytes]) -> None:
        if spool.tell():
            spool.seek(0)
            self._store(spool)


def _reading(chunks: Iterable[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=ChunkReader(chunks), mode="r|", tarinfo=BoundedInfo)


def _writing(spool: tempfile.SpooledTemporaryFile[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=spool, mode="w|", format=tarfile.PAX_FORMAT)


def _close(chunks: Iterable[bytes]) -> None:
    if isinstance(chunks, Iterator) and hasattr(chunks, "close"):
        chunks.close()
