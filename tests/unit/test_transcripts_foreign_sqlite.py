"""A database from a cell may be hostile: it is only read, only its plain tables are, and never for long."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

import pytest

from cabtrace.store.foreign_sqlite import ForeignDatabaseError, read_tables
from tests.support.transcripts import lay_opencode_database

WANTED = {"session": ("id", "version"), "part": ("id", "data"), "missing": ("id",)}


def database(path: Path, script: str) -> Path:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.commit()
    connection.close()
    return path


def test_rows_come_also_from_the_write_ahead_log(tmp_path: Path) -> None:
    path = lay_opencode_database(tmp_path)

    rows = list(read_tables(path, WANTED))

    assert [table for table, _ in rows] == ["session", *["part"] * 8]
    assert rows[0][1] == {"id": "ses_dfc3c48f9ffekDIX8cYsqkrOKf", "version": "1.18.33"}


def test_missing_columns_are_left_out(tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", "CREATE TABLE part (id text); INSERT INTO part VALUES ('p');")

    assert list(read_tables(path, WANTED)) == [("part", {"id": "p"})]


@pytest.mark.parametrize(
    "script",
    [
        "CREATE VIEW part AS SELECT 'x' AS id, load_extension('/tmp/x.so') AS data",
        "CREATE VIRTUAL TABLE part USING fts5(id, data)",
    ],
)
def test_what_is_no_plain_table_is_refused(script: str, tmp_path: Path) -> None:
    path = database(tmp_path / "a.db", script)

    with pytest.raises(ForeignDatabaseError, match="not a plain table"):
        list(read_tables(path, WANTED))


def test_computed_columns_are_not_handed_out(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a.db",
        "CREATE TABLE part (id text, data text GENERATED ALWAYS AS (upper(id)) VIRTUAL); INSERT INTO part (id) VALUES ('p');",
    )

    assert list(read_tables(path, WANTED)) == [("part", {"id": "p"})]


def test_a_bomb_does_not_go_off(tmp_path: Path) -> None:
    bomb = "CREATE TABLE part (id text, data text GENERATED ALWAYS AS (hex(zeroblob(400000000))) VIRTUAL)"
    path = database(tmp_path / "a.db", f"{bomb}; INSERT INTO part (id) VALUES ('p');")

    with pytest.raises(ForeignDatabaseError, match="too big"):
        list(read_tables(path, WANTED))


def test_the_file_stays_as_it_is(tmp_path: Path) -> None:
    path = lay_opencode_database(tmp_path)
    before = (path.read_bytes(), path.with_name("opencode.db-wal").read_bytes())

    list(read_tables(path, WANTED))

    assert (path.read_bytes(), path.with_name("opencode.db-wal").read_bytes()) == before


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"not a database at all" * 100])
def test_no_database_is_told_or_empty(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(content)

    with contextlib.suppress(ForeignDatabaseError):  # an empty file is an empty database
        assert list(read_tables(path, WANTED)) == []


def test_damage_is_told_and_never_crashes(tmp_path: Path) -> None:
    path = database(
        tmp_path / "a.db",
        "CREATE TABLE session (id, version); CREATE TABLE part (id, data);"
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)"
        " INSERT INTO part SELECT 'p' || i, printf('%.200c', 'x') FROM n;",
    )
    whole = path.read_bytes()
    chance = random.Random(11)
    told = 0
    for _ in range(250):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(bytes(data))
        try:
            for _, row in read_tables(path, WANTED):
                assert set(row) <= {"id", "version", "data"}
        except ForeignDatabaseError:
            told += 1
    assert 10 < told < 250  # the damage is met, and not always the same way
