"""Attempts whose recorder died before it wrote anything."""

import os
import time
from pathlib import Path

import pytest

from cabtrace.store import layout
from cabtrace.store.clock import RunClock
from cabtrace.store.lock import RunLock
from cabtrace.store.stillborn import find_stillborn, remove_stillborn
from cabtrace.store.writer import allocate_attempt
from tests.support.recording import CELL, new_writer


def stillborn(store: Path) -> Path:
    path, _ = allocate_attempt(store, CELL)
    (path / layout.RESERVE).write_bytes(bytes(10))
    (path / layout.LOCK).touch()
    return path


def test_an_attempt_without_a_record_is_found_and_removed_with_its_empty_parents(tmp_path: Path) -> None:
    path = stillborn(tmp_path)

    assert list(find_stillborn(tmp_path)) == [path]
    assert remove_stillborn(tmp_path, path)

    assert list(tmp_path.iterdir()) == []


def test_a_run_is_none(tmp_path: Path) -> None:
    writer = new_writer(tmp_path, RunClock.start())
    writer.close()

    assert list(find_stillborn(tmp_path)) == []
    assert not remove_stillborn(tmp_path, writer.path)
    assert (writer.path / layout.RUN).exists()


def test_one_that_is_being_recorded_is_none(tmp_path: Path) -> None:
    path = stillborn(tmp_path)
    lock = RunLock(path)

    assert list(find_stillborn(tmp_path)) == []
    assert not remove_stillborn(tmp_path, path)

    lock.release()


@pytest.mark.parametrize(("age_s", "found"), [(5, 0), (600, 1)])
def test_a_folder_that_was_just_made_is_left_alone(tmp_path: Path, age_s: int, found: int) -> None:
    path, _ = allocate_attempt(tmp_path, CELL)
    then = time.time() - age_s
    os.utime(path, (then, then))

    assert len(list(find_stillborn(tmp_path))) == found


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    path = stillborn(tmp_path)
    (path / "notes.txt").touch()

    assert list(find_stillborn(tmp_path)) == []
