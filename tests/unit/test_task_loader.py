"""Tasks are read from Harbor's layout; every defect is one sentence with file and key."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cabtrace.errors import TaskError
from cabtrace.runner.task import load_task

HARBOR_TASK = """
schema_version = "1.4"
artifacts = []
source = "somewhere"

[task]
name = "example-org/hello-world"
keywords = ["a"]

[metadata]
author_name = "A. Author"
difficulty = "easy"
category = "programming"
tags = ["trivial"]

[verifier]
timeout_sec = 120.0
collect = []
env = { MODE = "strict", TOKEN = "${SOME_TOKEN}" }

[agent]
timeout_sec = 360
network_mode = "public"

[environment]
build_timeout_sec = 600.0
docker_image = "python:3.12-slim"
cpus = 2
memory_mb = 2048
storage_mb = 10240
gpus = 0
allow_internet = true
mcp_servers = []
"""


def write_task(folder: Path, toml: str = "", **files: str) -> Path:
    """A minimal task; `files` overrides by name, with `__` for `/`."""
    content = {"instruction.md": "Fix it.\n", "tests/test.sh": "exit 0\n", "environment/a.txt": "a\n"}
    content |= {name.replace("__", "/"): text for name, text in files.items()}
    for name, text in {**content, "task.toml": toml}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_harbor_task_loads_unchanged(tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path / "hello", HARBOR_TASK))

    assert (task.id, task.category, task.foreign) == ("example-org/hello-world", "programming", True)
    assert (task.agent_timeout_s, task.verifier_timeout_s) == (360.0, 120.0)
    assert task.environment.docker_image == "python:3.12-slim"
    assert (task.environment.cpus, task.environment.memory_mb, task.environment.storage_mb) == (2.0, 2048, 10240)
    assert task.environment.allow_internet is True
    assert task.expected_changes is None
    assert task.to_info().changes_declared is False


def test_values_of_this_machine_are_not_given_to_a_task(tmp_path: Path) -> None:
    task = load_task(write_task(tmp_path / "hello", HARBOR_TASK))

    assert task.verifier_env == (("MODE", "strict"),)
    assert task.unsupported == ("verifier.env.TOKEN takes its value from this machine's environment",)


def test_our_table_and_the_older_way_of_writing_sizes(tmp_path: Path) -> None:
    task = load_task(
        write_task(
            tmp_path / "t",
            """
            [metadata.cabtrace]
            id = "polyglot/t"
            category = "polyglot"
            expected_changes = ["src/*.rs"]
            expected_refusal = true
            refusal_markers = ["no"]
            protected_paths = ["tests/"]
            [environment]
            memory = "2G"
            storage = "512Mi"
            user = 1000
            """,
        )
    )

    info = task.to_info()
    assert (task.id, task.foreign, info.category) == ("polyglot/t", False, "polyglot")
    assert info.expected_changes == ("src/*.rs",)
    assert (info.expected_refusal, info.refusal_markers, info.protected_paths) == (True, ("no",), ("tests/",))
    assert (task.environment.memory_mb, task.environment.storage_mb, task.environment.user) == (2048, 512, "1000")
    assert info.instruction == "Fix it.\n"


@pytest.mark.parametrize(
    ("folder", "toml", "expected"),
    [
        ("tasks/safety/refuse", "", "safety/refuse"),
        ("mine/safety/refuse", '[metadata]\ncategory = "safety"', "safety/refuse"),
        ("somewhere/refuse", "", "refuse"),
        ("tasks/safety/refuse", '[task]\nname = "org/other"', "org/other"),
    ],
)
def test_id_falls_back_to_the_folders(tmp_path: Path, folder: str, toml: str, expected: str) -> None:
    assert load_task(write_task(tmp_path / folder, toml)).id == expected


def test_task_toml_itself_may_be_named(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")

    assert load_task(folder / "task.toml") == load_task(folder)


def test_digest_follows_names_and_contents_and_nothing_else(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")
    before = load_task(folder).digest
    (folder / "tests" / "__pycache__").mkdir()
    (folder / "tests" / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / "tests" / "test.sh").chmod(0o755)
    assert load_task(folder).digest == before
    assert load_task(write_task(tmp_path / "elsewhere" / "t")).digest == before

    (folder / "environment" / "a.txt").rename(folder / "environment" / "b.txt")
    renamed = load_task(folder).digest
    (folder / "environment" / "b.txt").write_text("b\n")
    assert len({before, renamed, load_task(folder).digest}) == 3


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[agent\ntimeout_sec = 1", "line 1"),
        ('schema_version = "2.0"', "schema_version"),
        ("agent = 3", "agent"),
        ("[agent]\ntimeout_sec = -5", "agent.timeout_sec"),
        ("[agent]\ntimeout_sec = nan", "agent.timeout_sec"),
        ('[verifier]\ntimeout_sec = "long"', "verifier.timeout_sec"),
        ("[environment]\ndocker_image = 3", "environment.docker_image"),
        ('[environment]\nmemory = "lots"', "environment.memory"),
        ("[environment]\nuser = true", "environment.user:"),
        ("[environment]\nuser = -1", "environment.user:"),
        ('[environment]\nos = "windows"', "environment.os"),
        ("[[steps]]\nname = 'one'", "steps"),
        ("[metadata]\ncabtrace = 1", "metadata.cabtrace"),
        ('[metadata.cabtrace]\nexpected_changes = "src"', "metadata.cabtrace.expected_changes"),
        ("[metadata.cabtrace]\nexpected_changes = [1]", "metadata.cabtrace.expected_changes.0"),
        ('[metadata.cabtrace]\nexpected_changes = ["../x"]', "metadata.cabtrace.expected_changes: '../x'"),
        ('[metadata.cabtrace]\nprotected_paths = ["[z-a]"]', "metadata.cabtrace.protected_paths: '[z-a]'"),
        ('[metadata.cabtrace]\nprotected_paths = [""]', "matches nothing"),
        ('[metadata.cabtrace]\nrefusal_markers = [""]', "metadata.cabtrace.refusal_markers"),
        ('[metadata.cabtrace]\nid = "../../x"', "cannot be a task's id"),
        ('[metadata.cabtrace]\nid = "a\\u001bb"', "cannot be a task's id"),
    ],
)
def test_a_broken_task_toml_is_one_sentence_with_file_and_key(tmp_path: Path, toml: str, message: str) -> None:
    folder = write_task(tmp_path / "t", toml)

    with pytest.raises(TaskError) as raised:
        load_task(folder)

    assert "task.toml" in raised.value.what
    assert message in raised.value.what
    assert raised.value.what.endswith(".")
    assert "\n" not in raised.value.what
    assert raised.value.hint


@pytest.mark.parametrize("name", ["task.toml", "instruction.md", "tests/test.sh"])
def test_a_missing_or_odd_file_is_named(tmp_path: Path, name: str) -> None:
    folder = write_task(tmp_path / "t")
    path = folder / name

    path.write_bytes(b"\xff\xfe")
    assert_refused(folder, name, "UTF-8")
    path.unlink()
    assert_refused(folder, name, "missing")
    os.mkfifo(path)
    assert_refused(folder, name, "regular file")
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert_refused(folder, name, "link")
    path.unlink()
    path.write_bytes(b"a" * (2 * 1024 * 1024))
    assert_refused(folder, name, "larger")


def test_no_such_task_and_neighbours(tmp_path: Path) -> None:
    assert_refused(tmp_path / "nowhere", "nowhere", "There is no task")
    write_task(tmp_path / "tasks" / "one")
    with pytest.raises(TaskError) as raised:
        load_task(tmp_path / "tasks")
    assert "one" in raised.value.hint
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "task.yaml").write_text("")
    with pytest.raises(TaskError) as raised:
        load_task(tmp_path / "old")
    assert "terminal-bench" in raised.value.hint
    (tmp_path / "file").write_text("")
    assert_refused(tmp_path / "file", "file", "not a task's folder")


def test_an_empty_instruction_is_refused(tmp_path: Path) -> None:
    assert_refused(write_task(tmp_path / "t", **{"instruction.md": " \n"}), "instruction.md", "empty")


def test_a_link_out_of_the_task_is_refused(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "t")
    (folder / "tests" / "inside").symlink_to("../environment/a.txt")
    load_task(folder)
    (folder / "tests" / "secret").symlink_to("../../../secret")
    assert_refused(folder, "secret", "points out of")


def assert_refused(folder: Path, *words: str) -> None:
    with pytest.raises(TaskError) as raised:
        load_task(folder)
    for word in words:
        assert word in raised.value.what
