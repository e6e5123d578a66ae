"""Rows of a database that another program wrote, and that may be hostile: read only, bounded in size and time."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from cabtrace.errors import CabtraceError
from cabtrace.limits import MIB

_DATABASE_BYTES: Final = 512 * MIB
_VALUE_BYTES: Final = 8 * MIB
_ROWS: Final = 1_000_000
_SECONDS: Final = 20.0
_STEPS: Final = 10_000  # of SQLite's machine between two looks at the clock
_LIMITS: Final = {
    sqlite3.SQLITE_LIMIT_LENGTH: _VALUE_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 20,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 3,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 25_000,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 8,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 10,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
}
_PRAGMAS: Final = ("trusted_schema = OFF", "cell_size_check = ON", "mmap_size = 0", "query_only = ON")


class ForeignDatabaseError(CabtraceError):
    """A database that cannot be read, or is not what it should be."""


def read_tables(path: Path, columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(table, row) of the wanted columns, table by table in the order given, rows in the order of their row ids.

    A table or column that is not there is left out. Raises ForeignDatabaseError, also after some rows: what is not SQLite,
    is damaged, has a view or a virtual table in place of a wanted one, is too large or takes too long.
    """
    try:
        sizes = [part.stat().st_size for part in (path, path.with_name(path.name + "-wal")) if part.is_file()]
    except OSError as error:
        raise ForeignDatabaseError(f"{path.name} cannot be read: {error.strerror}.") from error
    if sum(sizes) > _DATABASE_BYTES:
        raise ForeignDatabaseError(f"{path.name} is larger than {_DATABASE_BYTES // MIB} MiB.")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=1)) as connection:
            _restrict(connection)
            yield from _read(connection, path.name, columns)
    except sqlite3.Error as error:
        raise ForeignDatabaseError(f"{path.name} cannot be read: {error}.") from error


def _restrict(connection: sqlite3.Connection) -> None:
    for limit, value in _LIMITS.items():
        connection.setlimit(limit, value)
    deadline = time.monotonic() + _SECONDS
    connection.set_progress_handler(lambda: int(time.monotonic() > deadline), _STEPS)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _read(
    connection: sqlite3.Connection, name: str, columns: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, dict[str, Any]]]:
    found = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != ("ok",):
        raise ForeignDatabaseError(f"{name} is damaged.")
    rows = 0
    for table, wanted in columns.items():
        present = _columns(connection, name, table)
        chosen = [column for column in wanted if column in present]
        if not chosen:
            continue
        listed = ", ".join(f'"{column}"' for column in chosen)
        # names are ours, and found in the schema
        for row in connection.execute(f'SELECT {listed} FROM "{table}" ORDER BY rowid LIMIT ?', (_ROWS,)):  # noqa: S608
            rows += 1
            if rows > _ROWS:
                raise ForeignDatabaseError(f"{name} has more than {_ROWS} rows.")
            yield table, dict(zip(chosen, row, strict=True))


def _columns(connection: sqlite3.Connection, name: str, table: str) -> set[str]:
    """The plain columns of a plain table."""
    entry = connection.execute("SELECT type, sql FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    if entry is None:
        return set()
    kind, sql = entry
    if kind != "table" or not str(sql).upper().startswith("CREATE TABLE"):
        raise ForeignDatabaseError(f"{table} in {name} is not a plain table.")
    listed = connection.execute("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
    return {column for column, hidden in listed if hidden == 0}  # others are computed by the file's own expressions
