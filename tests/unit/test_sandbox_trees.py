"""Removing what an agent left: never through a link, however deep, whatever the modes."""

from __future__ import annotations

import os
from pathlib import Path

from cabtrace.runner.sandbox.trees import remove_tree


def test_links_go_and_what_they_point_to_stays(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").write_text("kept")
    doomed = tmp_path / "doomed"
    doomed.mkdir()
    (doomed / "folder").symlink_to(keep)
    (doomed / "file").symlink_to(keep / "file")
    os.mkfifo(doomed / "pipe")

    assert remove_tree(doomed)

    assert (keep / "file").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["keep"]


def test_a_link_in_place_of_the_folder_goes_itself(tmp_path: Path) -> None:
    keep = tmp_path / "keep"
    keep.mkdir()
    (keep / "file").write_text("kept")
    (tmp_path / "doomed").symlink_to(keep)

    assert remove_tree(tmp_path / "doomed")

    assert (keep / "file").exists()


def test_folders_without_permissions_go_too(tmp_path: Path) -> None:
    inner = tmp_path / "doomed" / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").write_text("x")
    for folder, mode in ((inner, 0o000), (inner.parent, 0o555), (inner.parent.parent, 0o444)):
        folder.chmod(mode)

    assert remove_tree(tmp_path / "doomed")


def test_a_tree_deeper_than_any_path_may_be_long(tmp_path: Path) -> None:
    top = tmp_path / "doomed"
    top.mkdir()
    current = os.open(top, os.O_RDONLY)
    for _ in range(1_200):
        os.mkdir("d" * 20, dir_fd=current)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = below
    os.close(os.open("leaf", os.O_CREAT | os.O_WRONLY, dir_fd=current))
    os.close(current)

    assert remove_tree(top)

    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_gone(tmp_path: Path) -> None:
    assert remove_tree(tmp_path / "never")
