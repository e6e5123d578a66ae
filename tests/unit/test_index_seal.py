"""A sealed part is taken back by the user who made it, whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from cabtrace.store.index import load_part, save_part
from cabtrace.store.index_seal import load_sealed, save_sealed

BLOBS = {"one": b"1" * 1000, "two": b""}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("CABTRACE_STATE", str(folder))
    return folder


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def test_what_was_sealed_comes_back_and_only_for_its_part_and_sources(run_dir: Path, state: Path):
    assert save_sealed(run_dir, "part", "sources", BLOBS)
    assert load_sealed(run_dir, "part", "sources") == BLOBS
    assert load_sealed(run_dir, "part", "others") is None
    kept = load_part(run_dir, "part", "sources")
    assert kept is not None
    assert save_part(run_dir, "moved", "sources", kept)
    assert load_sealed(run_dir, "moved", "sources") is None
    assert (state / "index.key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.iterdir()] == ["index.key"]


@pytest.mark.parametrize(
    "change",
    [
        {"one": b"2" + b"1" * 999},
        {"one": b"1" * 999},
        {"two": b"1"},
        {"three": b""},
        {"seal": b""},
        {"seal": b"x" * 32},
    ],
    ids=["byte", "shorter", "longer", "another", "no-seal", "other-seal"],
)
def test_what_was_changed_does_not(run_dir: Path, state: Path, change: dict[str, bytes]):
    assert save_sealed(run_dir, "part", "sources", BLOBS)
    kept = load_part(run_dir, "part", "sources")
    assert kept is not None
    assert save_part(run_dir, "part", "sources", {**kept, **change})
    assert load_sealed(run_dir, "part", "sources") is None


def test_another_user_s_index_is_none(run_dir: Path, state: Path, monkeypatch: pytest.MonkeyPatch):
    assert save_sealed(run_dir, "part", "sources", BLOBS)
    monkeypatch.setenv("CABTRACE_STATE", str(state.with_name("another")))
    assert load_sealed(run_dir, "part", "sources") is None
    assert not state.with_name("another").exists()
    assert save_sealed(run_dir, "part", "sources", BLOBS)
    assert load_sealed(run_dir, "part", "sources") == BLOBS


def test_a_key_that_others_can_read_or_that_is_none_is_not_used(run_dir: Path, state: Path):
    assert save_sealed(run_dir, "part", "sources", BLOBS)
    key = state / "index.key"
    key.chmod(0o644)
    assert load_sealed(run_dir, "part", "sources") is None
    assert not save_sealed(run_dir, "part", "sources", BLOBS)
    key.chmod(0o600)
    assert load_sealed(run_dir, "part", "sources") == BLOBS
    key.write_bytes(b"")
    assert load_sealed(run_dir, "part", "sources") is None
    key.rename(state / "elsewhere")
    key.symlink_to(state / "elsewhere")
    assert not save_sealed(run_dir, "part", "sources", BLOBS)


def test_without_a_place_for_a_key_nothing_is_kept(run_dir: Path, state: Path):
    state.write_text("a file")
    assert not save_sealed(run_dir, "part", "sources", BLOBS)
    assert not (run_dir / "index.sqlite").exists()
