"""The working copy and the patch: what the patch says is what happened, whatever the agent wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cabtrace.errors import TaskError
from cabtrace.limits import DEFAULT
from cabtrace.runner.task import load_task
from cabtrace.runner.workspace import Baseline, Changes, prepare


def tree(root: Path) -> dict[bytes, tuple[str, bytes]]:
    """Files and links below `root` with mode and content; git's own folders left out."""
    found: dict[bytes, tuple[str, bytes]] = {}
    for path in root.rglob("*"):
        name = path.relative_to(root)
        if ".git" in name.parts:
            continue
        if path.is_symlink():
            found[os.fsencode(name)] = ("link", os.fsencode(path.readlink()))
        elif path.is_file():
            found[os.fsencode(name)] = ("program" if path.stat().st_mode & 0o100 else "file", path.read_bytes())
    return found


def apply_patch(patch: bytes, folder: Path) -> None:
    """Applies it as a user would, outside of any repository."""
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(folder.parent), "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(
        ["git", "apply", "--allow-empty", "-"],
        cwd=folder,
        input=patch,
        check=True,
        env=environment,
        capture_output=True,
    )


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    for name, content in {
        "src/lib.rs": b"fn main() {}\nlet a = 1;\n",
        "src/old.rs": b"old\n",
        "data.bin": bytes(range(256)) * 8,
        "run.sh": b"#!/bin/sh\n",
        "folder/inner.txt": b"inner\n",
        "plain": b"plain\n",
        ".gitignore": b"*.log\nsecret/\n",
        "no-newline": b"end",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "pointer").symlink_to("src/lib.rs")
    return root


def change(root: Path) -> None:
    """Everything that can happen to a file, and names that are hard to write."""
    (root / "src/lib.rs").write_bytes(b"fn main() {}\nlet a = 2;\n")
    (root / "src/old.rs").unlink()
    (root / "data.bin").write_bytes(bytes(reversed(range(256))) * 9)
    (root / "run.sh").chmod(0o755)
    shutil.rmtree(root / "folder")
    (root / "folder").write_bytes(b"now a file\n")
    (root / "plain").unlink()
    (root / "plain").mkdir()
    (root / "plain" / "deep").write_bytes(b"deep\n")
    (root / "pointer").unlink()
    (root / "pointer").write_bytes(b"no longer a link\n")
    (root / "no-newline").write_bytes(b"end\r\nmore")
    (root / "ignored.log").write_bytes(b"seen all the same\n")
    (root / "secret").mkdir()
    (root / "secret" / "x").write_bytes(b"x\n")
    for name in (
        b'quote".txt',
        b"new\nline",
        b"tab\t",
        "ümläut".encode(),
        b"\xff\xfe",
        b"back\\slash",
        b" lead",
        b"a b",
    ):
        (root / os.fsdecode(name)).write_bytes(b"odd\n")


def test_the_patch_applied_to_a_fresh_copy_gives_the_same_tree(workdir: Path, tmp_path: Path) -> None:
    fresh = shutil.copytree(workdir, tmp_path / "fresh", symlinks=True)
    baseline = Baseline.take(workdir, tmp_path / "git")
    change(workdir)

    changes = baseline.diff(workdir)

    apply_patch(changes.patch, fresh)
    assert tree(fresh) == tree(workdir)
    assert not changes.cut
    assert changes.notes == ()


def test_changes_are_named(workdir: Path, tmp_path: Path) -> None:
    baseline = Baseline.take(workdir, tmp_path / "git")
    change(workdir)

    changes = baseline.diff(workdir)

    assert set(changes.removed) == {"src/old.rs", "folder/inner.txt", "plain"}
    assert set(changes.modified) == {"src/lib.rs", "data.bin", "run.sh", "pointer", "no-newline"}
    assert {"folder", "plain/deep", "ignored.log", "secret/x", "new\nline", "\\xff\\xfe", "ümläut"} <= set(changes.added)
    assert "-let a = 1;\n+let a = 2;" in changes.patch.decode()


def test_nothing_changed_is_an_empty_patch(workdir: Path, tmp_path: Path) -> None:
    baseline = Baseline.take(workdir, tmp_path / "git")
    (workdir / "src/lib.rs").touch()

    assert baseline.diff(workdir) == Changes()


def test_a_copy_of_the_folder_may_be_compared_and_compared_again(workdir: Path, tmp_path: Path) -> None:
    baseline = Baseline.take(workdir, tmp_path / "git")
    copy = shutil.copytree(workdir, tmp_path / "copy", symlinks=True)
    (copy / "src/lib.rs").write_text("changed\n")

    assert baseline.diff(copy).modified == ("src/lib.rs",)
    assert baseline.diff(workdir) == Changes()
    assert baseline.diff(copy).modified == ("src/lib.rs",)


def test_build_output_is_not_a_change(workdir: Path, tmp_path: Path) -> None:
    baseline = Baseline.take(workdir, tmp_path / "git")
    for name in ("target/debug/x", "sub/node_modules/y", "src/__pycache__/z.pyc", "z.pyc"):
        (workdir / name).parent.mkdir(parents=True, exist_ok=True)
        (workdir / name).write_text("built")

    assert baseline.diff(workdir) == Changes()
    assert Baseline.take(workdir, tmp_path / "git2", ignored=("*.pyc",)).diff(workdir) == Changes()


def test_nothing_the_agent_wrote_is_executed_or_obeyed(workdir: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    fresh = shutil.copytree(workdir, tmp_path / "fresh", symlinks=True)
    baseline = Baseline.take(workdir, tmp_path / "git")
    command = f"touch {trap}"
    (workdir / ".gitattributes").write_text("* filter=evil diff=evil -text\n*.rs binary ident eol=crlf\n")
    hostile = workdir / ".git"
    (hostile / "hooks").mkdir(parents=True)
    (hostile / "HEAD").write_text("ref: refs/heads/main\n")
    (hostile / "config").write_text(
        f'[core]\n fsmonitor = "{command}"\n hooksPath = .git/hooks\n pager = {command}\n'
        f'[filter "evil"]\n clean = {command}\n smudge = {command}\n process = {command}\n required = true\n'
        f'[diff "evil"]\n command = {command}\n textconv = {command}\n[diff]\n external = {command}\n'
    )
    for hook in ("pre-commit", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        (hostile / "hooks" / hook).write_text(f"#!/bin/sh\n{command}\n")
        (hostile / "hooks" / hook).chmod(0o755)
    (workdir / "module" / ".git").mkdir(parents=True)
    (workdir / "module" / "inside.txt").write_text("seen\n")
    (workdir / "src/lib.rs").write_text("$Id$\r\nchanged\r\n")

    changes = baseline.diff(workdir)

    assert not trap.exists()
    assert changes.extra_git_dir
    assert set(changes.added) == {".gitattributes", "module/inside.txt"}
    assert changes.modified == ("src/lib.rs",)
    assert b"hooks" not in changes.patch
    apply_patch(changes.patch, fresh)
    assert (fresh / "src/lib.rs").read_bytes() == b"$Id$\r\nchanged\r\n"


def test_git_variables_of_the_caller_do_not_reach_git(workdir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", "/nowhere")
    baseline = Baseline.take(workdir, tmp_path / "git")
    (workdir / "src/lib.rs").write_text("changed\n")

    assert b"+changed" in baseline.diff(workdir).patch


def test_links_are_never_followed(workdir: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("SECRETVALUE\n")
    baseline = Baseline.take(workdir, tmp_path / "git")
    (workdir / "out").symlink_to(secret)
    (workdir / "loop").symlink_to(workdir)
    (workdir / "key").symlink_to(secret / "key")
    os.mkfifo(workdir / "pipe")

    changes = baseline.diff(workdir)

    assert changes.added == ("key", "loop", "out")
    assert b"SECRETVALUE" not in changes.patch


def test_caps_are_said(workdir: Path, tmp_path: Path) -> None:
    limits = replace(DEFAULT, workspace_files=30, workspace_bytes=200_000, patch_bytes=20_000)
    baseline = Baseline.take(workdir, tmp_path / "git", limits=limits)
    fresh = shutil.copytree(workdir, tmp_path / "fresh", symlinks=True)

    (workdir / "large").write_bytes(os.urandom(40_000))
    changes = baseline.diff(workdir)
    assert changes.added == ("large",)
    assert changes.cut
    assert changes.notes == ("large (40000 bytes) is not in the patch",)

    (workdir / "large").write_bytes(os.urandom(300_000))
    changes = baseline.diff(workdir)
    assert changes.cut
    assert changes.removed == ()
    assert any("200000 bytes" in note for note in changes.notes)
    (workdir / "large").unlink()

    for number in range(4):
        (workdir / f"new{number}").write_bytes(os.urandom(12_000))
    changes = baseline.diff(workdir)
    assert len(changes.added) == 4
    assert changes.cut
    apply_patch(changes.patch, fresh)
    assert (fresh / "new0").read_bytes() == (workdir / "new0").read_bytes()
    assert not (fresh / "new3").exists()

    for number in range(40):
        (workdir / f"many{number}").write_text("x")
    changes = baseline.diff(workdir)
    assert changes.cut
    assert changes.removed == ()


def test_a_file_too_large_for_the_patch_is_still_compared(workdir: Path, tmp_path: Path) -> None:
    limits = replace(DEFAULT, patch_bytes=1_000)
    baseline = Baseline.take(workdir, tmp_path / "git", limits=limits)
    (workdir / "data.bin").write_bytes(b"small now")
    changes = baseline.diff(workdir)
    assert (changes.modified, changes.patch, changes.cut) == (("data.bin",), b"", True)
    (workdir / "data.bin").unlink()
    changes = baseline.diff(workdir)
    assert (changes.removed, changes.patch, changes.cut) == (("data.bin",), b"", True)


def test_a_very_deep_tree_does_not_stop_the_comparison(workdir: Path, tmp_path: Path) -> None:
    baseline = Baseline.take(workdir, tmp_path / "git")
    here = os.open(workdir, os.O_RDONLY)
    try:
        for _ in range(60):
            os.mkdir("d" * 200, dir_fd=here)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    (workdir / "src/lib.rs").write_text("changed\n")

    changes = baseline.diff(workdir)

    assert changes.modified == ("src/lib.rs",)
    assert changes.cut


def make_task(folder: Path) -> Path:
    for name, text in {
        "task.toml": "",
        "instruction.md": "Do it.",
        "tests/test.sh": "exit 0",
        "environment/Dockerfile": "FROM scratch",
        "environment/.dockerignore": "x",
        "environment/docker-compose.yaml": "x",
        "environment/src/Dockerfile": "kept: not at the top",
        "environment/tool.sh": "#!/bin/sh\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "environment/tool.sh").chmod(0o700)
    (folder / "environment/link").symlink_to("src/../tool.sh")
    return folder


def test_prepare_copies_what_the_agent_works_on(tmp_path: Path) -> None:
    task = load_task(make_task(tmp_path / "task"))

    prepare(task, tmp_path / "new" / "work")

    work = tmp_path / "new" / "work"
    assert sorted(p.relative_to(work).as_posix() for p in work.rglob("*")) == [
        "link",
        "src",
        "src/Dockerfile",
        "tool.sh",
    ]
    assert (work / "tool.sh").stat().st_mode & 0o777 == 0o755
    assert str((work / "link").readlink()) == "src/../tool.sh"


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "src/../../tests/test.sh"])
def test_prepare_refuses_links_that_leave_and_leaves_nothing(tmp_path: Path, target: str) -> None:
    folder = make_task(tmp_path / "task")
    task = load_task(folder)
    (folder / "environment/zz").symlink_to(target)

    with pytest.raises(TaskError, match="zz points out"):
        prepare(task, tmp_path / "work")

    assert not (tmp_path / "work").exists()


def test_prepare_refuses_pipes_and_too_much(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "task")
    task = load_task(folder)
    with pytest.raises(TaskError, match="more than"):
        prepare(task, tmp_path / "work", limits=replace(DEFAULT, workspace_files=2))
    os.mkfifo(folder / "environment/pipe")
    with pytest.raises(TaskError, match="pipe"):
        prepare(task, tmp_path / "work")


def test_a_task_without_files_gets_an_empty_folder(tmp_path: Path) -> None:
    folder = make_task(tmp_path / "task")
    shutil.rmtree(folder / "environment")

    prepare(load_task(folder), tmp_path / "work")

    assert list((tmp_path / "work").iterdir()) == []
