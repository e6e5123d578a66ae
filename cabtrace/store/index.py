"""`index.sqlite`: what was derived from a run's files, kept beside them as named blobs, and dropped when it does not match them.

It holds nothing that cannot be made again, so nothing here raises for a bad index: it is absent then. What it holds may have been
written by someone else together with the run, hence whoever reads a blob must expect any bytes in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import get_native_id
from typing import Final
from urllib.parse import quote

from cabtrace.limits import MIB
from cabtrace.store import layout
from cabtrace.store.files import FILE_MODE
from cabtrace.store.lines import open_regular

_EDGE_BYTES: Final = 64 * 1024
_BLOB_BYTES: Final = 512 * MIB
_PIECE_BYTES: Final = MIB
_STEPS: Final = 1_000_000  # of SQLite's machine; one look-up takes some dozens, whatever a hostile schema makes of it more
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS part (name TEXT PRIMARY KEY, sources TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob (part TEXT NOT NULL, name TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (part, name));
"""


def fingerprint(run_dir: Path, names: Iterable[str], version: int) -> str:
    """What the files looked like: size, time of change, first and last 64 KiB. A missing file is a state like any other."""
    digest = hashlib.sha256(f"cabtrace index {version}".encode())
    for name in names:
        digest.update(f"\0{name}\0".encode())
        try:
            fd = open_regular(run_dir / name)
        except OSError:
            continue
        try:
            status = os.fstat(fd)
            digest.update(f"{status.st_size} {status.st_mtime_ns} ".encode())
            digest.update(os.pread(fd, _EDGE_BYTES, 0))
            digest.update(os.pread(fd, _EDGE_BYTES, max(status.st_size - _EDGE_BYTES, 0)))
        finally:
            os.close(fd)
    return digest.hexdigest()


def load_part(run_dir: Path, part: str, sources: str) -> dict[str, bytes] | None:
    """The blobs of a part that was made from exactly these sources (see `fingerprint`); None when there are none."""
    path = run_dir / layout.INDEX
    try:
        os.close(open_regular(path))  # no link, no fifo
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)) as connection:
            _restrict(connection)
            if not _is_ours(connection):
                return None
            if connection.execute("SELECT sources FROM part WHERE name = ?", (part,)).fetchone() != (sources,):
                return None
            return {name: blob.read() for name, blob in _blobs(connection, part)}
    except (OSError, sqlite3.Error, OverflowError, MemoryError):
        return None


def save_part(run_dir: Path, part: str, sources: str, blobs: Mapping[str, bytes | memoryview]) -> bool:
    """Keeps the blobs of a part and leaves the other parts as they are; False where that was not possible (a read-only run)."""
    path = run_dir / layout.INDEX
    temporary = path.with_name(f".{path.name}.{get_native_id()}.{os.getpid()}.tmp")  # the name that `remove_temporaries` knows
    try:
        with _alone(run_dir):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE))
            with closing(sqlite3.connect(temporary, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = OFF")  # the rename below is what makes it all or nothing
                connection.execute("PRAGMA synchronous = OFF")
                connection.executescript(_SCHEMA)
                connection.execute("BEGIN")
                _copy_others(run_dir, part, connection)
                connection.execute("INSERT INTO part VALUES (?, ?)", (part, sources))
                for key, data in blobs.items():
                    _put(connection, part, key, (data[at : at + _PIECE_BYTES] for at in _pieces(len(data))), len(data))
                connection.execute("COMMIT")
            temporary.replace(path)
    except (OSError, sqlite3.Error, OverflowError):
        temporary.unlink(missing_ok=True)
        return False
    return True


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """One writer at a time, of this process or another: each copies what the others wrote. Raises OSError."""
    fd = os.open(run_dir, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _copy_others(run_dir: Path, part: str, target: sqlite3.Connection) -> None:
    """The other parts, one blob after another, as one may be large. What cannot be read is left out with all after it."""
    path = run_dir / layout.INDEX
    with suppress(OSError, sqlite3.Error, OverflowError):
        os.close(open_regular(path))
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1", uri=True)) as source:
            _restrict(source)
            listed = source.execute("SELECT name, sources FROM part").fetchall() if _is_ours(source) else []
            for name, made_from in listed:
                if name == part or not (isinstance(name, str) and isinstance(made_from, str)):
                    continue
                for key, blob in _blobs(source, name):
                    _put(target, name, key, (blob.read(_PIECE_BYTES) for _ in _pieces(len(blob))), len(blob))
                target.execute("INSERT INTO part VALUES (?, ?)", (name, made_from))


def _blobs(connection: sqlite3.Connection, part: str) -> Iterator[tuple[str, sqlite3.Blob]]:
    """Names and blobs of a part; each blob is open until the next one is asked for. Raises sqlite3.Error."""
    listed = connection.execute("SELECT rowid, name, length(data), typeof(data) FROM blob WHERE part = ?", (part,)).fetchall()
    for row, name, size, kind in listed:
        if isinstance(row, int) and isinstance(name, str) and kind == "blob" and size <= _BLOB_BYTES:
            with connection.blobopen("blob", "data", row, readonly=True) as blob:
                yield name, blob


def _put(connection: sqlite3.Connection, part: str, name: str, pieces: Iterable[bytes | memoryview], size: int) -> None:
    """A blob in pieces: as a value of a statement there would be several copies of it at a time."""
    row = connection.execute("INSERT INTO blob VALUES (?, ?, zeroblob(?))", (part, name, size)).lastrowid
    assert row is not None
    with connection.blobopen("blob", "data", row) as blob:
        for piece in pieces:
            blob.write(piece)


def _pieces(size: int) -> range:
    return range(0, size, _PIECE_BYTES)


def _restrict(connection: sqlite3.Connection) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _BLOB_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    connection.setlimit(sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH, 0)
    connection.set_progress_handler(lambda: 1, _STEPS)
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _is_ours(connection: sqlite3.Connection) -> bool:
    """Whether both names are plain tables and nothing else is there: no view that computes, no trigger, no virtual table."""
    entries = connection.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return sorted(entries) == [("table", "blob"), ("table", "part")]
