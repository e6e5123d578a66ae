"""What killed runners left behind: found by the owner that everything of ours names, removed when that owner is gone.

Nothing of a living owner is touched, nor of one that cannot be judged from here (another machine, another container).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from cabtrace.errors import SandboxError, StoreError
from cabtrace.runner.sandbox.owner import Owner, current_owner, is_gone, parse_owner
from cabtrace.runner.sandbox.processes import MarkedProcess, kill, marked_processes
from cabtrace.runner.sandbox.trees import remove_tree

if TYPE_CHECKING:
    from cabtrace.runner.sandbox.docker.engine import Labelled

OWNER_FILE: Final = "owner.json"
_TRANSIENT: Final = ".cabtrace"
_OWNER_BYTES: Final = 4_096
_KINDS: Final = ("process", "container", "network", "folder")  # the order of removal: what uses before what is used


@dataclass(frozen=True, slots=True)
class Leftover:
    """One thing whose owner is gone. `name` is for reading; `remove` is given the whole."""

    kind: Literal["process", "container", "network", "folder"]
    name: str
    run_id: str
    owner: Owner
    thing: MarkedProcess | Labelled | Path


def claim_scratch(root: Path, run_id: str) -> Path:
    """A new folder for one run's scratch files, which says whose it is before anything else is in it.

    Args:
        root: Where scratch folders live; made where missing.
        run_id: 32 hex digits.

    Raises:
        StoreError: It cannot be made.
    """
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", run_id):
        raise StoreError(f"{run_id!r} is no run id.")
    folder = root / run_id
    # Whole at once: a folder under its final name has an owner in it, wherever this process is killed.
    owner = current_owner()
    draft = root / _named(owner, run_id)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
        record = {"format": "cabtrace.owner", "run_id": run_id, "owner": str(owner)}
        (draft / OWNER_FILE).write_text(json.dumps(record), "utf-8")
        draft.rename(folder)
    except OSError as error:
        if draft.exists():
            remove_tree(draft)
        raise StoreError(f"The scratch folder {folder} cannot be made: {error.strerror}.") from error
    return folder


def release_scratch(folder: Path) -> bool:
    """Removes a scratch folder of this process; whether it is gone. Killed on the way, the rest still says whose it was."""
    return _remove_folder(folder, current_owner())


def find_leftovers(scratch_root: Path) -> list[Leftover]:
    """Everything whose owner is gone, in the order in which it should be removed. Works without Docker."""
    found = [*_processes(), *_docker(), *_folders(scratch_root)]
    return sorted(found, key=lambda item: (_KINDS.index(item.kind), item.name))


def remove(leftover: Leftover) -> bool:
    """Removes it, unless its owner turns out to live after all; whether it is gone now.

    Raises:
        SandboxError: The Docker engine refused.
    """
    if not is_gone(leftover.owner):
        return False
    thing = leftover.thing
    if isinstance(thing, Path):
        return _remove_folder(thing, leftover.owner)
    if isinstance(thing, MarkedProcess):
        kill(thing)
        return _wait_gone(thing)
    from cabtrace.runner.sandbox.docker.engine import connect, remove_labelled

    client = connect()
    try:
        remove_labelled(client, thing)
    finally:
        client.close()
    return True


def _processes() -> Iterator[Leftover]:
    for process in marked_processes():
        if process.owner is not None and is_gone(process.owner):
            yield Leftover("process", f"{process.name} ({process.pid})", process.run_id, process.owner, process)


def _wait_gone(process: MarkedProcess) -> bool:
    import psutil

    try:
        process.handle.wait(5)
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
    return True


def _docker() -> Iterator[Leftover]:
    try:
        from cabtrace.runner.sandbox.docker.engine import connect, labelled

        client = connect()
    except SandboxError:  # no engine, hence nothing on it
        return
    try:
        items = labelled(client)
    finally:
        client.close()
    for item in items:
        owner = parse_owner(item.owner)
        if owner is not None and is_gone(owner):
            yield Leftover(item.kind, item.name, item.run_id, owner, item)


def _folders(root: Path) -> Iterator[Leftover]:
    try:
        entries = sorted(root.iterdir())
    except OSError:
        return
    for entry in entries:
        owner, run_id = _owner_of(entry)
        if owner is not None and is_gone(owner):
            yield Leftover("folder", str(entry), run_id, owner, entry)


def _remove_folder(folder: Path, owner: Owner) -> bool:
    found, run_id = _owner_of(folder)
    if found != owner:
        return not os.path.lexists(folder)
    doomed = folder.with_name(_named(owner, run_id))
    with contextlib.suppress(OSError):
        folder = folder.rename(doomed)
    return remove_tree(folder)


def _named(owner: Owner, run_id: str) -> str:
    """A folder name that says whose it is, for while there is no owner file in it: being made, or being removed."""
    return "~".join((_TRANSIENT, *str(owner).split("/"), run_id))


def _owner_of(folder: Path) -> tuple[Owner | None, str]:
    """Whose scratch folder it is; None for anything that is no such folder, a link to one included."""
    if folder.name.startswith(f"{_TRANSIENT}~") and folder.is_dir() and not folder.is_symlink():
        _, *owner, run_id = folder.name.split("~")
        return parse_owner("/".join(owner)), run_id
    with contextlib.suppress(OSError, ValueError, RecursionError):
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            record = json.loads(_read(directory))
        finally:
            os.close(directory)
        if isinstance(record, dict) and record.get("format") == "cabtrace.owner":
            return parse_owner(str(record.get("owner", ""))), str(record.get("run_id", ""))
    return None, ""


def _read(directory: int) -> bytes:
    descriptor = os.open(OWNER_FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.read(descriptor, _OWNER_BYTES)
    finally:
        os.close(descriptor)
