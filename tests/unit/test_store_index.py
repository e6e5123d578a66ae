"""index.sqlite: parts side by side, dropped when they do not match, written by several at once, absent when it is something else."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cabtrace.store import layout
from cabtrace.store.index import fingerprint, load_part, save_part


def test_parts_stand_side_by_side_and_are_replaced_one_at_a_time(tmp_path: Path):
    assert save_part(tmp_path, "one", "s1", {"a": b"1", "b": b""})
    assert save_part(tmp_path, "two", "s2", {"a": b"2" * 100_000})
    assert save_part(tmp_path, "one", "s3", {"c": memoryview(b"3")})

    assert load_part(tmp_path, "one", "s3") == {"c": b"3"}
    assert load_part(tmp_path, "one", "s1") is None
    assert load_part(tmp_path, "two", "s2") == {"a": b"2" * 100_000}
    assert load_part(tmp_path, "three", "s2") is None
    assert [path.name for path in tmp_path.iterdir()] == [layout.INDEX]


def test_several_that_write_at_once_lose_nothing(tmp_path: Path):
    done: list[bool] = []
    threads = [
        threading.Thread(target=lambda n=n: done.append(save_part(tmp_path, f"part {n}", "s", {"data": b"%d" % n * 50_000})))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert done == [True] * 12
    for n in range(12):
        assert load_part(tmp_path, f"part {n}", "s") == {"data": b"%d" % n * 50_000}
    assert [path.name for path in tmp_path.iterdir()] == [layout.INDEX]


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 5000])
def test_a_cut_index_is_none_and_is_written_anew(tmp_path: Path, size: int):
    assert save_part(tmp_path, "one", "s", {"a": b"1" * 20_000})
    os.truncate(tmp_path / layout.INDEX, size)
    assert load_part(tmp_path, "one", "s") is None
    assert save_part(tmp_path, "two", "s", {"a": b"2"})
    assert load_part(tmp_path, "two", "s") == {"a": b"2"}


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW more AS SELECT 1",
        "CREATE TRIGGER t AFTER INSERT ON part BEGIN SELECT 1; END",
        "CREATE TABLE other (x)",
        "DROP TABLE blob; CREATE VIEW blob AS SELECT 'one' AS part, 'a' AS name, x'31' AS data",
        "UPDATE blob SET data = 'text'; UPDATE part SET sources = 3",
    ],
)
def test_an_index_of_another_make_is_none(tmp_path: Path, statement: str):
    assert save_part(tmp_path, "one", "s", {"a": b"1"})
    with closing(sqlite3.connect(tmp_path / layout.INDEX)) as connection:
        connection.executescript(statement)
        connection.commit()
    assert load_part(tmp_path, "one", "s") is None
    assert save_part(tmp_path, "two", "s", {"a": b"2"})
    assert load_part(tmp_path, "two", "s") == {"a": b"2"}


def test_what_is_no_file_is_neither_read_nor_written_through(tmp_path: Path):
    (tmp_path / "elsewhere").write_bytes(b"kept")
    (tmp_path / layout.INDEX).symlink_to(tmp_path / "elsewhere")
    assert load_part(tmp_path, "one", "s") is None
    assert save_part(tmp_path, "one", "s", {"a": b"1"})
    assert (tmp_path / "elsewhere").read_bytes() == b"kept"
    assert load_part(tmp_path, "one", "s") == {"a": b"1"}
    assert not save_part(tmp_path / "none", "one", "s", {})


def test_a_fingerprint_changes_with_the_files(tmp_path: Path):
    names = ("a", "b")
    seen = {fingerprint(tmp_path, names, 1), fingerprint(tmp_path, names, 2)}
    for change in (b"x", b"xy", b"xz", b"z" * 300_000):
        (tmp_path / "a").write_bytes(change)
        os.utime(tmp_path / "a", ns=(0, 0))
        seen.add(fingerprint(tmp_path, names, 1))
    os.utime(tmp_path / "a", ns=(0, 1))
    seen.add(fingerprint(tmp_path, names, 1))
    assert len(seen) == 7
    assert fingerprint(tmp_path, names, 1) in seen


def test_blobs_of_several_pieces_come_back_and_are_handed_on(tmp_path: Path):
    blobs = {f"of {size}": (bytes(range(251)) * 12_000)[:size] for size in (0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 - 5)}
    assert save_part(tmp_path, "one", "s", {name: memoryview(data) for name, data in blobs.items()})
    assert save_part(tmp_path, "two", "s", {"a": b"2"})
    assert load_part(tmp_path, "one", "s") == blobs


def test_what_is_no_blob_is_left_out(tmp_path: Path):
    assert save_part(tmp_path, "one", "s", {"a": b"1", "b": b"2", "c": b"3"})
    with closing(sqlite3.connect(tmp_path / layout.INDEX)) as connection:
        connection.execute("UPDATE blob SET data = 'text' WHERE name = 'a'")
        connection.execute("UPDATE blob SET name = x'00' WHERE name = 'b'")
        connection.commit()
    assert load_part(tmp_path, "one", "s") == {"c": b"3"}
    assert save_part(tmp_path, "two", "s", {})
    assert load_part(tmp_path, "one", "s") == {"c": b"3"}
